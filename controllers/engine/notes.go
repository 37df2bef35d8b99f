package engine

import (
	"context"
	"encoding/json"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Notes is what a Reconciler remembers about the objects that its keys without a Kind
// name. A Reconciler that embeds Notes is a Rememberer. T must be plain data with
// exported fields. A Reconciler writes only the note of the key that has its step;
// otherwise it calls Touch.
type Notes[T any] map[types.NamespacedName]T

// Remember implements Rememberer.
func (n Notes[T]) Remember(key Key) ([]byte, error) {
	note, ok := n[types.NamespacedName{Namespace: key.Namespace, Name: key.Name}]
	if !ok || key.Kind != "" {
		return nil, nil
	}
	return json.Marshal(note)
}

// Recall implements Rememberer.
func (n Notes[T]) Recall(_ context.Context, key Key, data []byte, _ time.Time) error {
	if key.Kind != "" {
		return nil // another build's
	}
	var note T
	if err := json.Unmarshal(data, &note); err != nil {
		return err
	}
	n[types.NamespacedName{Namespace: key.Namespace, Name: key.Name}] = note
	return nil
}
