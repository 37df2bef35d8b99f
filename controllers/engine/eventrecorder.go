package engine

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EventRecorder writes core/v1 Events as upstream's record.EventRecorder does. Equal Events
// are counted, and more than ten similar ones in ten minutes are combined. One source
// may write a burst of 25 about one object, then one in five minutes of virtual time.
type EventRecorder struct {
	api        API
	who        Identity
	source     corev1.EventSource
	now        func() time.Time
	names      *eventNames
	correlator *correlator
}

// eventNames gives each Event of a cluster a name of its own, even if several are
// written at one virtual instant.
type eventNames struct {
	at  time.Time
	seq int64
}

// Source is who reports an Event, as `kubectl describe` prints it in From.
type Source struct {
	// Component is for example "job-controller" or "kubelet".
	Component string
	// Host is the node's name for a kubelet; otherwise it is empty.
	Host string
}

// NewEventRecorder returns a recorder for one source.
func (e *Engine) NewEventRecorder(api API, who Identity, source Source) *EventRecorder {
	if e.eventNames == nil {
		e.eventNames = &eventNames{}
	}
	return &EventRecorder{
		api: api, who: who, now: e.Now, names: e.eventNames, correlator: e.correlator,
		source: corev1.EventSource{Component: source.Component, Host: source.Host},
	}
}

// Event records what happened to ref. An Event that cannot be written, for
// example because the namespace is being deleted, is dropped, as upstream does.
func (r *EventRecorder) Event(ctx context.Context, ref *corev1.ObjectReference, eventType, reason, format string, args ...any) {
	message := format
	if len(args) > 0 {
		message = fmt.Sprintf(format, args...)
	}
	event, equal, ok := r.correlator.correlate(r.makeEvent(ref, eventType, reason, message), r.now())
	if !ok {
		return
	}
	stored, err := r.write(ctx, event)
	if err != nil {
		return
	}
	r.correlator.stored(stored, equal)
}

func (r *EventRecorder) write(ctx context.Context, event *corev1.Event) (*corev1.Event, error) {
	if event.Count > 1 {
		// The update is unconditional: somebody may have labelled the Event since.
		event.ResourceVersion = ""
		obj, err := r.api.Update(ctx, r.who, Events, "", event)
		if err == nil {
			return obj.(*corev1.Event), nil
		}
		if !apierrors.IsNotFound(err) {
			return nil, err
		}
	}
	obj, err := r.api.Create(ctx, r.who, Events, event)
	if apierrors.IsAlreadyExists(err) {
		// An earlier run wrote an Event at this instant.
		event.Name = fmt.Sprintf("%v.%x", event.InvolvedObject.Name, r.names.next(r.now()))
		obj, err = r.api.Create(ctx, r.who, Events, event)
	}
	if err != nil {
		return nil, err
	}
	return obj.(*corev1.Event), nil
}

// makeEvent follows recorderImpl.makeEvent, k8s.io/client-go tools/record v0.37.2,
// except for the name. If several Events share an instant, the name carries a sequence
// number in its nanoseconds.
func (r *EventRecorder) makeEvent(ref *corev1.ObjectReference, eventType, reason, message string) *corev1.Event {
	t := metav1.NewTime(r.now())
	namespace := ref.Namespace
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	return &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{
			Name:      fmt.Sprintf("%v.%x", ref.Name, r.names.next(t.Time)),
			Namespace: namespace,
		},
		InvolvedObject:      *ref,
		Reason:              reason,
		Message:             message,
		FirstTimestamp:      t,
		LastTimestamp:       t,
		Count:               1,
		Type:                eventType,
		Source:              r.source,
		ReportingController: r.source.Component,
		ReportingInstance:   r.source.Host,
	}
}

func (n *eventNames) next(t time.Time) int64 {
	if !t.Equal(n.at) {
		n.at, n.seq = t, 0
	}
	n.seq++
	return t.UnixNano() + n.seq - 1
}

// Reference returns the reference to obj that Events carry.
func Reference(obj Object, apiVersion, kind string) *corev1.ObjectReference {
	return &corev1.ObjectReference{
		APIVersion: apiVersion, Kind: kind,
		Namespace: obj.GetNamespace(), Name: obj.GetName(), UID: obj.GetUID(),
		ResourceVersion: obj.GetResourceVersion(),
	}
}
