package scenario

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// drain is a node that is being emptied: evictions that a budget refuses are tried
// again. Source of the interval: EvictPods in k8s.io/kubectl pkg/drain v0.37.2.
type drain struct {
	node  string
	grace *int64
	// pods are those to evict, as they were when it began.
	pods  []podName
	again time.Time
	// told are the refusals that the timeline has already.
	told map[string]bool
}

const drainInterval = 5 * time.Second

type podName struct {
	namespace, name string
	uid             types.UID
}

// drain cordons a node and begins to evict its Pods. Those of DaemonSets and static
// ones stay, as with kubectl's --ignore-daemonsets.
func (p *Player) drain(ctx context.Context, st *step) error {
	if err := p.merge(ctx, "/api/v1/nodes/"+st.target.Name, "unschedulable", true); err != nil {
		return err
	}
	d := &drain{node: st.target.Name, grace: st.GracePeriodSeconds, pods: p.podsOf(st.target.Name), told: map[string]bool{}}
	if err := p.evictAll(ctx, d); err != nil {
		return err
	}
	if len(d.pods) > 0 {
		p.drains = append(p.drains, d)
	}
	return nil
}

func (p *Player) podsOf(node string) (pods []podName) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	for _, key := range sortedKeys(p.world.tables["pods"]) {
		pod, ok := p.world.tables["pods"][key].object.(*corev1.Pod)
		if !ok || pod.Spec.NodeName != node || pod.Annotations[corev1.MirrorPodAnnotationKey] != "" {
			continue
		}
		if owner := metav1.GetControllerOf(pod); owner != nil && owner.Kind == "DaemonSet" {
			continue
		}
		pods = append(pods, podName{pod.Namespace, pod.Name, pod.UID})
	}
	return pods
}

// there reports whether a Pod still is and nobody is deleting it.
func (p *Player) there(name podName) bool {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	it := p.world.tables["pods"][name.namespace+"/"+name.name]
	return it != nil && it.object.GetUID() == name.uid && it.object.GetDeletionTimestamp() == nil
}

// evictAll tries to evict what is left, and comes again for what is refused.
func (p *Player) evictAll(ctx context.Context, d *drain) error {
	var left []podName
	for _, pod := range d.pods {
		if !p.there(pod) {
			continue
		}
		err := p.evict(ctx, pod.namespace, pod.name, d.grace)
		switch {
		case apierrors.IsTooManyRequests(err):
			left = append(left, pod)
			line := fmt.Sprintf("drain %s: pod/%s stays for now: %s", d.node, pod.name, err)
			if !d.told[line] {
				p.timeline.Add(p.cluster.Now(), whoStep, line)
			}
			d.told[line] = true
		case err != nil && !apierrors.IsNotFound(err):
			return err
		}
	}
	d.pods, d.again = left, p.cluster.Now().Add(drainInterval)
	return nil
}

// goOnDraining tries again what is due, and reports whether something was.
func (p *Player) goOnDraining(ctx context.Context, now time.Time) (bool, error) {
	var left []*drain
	did := false
	for _, d := range p.drains {
		if !now.Before(d.again) {
			did = true
			if err := p.evictAll(ctx, d); err != nil {
				return false, fmt.Errorf("drain %s: %w", d.node, err)
			}
		}
		if len(d.pods) > 0 {
			left = append(left, d)
		} else {
			p.timeline.Add(p.cluster.Now(), whoStep, "drain "+d.node+": all Pods are evicted")
		}
	}
	p.drains = left
	return did, nil
}
