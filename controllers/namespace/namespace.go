// Package namespace empties Namespaces that are being deleted, and lets them go.
//
// Invariant: the finalizer "kubernetes" goes only when the View shows nothing
// left in the Namespace; Pods go before everything else.
//
// It follows k8s.io/kubernetes pkg/controller/namespace v1.37.2.
//
// Deviation: nothing is polled; what remains is looked at again when it
// changes, so that there are no estimates in seconds.
package namespace

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "namespace"

// Reconciler reconciles Namespaces that are being deleted.
type Reconciler struct {
	view *engine.View
	api  engine.API
	who  engine.Identity
	// terminating are the Namespaces whose content matters.
	terminating map[string]bool
}

var _ engine.ServedObserver = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(host engine.Host) (*Reconciler, error) {
	if err := host.Validate(Name); err != nil {
		return nil, err
	}
	host.View.Track(engine.Namespaces)
	// A Namespace must not go before what it holds, whoever else looks at that.
	host.View.TrackServed(func(s engine.Served) bool { return s.Namespaced && s.Name.GroupResource().Resource != "events" })
	return &Reconciler{
		view: host.View, api: host.API,
		who:         engine.ControllerIdentity("namespace-controller"),
		terminating: map[string]bool{},
	}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	if c.Resource == engine.Namespaces {
		name := c.Object.GetName()
		if c.Object.GetDeletionTimestamp() == nil || c.Type == watch.Deleted {
			delete(r.terminating, name)
			return nil
		}
		r.terminating[name] = true
		return []engine.Key{{Controller: Name, Name: name}}
	}
	if r.terminating[c.Object.GetNamespace()] {
		return []engine.Key{{Controller: Name, Name: c.Object.GetNamespace()}}
	}
	return nil
}

// ObserveServed implements engine.ServedObserver: where something goes, there may be
// more to delete, or less to wait for.
func (r *Reconciler) ObserveServed(engine.Served, bool) []engine.Key {
	var keys []engine.Key
	for _, name := range slices.Sorted(maps.Keys(r.terminating)) {
		keys = append(keys, engine.Key{Controller: Name, Name: name})
	}
	return keys
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	ns, ok := engine.Get[*corev1.Namespace](r.view, engine.Namespaces, "", key.Name)
	if !ok {
		return engine.Wake{}, nil
	}
	content := r.content(key.Name)
	p := decide(ns, content, now)
	if err := r.deleteContent(ctx, ns, p.Delete, content, now); err != nil {
		return engine.Wake{}, err
	}
	return engine.Cleanup(p.WakeAt), r.apply(ctx, ns, p)
}

// content returns what the View holds of the Namespace, in order of deletion.
func (r *Reconciler) content(namespace string) []content {
	var out []content
	for _, s := range r.view.Served() {
		switch {
		case !s.Namespaced || s.Name.GroupResource().Group == eventsv1.GroupName: // Events have two groups, but one store
		case !r.view.Tracks(s.Name):
			out = append(out, content{Resource: s.Name, Unknown: true})
		default:
			if objects := engine.List[engine.Object](r.view, s.Name, namespace); len(objects) > 0 {
				out = append(out, content{Resource: s.Name, Objects: objects})
			}
		}
	}
	return out
}

// deleteContent deletes all of some resources. What cannot be deleted is reported
// in the conditions and tried again. As upstream, it takes Pods that cannot be
// deleted for none, and goes on with the rest.
func (r *Reconciler) deleteContent(ctx context.Context, ns *corev1.Namespace, resources []engine.Resource, all []content, now time.Time) error {
	errs := r.deleteCollections(ctx, ns.Name, resources)
	if len(errs) > 0 && slices.Contains(resources, engine.Pods) {
		all = slices.DeleteFunc(slices.Clone(all), func(c content) bool { return c.Resource == engine.Pods })
		resources = deletable(all)
		errs = append(errs, r.deleteCollections(ctx, ns.Name, resources)...)
	}
	if len(errs) == 0 {
		return nil
	}
	left := slices.DeleteFunc(slices.Clone(all), func(c content) bool { return slices.Contains(resources, c.Resource) })
	var failures []string
	for _, err := range errs {
		failures = append(failures, err.Error())
	}
	status := terminating(ns)
	setConditions(status, left, failures, now)
	if changed(ns, status) != nil {
		next := *ns
		next.Status = *status
		_, err := r.api.Update(ctx, r.who, engine.Namespaces, "status", &next)
		errs = append(errs, ignoreNotFound(err))
	}
	return errors.Join(errs...)
}

// deleteCollections returns what has failed.
func (r *Reconciler) deleteCollections(ctx context.Context, namespace string, resources []engine.Resource) (failed []error) {
	background := metav1.DeletePropagationBackground
	for _, res := range resources {
		err := r.api.DeleteCollection(ctx, r.who, res, namespace, metav1.DeleteOptions{PropagationPolicy: &background})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsMethodNotSupported(err) {
			failed = append(failed, err)
		}
	}
	return failed
}

// apply writes the status and lets the Namespace go.
func (r *Reconciler) apply(ctx context.Context, ns *corev1.Namespace, p plan) error {
	if p.Status != nil {
		next := *ns
		next.Status = *p.Status
		obj, err := r.api.Update(ctx, r.who, engine.Namespaces, "status", &next)
		if err != nil {
			return ignoreNotFound(err)
		}
		ns = obj.(*corev1.Namespace)
	}
	if p.Finalize {
		next := *ns
		next.Spec.Finalizers = slices.DeleteFunc(slices.Clone(ns.Spec.Finalizers), func(f corev1.FinalizerName) bool { return f == corev1.FinalizerKubernetes })
		_, err := r.api.Update(ctx, r.who, engine.Namespaces, "finalize", &next)
		return ignoreNotFound(err)
	}
	return nil
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
