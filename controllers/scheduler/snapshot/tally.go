package snapshot

import (
	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
)

// sparse: a group that has fewer Pods than one for so many Nodes is counted when it is asked
// for, and has no tally.
const sparse = 8

// tally counts the Pods of a group on each Node, all of them and those that are not being
// deleted, as long as the layout stays.
type tally struct {
	layout    *layout
	all, live []int32
}

func tallyOf(l *layout, nodes map[string][]fwk.PodInfo) *tally {
	t := &tally{layout: l, all: make([]int32, len(l.places)), live: make([]int32, len(l.places))}
	for node, pods := range nodes {
		i, present := l.places[node]
		if !present {
			continue
		}
		for _, p := range pods {
			t.count(i, p.GetPod(), 1)
		}
	}
	return t
}

func (t *tally) count(i int, pod *corev1.Pod, sign int32) {
	t.all[i] += sign
	if pod.DeletionTimestamp == nil {
		t.live[i] += sign
	}
}

// at returns where a Node is; ok is false if the tally is of no use any more.
func (t *tally) at(s *Snapshot, node string) (i int, ok bool) {
	if t == nil || t.layout != s.layout {
		return 0, false
	}
	i, ok = t.layout.places[node]
	return i, ok
}

func (t *tally) add(s *Snapshot, pod *corev1.Pod, sign int32) {
	if i, ok := t.at(s, pod.Spec.NodeName); ok {
		t.count(i, pod, sign)
	}
}

// end takes in that a Pod on the Node is being deleted.
func (t *tally) end(s *Snapshot, node string) {
	if i, ok := t.at(s, node); ok {
		t.live[i]--
	}
}
