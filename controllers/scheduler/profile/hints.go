package profile

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// hint is what a plugin wants to know, of a Pod that it has refused.
type hint struct {
	plugin string
	events []fwk.ClusterEventWithHint
}

// hintsOf returns the plugins' hints by the plugins' names: upstream has them in any order.
func hintsOf(extensions []fwk.EnqueueExtensions) ([]hint, error) {
	var out []hint
	for _, e := range extensions {
		events, err := e.EventsToRegister(context.Background())
		if err != nil {
			return nil, fmt.Errorf("scheduler: the events of plugin %s: %w", e.Name(), err)
		}
		out = append(out, hint{e.Name(), events})
	}
	slices.SortFunc(out, func(a, b hint) int { return cmp.Compare(a.plugin, b.plugin) })
	return out, nil
}

// Change is something that has happened in the cluster.
type Change struct {
	// Events say what it was, in upstream's terms.
	Events []fwk.ClusterEvent
	// Old and New are the object; either may be nil.
	Old, New any
}

// Helps reports whether a Pod that these plugins have refused might fit after a change.
// Source: PriorityQueue.isPodWorthRequeuing, k8s.io/kubernetes
// pkg/scheduler/backend/queue v1.37.2.
func (p *Profile) Helps(c Change, pod *corev1.Pod, plugins []string) bool {
	if len(plugins) == 0 {
		return true
	}
	for _, h := range p.hints {
		if !slices.Contains(plugins, h.plugin) {
			continue
		}
		for _, of := range h.events {
			if slices.ContainsFunc(c.Events, func(e fwk.ClusterEvent) bool { return framework.MatchClusterEvents(of.Event, e) }) && queues(of, c, pod) {
				return true
			}
		}
	}
	return false
}

// queues asks the plugin itself. Its error counts as a yes, as upstream's queue has it.
func queues(of fwk.ClusterEventWithHint, c Change, pod *corev1.Pod) bool {
	if of.QueueingHintFn == nil {
		return true
	}
	answer, err := of.QueueingHintFn(klog.Logger(logr.Discard()), pod, c.Old, c.New)
	return err != nil || answer == fwk.Queue
}
