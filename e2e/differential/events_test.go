package differential

import (
	"context"
	"fmt"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
)

// telling is a client whose Events have names of their own. Upstream's recorder
// makes a name of the object's and the instant's nanoseconds, and gives up an
// Event whose name is taken; in a bubble many have one instant.
type telling struct {
	kubernetes.Interface
	told *atomic.Int64
}

// CoreV1 implements kubernetes.Interface.
func (c telling) CoreV1() typedcorev1.CoreV1Interface {
	return tellingCore{c.Interface.CoreV1(), c.told}
}

type tellingCore struct {
	typedcorev1.CoreV1Interface
	told *atomic.Int64
}

// Events implements typedcorev1.EventsGetter.
func (c tellingCore) Events(namespace string) typedcorev1.EventInterface {
	return tellingEvents{c.CoreV1Interface.Events(namespace), c.told}
}

type tellingEvents struct {
	typedcorev1.EventInterface
	told *atomic.Int64
}

// CreateWithEventNamespace implements typedcorev1.EventExpansion; both
// spellings are in use.
func (e tellingEvents) CreateWithEventNamespace(event *corev1.Event) (*corev1.Event, error) {
	return e.CreateWithEventNamespaceWithContext(context.Background(), event)
}

// CreateWithEventNamespaceWithContext implements typedcorev1.EventExpansion.
func (e tellingEvents) CreateWithEventNamespaceWithContext(ctx context.Context, event *corev1.Event) (*corev1.Event, error) {
	event = event.DeepCopy()
	event.Name += fmt.Sprintf(".%d", e.told.Add(1))
	return e.EventInterface.CreateWithEventNamespaceWithContext(ctx, event)
}
