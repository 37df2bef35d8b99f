package daemonset

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/kubernetes/pkg/controller/daemon/util"
)

// roll plans which Pods with an old template go, or on which Nodes a new one is created
// beside it. Source: rollingUpdate in k8s.io/kubernetes pkg/controller/daemon v1.37.2, which
// visits the Nodes in no order.
func (s *step) roll() error {
	desired := 0
	for _, at := range s.Nodes {
		if !at.run {
			continue
		}
		desired++
		if _, ok := s.byNode[at.node.Name]; !ok {
			s.byNode[at.node.Name] = nil
		}
	}
	unavailable, err := util.UnavailableCount(s.ds, desired)
	if err != nil {
		return fmt.Errorf("couldn't get unavailable numbers: invalid value for MaxUnavailable: %w", err)
	}
	surge, err := util.SurgeCount(s.ds, desired)
	if err != nil {
		return fmt.Errorf("couldn't get unavailable numbers: invalid value for MaxSurge: %w", err)
	}
	nodes := slices.Sorted(maps.Keys(s.byNode))
	if surge > 0 {
		return s.surge(nodes, surge, desired)
	}
	if desired > 0 {
		unavailable = max(unavailable, 1) // none at all would be no rollout
	}
	s.replace(nodes, unavailable)
	return nil
}

// replace deletes old Pods: those that are not available, and as many others as may be
// missing.
func (s *step) replace(nodes []string, unavailableMax int) {
	unavailable := 0
	var broken, candidates []*corev1.Pod
	for _, node := range nodes {
		current, old, ok := s.pairOn(node)
		switch {
		case !ok, (current == nil) == (old == nil):
			unavailable++ // the next step creates a Pod, or deletes one
		case current != nil:
			if !s.isAvailable(current) {
				unavailable++
			}
		case !s.isAvailable(old):
			broken = append(broken, old)
			unavailable++
		case unavailable < unavailableMax:
			candidates = append(candidates, old)
		}
	}
	s.remove(broken...)
	s.remove(candidates[:min(max(unavailableMax-unavailable, 0), len(candidates))]...)
}

// pairOn returns the Pods on a Node that stay: one with the present template and one with
// an old one. It is not ok if there are more.
func (s *step) pairOn(node string) (current, old *corev1.Pod, ok bool) {
	for _, pod := range s.byNode[node] {
		if isLeaving(pod) {
			continue
		}
		one := &old
		if s.isUpdated(pod) {
			one = &current
		}
		if *one != nil {
			return nil, nil, false
		}
		*one = pod
	}
	return current, old, true
}

// surge is the rollout in which new Pods come first.
func (s *step) surge(nodes []string, surgeMax, desired int) error {
	surging, available := 0, 0
	var needed, candidates []string
	var misplaced []*corev1.Pod
	for _, node := range nodes {
		current, old, ok := s.pairOn(node)
		if !ok {
			surging++
			continue
		}
		if serves := cmp.Or(old, current); serves != nil && s.isAvailable(serves) {
			available++
		}
		switch {
		case old == nil: // the next step looks after it
		case current != nil && !s.isAvailable(current):
			surging++
		case current != nil:
			s.remove(old)
		default:
			runs, err := s.runsOn(node)
			if err != nil {
				return err
			}
			switch usable := s.isAvailable(old); {
			case !usable && !runs:
				s.remove(old)
			case !usable:
				needed = append(needed, node)
			case !runs:
				misplaced = append(misplaced, old)
			case surging < surgeMax:
				candidates = append(candidates, node)
			}
		}
	}
	// Where the DaemonSet no longer runs, a Pod goes when another one does its work.
	s.remove(misplaced[:min(max(available-desired, 0), len(misplaced))]...)
	s.plan.Create = append(needed, candidates[:min(max(surgeMax-surging, 0), len(candidates))]...)
	return nil
}

// runsOn reports whether ds is to run a Pod on the Node of that name.
func (s *step) runsOn(node string) (bool, error) {
	i, found := slices.BinarySearchFunc(s.Nodes, node, func(v verdict, name string) int { return cmp.Compare(v.node.Name, name) })
	if !found {
		return false, fmt.Errorf("couldn't get node for nodeName %q: %w", node, apierrors.NewNotFound(corev1.Resource("node"), node))
	}
	return s.Nodes[i].run, nil
}
