package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// testimony is what all clients and watchers, over all kills, have been told of
// each resourceVersion: it never denotes two states.
type testimony struct {
	sync.Mutex
	states  map[int64]string
	highest int64
	wrong   []string
}

// hear notes an object that somebody was given, and returns its resourceVersion
// and a digest of all of it.
func (m *testimony) hear(obj runtime.Object, from string) (rv int64, state string) {
	rv, state, err := stateOf(obj)
	m.Lock()
	defer m.Unlock()
	if err != nil {
		m.wrong = append(m.wrong, fmt.Sprintf("%s: %v", from, err))
		return 0, ""
	}
	m.highest = max(m.highest, rv)
	if was, ok := m.states[rv]; ok && was != state {
		m.wrong = append(m.wrong, fmt.Sprintf("%s: resourceVersion %d was %s, now it is %s", from, rv, was, state))
	}
	m.states[rv] = state
	return rv, state
}

// known is the highest resourceVersion that anybody was told of.
func (m *testimony) known() int64 {
	m.Lock()
	defer m.Unlock()
	return m.highest
}

// stateOf returns an object's resourceVersion and a digest of all of it. The
// error is that it is not whole.
func stateOf(obj runtime.Object) (rv int64, state string, err error) {
	o, ok := obj.(metav1.Object)
	if !ok {
		return 0, "", fmt.Errorf("want an object, got %T", obj)
	}
	if rv, err = strconv.ParseInt(o.GetResourceVersion(), 10, 64); err != nil {
		return 0, "", fmt.Errorf("resourceVersion of %s: %w", o.GetName(), err)
	}
	obj = obj.DeepCopyObject()
	// Only some answers name their kind.
	obj.GetObjectKind().SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(""))
	all, err := json.Marshal(obj)
	if err != nil {
		return 0, "", err
	}
	if cm, ok := obj.(*corev1.ConfigMap); ok && cm.Data["token"] != "" && cm.Data["sum"] != sum(cm.Data) {
		return 0, "", fmt.Errorf("ConfigMap %s at resourceVersion %d is not as it was written: %s", cm.Name, rv, all)
	}
	return rv, fmt.Sprintf("%T %s %x", obj, o.GetName(), sha256.Sum256(all)), nil
}

// sum is the checksum that a client puts into its ConfigMaps.
func sum(data map[string]string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(data["token"]+data["pad"])))
}

// sighting is one event.
type sighting struct {
	rv    int64
	event watch.EventType
	key   string
	token string
	state string
}

// witness watches one resource over all kills: it resumes from the last
// resourceVersion that it has seen.
type witness struct {
	name      string
	testimony *testimony
	watch     func(ctx context.Context, c kubernetes.Interface, o metav1.ListOptions) (watch.Interface, error)
	// touch makes an event and returns its resourceVersion.
	touch func(ctx context.Context, c kubernetes.Interface) (runtime.Object, error)

	touches []string // names of what catchUp made

	mu    sync.Mutex
	from  int64      // what came after it is in seen
	seen  []sighting // since the last audit
	wrong []string
}

func (w *witness) options(rv int64) metav1.ListOptions {
	return metav1.ListOptions{ResourceVersion: strconv.FormatInt(rv, 10)}
}

func (w *witness) last() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.seen); n > 0 {
		return w.seen[n-1].rv
	}
	return w.from
}

// run records events until ctx ends, which it does soon after the server.
func (w *witness) run(ctx context.Context, c kubernetes.Interface) {
	for ctx.Err() == nil {
		events, err := w.watch(ctx, c, w.options(w.last()))
		if err != nil {
			continue // the server is dead, or soon will be
		}
		for e := range events.ResultChan() {
			s, err := w.sighting(e)
			if apierrors.HasStatusCause(err, "ClientWatchDecoding") {
				break // the kill cut the connection
			}
			w.mu.Lock()
			if err != nil {
				w.wrong = append(w.wrong, fmt.Sprintf("%s: %v", w.name, err))
			} else {
				w.seen = append(w.seen, s)
			}
			w.mu.Unlock()
		}
		events.Stop()
	}
}

func (w *witness) sighting(e watch.Event) (sighting, error) {
	if e.Type == watch.Error {
		return sighting{}, apierrors.FromObject(e.Object)
	}
	rv, state := w.testimony.hear(e.Object, w.name)
	s := sighting{rv: rv, event: e.Type, state: state}
	if o, ok := e.Object.(metav1.Object); ok {
		s.key = o.GetName()
	}
	if cm, ok := e.Object.(*corev1.ConfigMap); ok {
		s.token = cm.Data["token"]
	}
	return s, nil
}

// catchUp makes an event and returns its resourceVersion when w has seen it.
func (w *witness) catchUp(t *testing.T, c kubernetes.Interface) (rv int64) {
	t.Helper()
	obj, err := w.touch(t.Context(), c)
	if err != nil {
		t.Fatalf("%s: %v", w.name, err)
	}
	rv, _ = w.testimony.hear(obj, w.name)
	if o, ok := obj.(metav1.Object); ok {
		w.touches = append(w.touches, o.GetName())
	}
	for deadline := time.Now().Add(catchUpMax); w.last() < rv; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: after %v it has seen resourceVersion %d, not yet %d; %v", w.name, catchUpMax, w.last(), rv, w.wrong)
		}
	}
	return rv
}

// touched returns, once, the names of what catchUp has made.
func (w *witness) touched() []string {
	names := w.touches
	w.touches = nil
	return names
}

// catchUpMax bounds how long a witness may be behind. Unit: wall time.
const catchUpMax = time.Minute

// audit compares what w has seen, in part before a kill and in part after, with
// the history that the server has now: w must have missed nothing and seen
// nothing twice. It returns the record and begins a new one.
func (w *witness) audit(t *testing.T, c kubernetes.Interface) []sighting {
	t.Helper()
	w.mu.Lock()
	seen, from := w.seen, w.from
	w.wrong = append(w.wrong, w.testimony.takeWrong()...)
	for _, problem := range w.wrong {
		t.Error(problem)
	}
	w.seen, w.wrong, w.from = nil, nil, seen[len(seen)-1].rv
	w.mu.Unlock()
	events, err := w.watch(t.Context(), c, w.options(from))
	if err != nil {
		t.Fatalf("%s: %v", w.name, err)
	}
	defer events.Stop()
	for i, was := range seen {
		e, ok := <-events.ResultChan()
		if !ok {
			t.Fatalf("%s: the history of (%d, %d] ends after %d of %d events", w.name, from, seen[len(seen)-1].rv, i, len(seen))
		}
		is, err := w.sighting(e)
		if err != nil {
			t.Fatalf("%s: the history from %d: %v", w.name, from, err)
		}
		if is != was {
			t.Fatalf("%s: event %d after %d is %+v; the watch showed %+v", w.name, i, from, is, was)
		}
	}
	return seen
}

func (m *testimony) takeWrong() []string {
	m.Lock()
	defer m.Unlock()
	wrong := m.wrong
	m.wrong = nil
	return wrong
}
