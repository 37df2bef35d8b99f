package lifecycle

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	schedulinghelper "k8s.io/component-helpers/scheduling/corev1"
	kubelettypes "k8s.io/kubernetes/pkg/kubelet/types"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/eviction"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
)

// measureVolumes evicts the Pod if one of its emptyDirs holds more than its sizeLimit, or
// the Pod or a container of it more than its limit of ephemeral storage, when the kubelet
// measures that, which it does at MeasureVolumesAt. It reports whether that instant was
// set or taken back.
func (run *podRun) measureVolumes(now time.Time) (changed bool) {
	over, period := run.overLimit()
	before := run.MeasureVolumesAt
	switch {
	case over == "" || run.Stop != nil:
		run.MeasureVolumesAt = time.Time{}
	case run.MeasureVolumesAt.IsZero():
		run.MeasureVolumesAt = run.StartTime.Add((now.Sub(run.StartTime)/period + 1) * period)
	case !now.Before(run.MeasureVolumesAt):
		run.Evicted, run.MeasureVolumesAt = over, time.Time{}
	}
	return !run.MeasureVolumesAt.Equal(before)
}

// overLimit says what of the Pod holds more than it may, empty if nothing does, and how
// often the kubelet looks at that. Source: localStorageEviction in k8s.io/kubernetes
// pkg/kubelet/eviction v1.37.2.
func (run *podRun) overLimit() (message string, period time.Duration) {
	volumes, message := run.volumes.EmptyDirs(run.pod)
	if message != "" || run.unlimited() {
		return message, eviction.VolumePeriod
	}
	containers := int64(0)
	for i := range run.parts {
		containers += run.parts[i].disk()
	}
	limits := resourcehelper.PodLimits(run.pod, resourcehelper.PodResourcesOptions{})
	if limit, ok := limits[corev1.ResourceEphemeralStorage]; ok && containers+volumes > limit.Value() {
		message = fmt.Sprintf("Pod ephemeral local storage usage exceeds the total limit of containers %s. ", limit.String())
		if containers > limit.Value() {
			return message, eviction.Period
		}
		return message, eviction.VolumePeriod
	}
	for i := range run.Containers {
		limit := run.Spec(run.pod, i).Resources.Limits.StorageEphemeral()
		role := run.Containers[i].Role
		if limit.Sign() > 0 && (role == podstate.Regular || role == podstate.Sidecar) && run.parts[i].disk() > limit.Value() {
			return fmt.Sprintf("Container %s exceeded its local ephemeral storage limit %q. ", run.Containers[i].Name, limit.String()), eviction.Period
		}
	}
	return "", eviction.Period
}

// unlimited reports that no container has a limit of ephemeral storage.
func (run *podRun) unlimited() bool {
	for i := range run.Containers {
		if run.Spec(run.pod, i).Resources.Limits.StorageEphemeral().Sign() > 0 {
			return false
		}
	}
	return true
}

const faults engine.Resource = "faults." + v1alpha1.GroupName

// relieve evicts a Pod of a node that is under pressure.
func (r *Reconciler) relieve(ctx context.Context, n *nodeState, obj *corev1.Node, now time.Time) engine.Wake {
	if node.Pressed(obj) == "" {
		n.pressure = eviction.Pressure{}
		return engine.Wake{}
	}
	lacks := node.Pressed(obj)
	cause := cmp.Or(obj.Annotations[v1alpha1.MemoryPressureAnnotation], obj.Annotations[v1alpha1.DiskPressureAnnotation])
	if n.pressure.Cause != cause {
		n.pressure = eviction.Pressure{Cause: cause}
	}
	if next := n.pressure.At.Add(eviction.Period); n.pressure.Evicted > 0 && now.Before(next) {
		return engine.Routine(next)
	}
	if f, ok := engine.Get[*v1alpha1.Fault](r.view, faults, "", cause); ok && f.Spec.Pressure != nil && f.Spec.Pressure.Evictions != nil &&
		n.pressure.Evicted >= *f.Spec.Pressure.Evictions {
		return engine.Wake{}
	}
	if victim := r.victim(n, lacks); victim != nil {
		victim.Evicted = eviction.LowMessage(obj, lacks)
		n.pressure.Evicted, n.pressure.At = n.pressure.Evicted+1, now
		n.event(ctx, obj, event.Reclaiming(lacks))
		r.cfg.Engine.Poke(r.key(victim.name))
	}
	return engine.Routine(now.Add(eviction.Period))
}

// victim returns the Pod of a node that is to go first, nil if there is none.
func (r *Reconciler) victim(n *nodeState, lacks corev1.ResourceName) *podRun {
	var runs []*podRun
	var list []eviction.Candidate
	for _, run := range r.runs {
		if run.node == n && !run.Finished && run.Stop == nil && run.Evicted == "" && !kubelettypes.IsCriticalPod(run.pod) {
			requests := resourcehelper.PodRequests(run.pod, resourcehelper.PodResourcesOptions{})
			runs = append(runs, run)
			list = append(list, eviction.Candidate{
				Name: run.name.String(), Priority: schedulinghelper.PodPriority(run.pod), Requests: requests.Name(lacks, resource.BinarySI).Sign() > 0,
			})
		}
	}
	if first := eviction.FirstUnderPressure(list); first >= 0 {
		return runs[first]
	}
	return nil
}

// relieveHost sees to it that the host's memory is not used up. If too little is left at
// the end of a step, the logs of Pods that have ended go. Then Pods that hold more than
// others are evicted, one after the other, until those that stay leave enough. As upstream's eviction manager it reclaims what nobody uses first, and does
// not wait for a Pod that it has evicted.
//
// Deviation: the Nodes have no condition for it, and go on taking Pods: what is short
// is the memory of the host, not theirs.
func (r *Reconciler) relieveHost(ctx context.Context, now time.Time) {
	b := r.cfg.Memory
	if b.Held() <= max(b.Threshold(), r.lookAt) {
		return
	}
	stays := b.Held() - r.leaving()
	if stays > b.Threshold() {
		stays -= r.reclaimLogs(stays - b.Threshold())
	}
	for stays > b.Threshold() {
		run, lacks := r.hoarder()
		if run == nil {
			break
		}
		stays -= run.account.Total()
		r.evictFor(ctx, run, lacks, now)
	}
	// Until those that stay hold so much more, nobody need look again.
	r.lookAt = b.Held() + max(b.Threshold()-stays, 0)
}

// leaving is what is held by the Pods that have to go already.
func (r *Reconciler) leaving() int64 {
	total := int64(0)
	for _, run := range r.runs {
		if run.Reclaimed {
			total += run.account.Total()
		}
	}
	return total
}

// reclaimLogs forgets logs of Pods that have ended, the largest first, until it has got
// wanted bytes, and returns how much it got. `kubectl logs` then says what it does where
// a kubelet has removed dead containers because its disk was full. Source:
// DeleteAllUnusedContainers in k8s.io/kubernetes pkg/kubelet/container v1.37.2.
func (r *Reconciler) reclaimLogs(wanted int64) int64 {
	var ended []*podRun
	for _, run := range r.runs {
		if run.Finished && !run.Reclaimed && run.account.Total() > 0 {
			ended = append(ended, run)
		}
	}
	slices.SortFunc(ended, func(a, b *podRun) int {
		return cmp.Or(cmp.Compare(b.account.Total(), a.account.Total()), cmp.Compare(a.name.String(), b.name.String()))
	})
	got := int64(0)
	for _, run := range ended {
		if got >= wanted {
			break
		}
		got += run.account.Total()
		run.Reclaimed = true
		r.dropLogs(run)
		r.cfg.Engine.Touch(r.key(run.name))
	}
	return got
}

// settleAccount notes what a Pod leaves behind that has ended: its logs. They count also
// after a restart, although nobody may read them then.
func (r *Reconciler) settleAccount(run *podRun) {
	run.account.Retire()
	run.LogBytes = run.account.Total()
	if run.Reclaimed {
		r.dropLogs(run)
	}
	r.lookAt = 0
}

// rememberLogs charges a Pod of before a restart with logs that are not in memory.
func (run *podRun) rememberLogs() {
	if run.Finished {
		run.account.Retire()
		run.unread = run.LogBytes
		run.account.Of(stats.Storage).Force(run.unread)
	}
}

// dropLogs forgets the logs of a Pod that has ended.
func (r *Reconciler) dropLogs(run *podRun) {
	r.cfg.Logs.DropLogs(run.name.Namespace, run.name.Name)
	run.account.Of(stats.Storage).Hold(-run.unread)
	run.unread, run.LogBytes = 0, 0
	r.lookAt = 0
}

// hoarder returns the Pod that is to go first, nil if there is none, and which of its
// node's resources it takes.
func (r *Reconciler) hoarder() (*podRun, corev1.ResourceName) {
	var runs []*podRun
	var held [2]int64
	for _, run := range r.runs {
		if !run.Finished && !run.Reclaimed && !run.Away && !kubelettypes.IsStaticPod(run.pod) && !podstate.IsMirror(run.pod) {
			runs = append(runs, run)
			held[0], held[1] = held[0]+run.account.Held(stats.Memory), held[1]+run.account.Held(stats.Storage)
		}
	}
	lacks, kind := corev1.ResourceMemory, stats.Memory
	if held[1] > held[0] {
		lacks, kind = corev1.ResourceEphemeralStorage, stats.Storage
	}
	list := make([]eviction.Candidate, len(runs))
	for i, run := range runs {
		requests := resourcehelper.PodRequests(run.pod, resourcehelper.PodResourcesOptions{})
		list[i] = eviction.Candidate{
			Name: run.name.String(), Critical: kubelettypes.IsCriticalPod(run.pod), Priority: schedulinghelper.PodPriority(run.pod),
			Over: run.account.Held(kind) - requests.Name(lacks, resource.BinarySI).Value(), Total: run.account.Total(),
		}
	}
	first := eviction.FirstToGo(list)
	if first < 0 {
		return nil, lacks
	}
	return runs[first], lacks
}

// evictFor evicts a Pod because the host is short of memory. One that is being stopped
// already, and may take its time for that, is killed.
func (r *Reconciler) evictFor(ctx context.Context, run *podRun, lacks corev1.ResourceName, now time.Time) {
	run.Reclaimed = true
	if obj, ok := engine.Get[*corev1.Node](r.view, engine.Nodes, "", run.node.Name); ok {
		run.node.event(ctx, obj, event.Reclaiming(lacks))
	}
	b := r.cfg.Memory
	if run.Stop == nil {
		run.Evicted = eviction.HostLowMessage(lacks, b.Limit()-b.Threshold(), max(b.Limit()-b.Held(), 0), run.usages(lacks))
	} else {
		for i := range run.Containers {
			if run.parts[i].process != nil {
				run.kill(i, now)
			}
		}
	}
	r.cfg.Engine.Poke(r.key(run.name))
}

// usages is what the containers of a Pod use of what is short.
func (run *podRun) usages(lacks corev1.ResourceName) []eviction.ContainerUse {
	var all []eviction.ContainerUse
	for i := range run.Containers {
		if run.parts[i].process == nil || run.Containers[i].Role == podstate.Ephemeral {
			continue
		}
		used := run.parts[i].process.State().Usage.Memory
		if lacks == corev1.ResourceEphemeralStorage {
			used = run.parts[i].disk()
		}
		all = append(all, eviction.ContainerUse{Name: run.Containers[i].Name, Used: used, Request: run.Spec(run.pod, i).Resources.Requests[lacks]})
	}
	return all
}

// disk is what the container's own files and its log take. Unit: bytes.
func (p *part) disk() int64 {
	used := int64(0)
	if p.root != nil {
		used, _ = p.root.Usage()
	}
	if p.log != nil {
		used += p.log.Size()
	}
	return used
}
