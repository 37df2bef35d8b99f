package fault

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// annotations are those with which Faults mark Nodes.
func annotations() []string {
	return []string{v1alpha1.UnreachableAnnotation, v1alpha1.MemoryPressureAnnotation, v1alpha1.DiskPressureAnnotation, v1alpha1.DrainAnnotation}
}

// annotation is the one with which a Fault marks the Nodes that it hits.
func annotation(s *v1alpha1.FaultSpec) string {
	switch {
	case s.Drain != nil:
		return v1alpha1.DrainAnnotation
	case s.Pressure != nil && s.Pressure.Resource == v1alpha1.PressureMemory:
		return v1alpha1.MemoryPressureAnnotation
	case s.Pressure != nil:
		return v1alpha1.DiskPressureAnnotation
	}
	return v1alpha1.UnreachableAnnotation // a machine that is down says nothing either
}

// keysOfNode are the Faults that a change of a Node may concern: it is new, or marked
// otherwise than before.
func (r *Reconciler) keysOfNode(c engine.Commit) []engine.Key {
	if c.Old != nil && c.Type != watch.Deleted && maps.Equal(c.Old.GetAnnotations(), c.Object.GetAnnotations()) {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var keys []engine.Key
	for _, name := range slices.Sorted(maps.Keys(r.records)) {
		if rec := r.records[name]; rec.active && rec.spec.OfNodes() && v1alpha1.Fits(rec.spec.Nodes, c.Object.GetName()) {
			keys = append(keys, key(name))
		}
	}
	return keys
}

// syncNodes marks the Nodes that an active Fault hits, and takes its marks from all
// others.
func (r *Reconciler) syncNodes(ctx context.Context, f *v1alpha1.Fault, rec *record, m moment, now time.Time) (engine.Wake, error) {
	if m.State != v1alpha1.FaultActive {
		return engine.Wake{}, r.releaseNodes(ctx, f.Name)
	}
	for _, node := range engine.List[*corev1.Node](r.view, engine.Nodes, "") {
		if rec.spent() || !r.hits(rec, m, node) {
			continue
		}
		if err := r.updateNode(ctx, marked(node, f, m)); err != nil {
			return engine.Wake{}, err
		}
		r.mu.Lock()
		rec.Hits++
		rec.Last = now
		r.mu.Unlock()
		r.engine.Poke(key(f.Name)) // its status is to say so
	}
	if f.Spec.Drain != nil {
		return r.evictAll(ctx, f, now)
	}
	return engine.Wake{}, nil
}

// hits reports whether the Fault hits a Node that it has not hit yet. A Node that
// somebody else has marked, or cordoned, is left alone.
func (r *Reconciler) hits(rec *record, m moment, node *corev1.Node) bool {
	s := rec.spec
	return v1alpha1.Fits(s.Nodes, node.Name) && node.Annotations[annotation(s)] == "" && !(s.Drain != nil && node.Spec.Unschedulable) &&
		r.drawn(rec, fmt.Sprintf("node/%s", node.Name), int64(m.Activations))
}

// marked returns the Node with the marks of f.
func marked(node *corev1.Node, f *v1alpha1.Fault, m moment) *corev1.Node {
	next := *node
	next.Annotations = maps.Clone(node.Annotations)
	if next.Annotations == nil {
		next.Annotations = map[string]string{}
	}
	next.Annotations[annotation(&f.Spec)] = f.Name
	if f.Spec.Reboot != nil {
		next.Annotations[v1alpha1.BootAnnotation] = m.Since.UTC().Format(time.RFC3339Nano)
	}
	if f.Spec.Drain != nil {
		next.Spec.Unschedulable = true
	}
	return &next
}

// releaseNodes takes the marks of the Fault name from all Nodes.
func (r *Reconciler) releaseNodes(ctx context.Context, name string) error {
	for _, node := range engine.List[*corev1.Node](r.view, engine.Nodes, "") {
		next := *node
		for _, a := range annotations() {
			if node.Annotations[a] != name {
				continue
			}
			next.Annotations = maps.Clone(next.Annotations)
			delete(next.Annotations, a)
			if a == v1alpha1.DrainAnnotation {
				next.Spec.Unschedulable = false
			}
		}
		if len(next.Annotations) == len(node.Annotations) {
			continue
		}
		if err := r.updateNode(ctx, &next); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reconciler) updateNode(ctx context.Context, node *corev1.Node) error {
	_, err := r.api.Update(ctx, r.who, engine.Nodes, "", node)
	return ignoreNotFound(err)
}
