package scheduler

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	schedulinghelper "k8s.io/component-helpers/scheduling/corev1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/scheduler/profile"
	"github.com/kubesim-dev/kubesim/controllers/scheduler/snapshot"
)

// Observe implements engine.Reconciler. It also keeps up the snapshot: this is
// where every commit passes, once and in order.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	names := r.observe(c)
	keys := make([]engine.Key, 0, len(names))
	for _, name := range names {
		if pod, ok := engine.Get[*corev1.Pod](r.view, engine.Pods, name.Namespace, name.Name); ok {
			r.active.add(name, schedulinghelper.PodPriority(pod))
		}
		keys = append(keys, engine.Key{Controller: Name, Namespace: name.Namespace, Name: name.Name})
	}
	return keys
}

// observe returns the Pods to try.
func (r *Reconciler) observe(c engine.Commit) []types.NamespacedName {
	deleted := c.Type == watch.Deleted
	switch c.Resource {
	case engine.Pods:
		old, _ := c.Old.(*corev1.Pod)
		return r.observePod(old, c.Object.(*corev1.Pod), deleted)
	case engine.Nodes:
		return r.observeNode(c.Object.(*corev1.Node), deleted)
	case engine.PersistentVolumeClaims:
		return r.withClaim(c.Object)
	}
	if resource, ok := profile.EventResource(c.Resource); ok {
		return r.retry(changeOf(resource, c))
	}
	return nil
}

func (r *Reconciler) observeNode(node *corev1.Node, deleted bool) []types.NamespacedName {
	change := profile.Change{New: node}
	old, err := r.snapshot.Get(node.Name)
	switch {
	case deleted:
		change = profile.Change{Old: node, Events: []fwk.ClusterEvent{{Resource: fwk.Node, ActionType: fwk.Delete}}}
	case err != nil:
		change.Events = []fwk.ClusterEvent{{Resource: fwk.Node, ActionType: fwk.Add}}
	default:
		change.Old, change.Events = old.Node(), framework.NodeSchedulingPropertiesChange(node, old.Node())
	}
	if deleted {
		r.snapshot.RemoveNode(node.Name)
	} else {
		r.snapshot.SetNode(node)
	}
	r.refile()
	return r.retry(change)
}

func (r *Reconciler) observePod(old, pod *corev1.Pod, deleted bool) []types.NamespacedName {
	name := nameOf(pod)
	before, was := r.snapshot.Bound(name)
	if deleted {
		r.snapshot.DropPod(name)
	} else {
		r.snapshot.SetPod(pod)
	}
	waits := !deleted && schedulable(pod)
	r.profile.Nominated(pod, waits)
	r.refile()
	counts := !deleted && snapshot.Counts(pod)
	if !was && !counts {
		return r.observeUnbound(old, pod, waits)
	}
	follow := r.waiting.remove(name, counts)
	if r.waiting.empty() {
		return follow
	}
	return append(follow, r.retry(changeOfPod(before, pod, was, counts))...)
}

// changeOfPod is what has happened to a Pod that took something of a Node, or takes it now.
func changeOfPod(before, pod *corev1.Pod, was, counts bool) profile.Change {
	switch {
	case !was:
		return profile.Change{New: pod, Events: []fwk.ClusterEvent{framework.EventAssignedPodAdd}}
	case !counts:
		return profile.Change{Old: before, Events: []fwk.ClusterEvent{framework.EventAssignedPodDelete}}
	}
	return profile.Change{Old: before, New: pod, Events: framework.PodSchedulingPropertiesChange(pod, before, false)}
}

// observeUnbound returns the Pods to try after a commit of one that has no Node.
func (r *Reconciler) observeUnbound(old, pod *corev1.Pod, waits bool) []types.NamespacedName {
	name := nameOf(pod)
	switch {
	case !waits:
		follow := r.waiting.remove(name, false)
		if old != nil && old.Status.NominatedNodeName != "" && schedulable(old) {
			// The room that was made for it is free.
			follow = append(follow, r.retry(profile.Change{Old: old, Events: []fwk.ClusterEvent{framework.EventAssignedPodDelete}})...)
		}
		return follow
	case old == nil || !schedulable(old) || !equality.Semantic.DeepEqual(&old.Spec, &pod.Spec) || !maps.Equal(old.Labels, pod.Labels):
		return append(r.waiting.remove(name, false), name)
	case old.Status.NominatedNodeName != pod.Status.NominatedNodeName:
		return r.renominate(old, pod)
	}
	return nil
}

// renominate files a Pod anew whose nominated Node has changed: those of its shape that come
// after it may have to make room for themselves. One that has lost its nomination is tried
// itself, and what was kept for it is free.
func (r *Reconciler) renominate(old, pod *corev1.Pod) []types.NamespacedName {
	name := nameOf(pod)
	plugins, waited := r.waiting.refusedBy(name)
	follow := r.waiting.remove(name, pod.Status.NominatedNodeName != "")
	if waited {
		r.waiting.add(pod, plugins, r.labelsMatter())
	}
	if old.Status.NominatedNodeName == "" {
		return follow
	}
	if pod.Status.NominatedNodeName == "" {
		follow = append(follow, name)
	}
	return append(follow, r.retry(profile.Change{Old: old, Events: []fwk.ClusterEvent{framework.EventAssignedPodDelete}})...)
}

// withClaim are the Pods that wait for this scheduler and have the claim.
func (r *Reconciler) withClaim(claim engine.Object) []types.NamespacedName {
	var pods []types.NamespacedName
	for _, pod := range engine.ByIndex[*corev1.Pod](r.view, engine.Pods, podsByClaim, claim.GetNamespace()+"/"+claim.GetName()) {
		if schedulable(pod) {
			pods = append(pods, nameOf(pod))
		}
	}
	return pods
}

// retry returns the first Pod of each shape that may fit after a change.
func (r *Reconciler) retry(c profile.Change) []types.NamespacedName {
	if len(c.Events) == 0 || r.waiting.empty() {
		return nil
	}
	return r.waiting.heads(func(q *queue) bool {
		pod, ok := engine.Get[*corev1.Pod](r.view, engine.Pods, q.pods[0].Namespace, q.pods[0].Name)
		return !ok || r.profile.Helps(c, pod, q.plugins)
	})
}

// changeOf is the change of an object that is neither a Pod nor a Node.
func changeOf(resource fwk.EventResource, c engine.Commit) profile.Change {
	switch {
	case c.Type == watch.Deleted:
		return profile.Change{Old: c.Object, Events: []fwk.ClusterEvent{{Resource: resource, ActionType: fwk.Delete}}}
	case c.Old == nil:
		return profile.Change{New: c.Object, Events: []fwk.ClusterEvent{{Resource: resource, ActionType: fwk.Add}}}
	}
	return profile.Change{Old: c.Old, New: c.Object, Events: []fwk.ClusterEvent{{Resource: resource, ActionType: fwk.Update}}}
}

// labelsMatter reports whether Pods of the same needs but of other labels may fit other Nodes.
func (r *Reconciler) labelsMatter() bool {
	anti, _ := r.snapshot.HavePodsWithRequiredAntiAffinityList()
	return len(anti) > 0
}

// refile files the Pods that wait anew when that has changed.
func (r *Reconciler) refile() {
	if matter := r.labelsMatter(); !r.waiting.empty() && matter != r.waiting.labels {
		r.waiting.refile(func(name types.NamespacedName) (*corev1.Pod, bool) {
			return engine.Get[*corev1.Pod](r.view, engine.Pods, name.Namespace, name.Name)
		}, matter)
	}
}
