package lifecycle

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"
	schedulinghelper "k8s.io/component-helpers/scheduling/corev1"
	kubelettypes "k8s.io/kubernetes/pkg/kubelet/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
)

// relieveHost sees to it that the host's memory is not used up: at the end of a step
// after which too little is left, the logs of Pods that have ended go, then Pods that
// hold more than others are evicted, one after the other, until those that stay leave
// enough. As upstream's eviction manager it reclaims what nobody uses first, and does
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

// candidate is a Pod as the ranking sees it.
type candidate struct {
	name     string
	critical bool
	priority int32
	// over is how much more than it requests the Pod uses of what is short, total what
	// it holds of the host. Unit: bytes.
	over, total int64
}

// firstToGo returns which of the Pods is evicted first, -1 if there is none: of those
// that hold their share or more, one that uses more than it requests, then one of low
// priority, then one that is far above its request. Source: rankMemoryPressure and
// rankDiskPressureFunc in k8s.io/kubernetes pkg/kubelet/eviction v1.37.2.
//
// Deviation: upstream has no shares; without them Pods that request much and hold all
// would stay, and all others go. It never evicts a critical Pod, here those go last.
func firstToGo(all []candidate) int {
	share := int64(0)
	for _, h := range all {
		share += h.total
	}
	share /= max(int64(len(all)), 1)
	first := -1
	for i, h := range all {
		if h.total >= share && (first < 0 || compareCandidates(h, all[first]) < 0) {
			first = i
		}
	}
	return first
}

func compareCandidates(a, b candidate) int {
	rank := func(no bool) int {
		if no {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(rank(a.critical), rank(b.critical)), cmp.Compare(rank(a.over <= 0), rank(b.over <= 0)),
		cmp.Compare(a.priority, b.priority), cmp.Compare(b.over, a.over), cmp.Compare(b.total, a.total), cmp.Compare(a.name, b.name),
	)
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
	list := make([]candidate, len(runs))
	for i, run := range runs {
		requests := resourcehelper.PodRequests(run.pod, resourcehelper.PodResourcesOptions{})
		list[i] = candidate{
			name: run.name.String(), critical: kubelettypes.IsCriticalPod(run.pod), priority: schedulinghelper.PodPriority(run.pod),
			over: run.account.Held(kind) - requests.Name(lacks, resource.BinarySI).Value(), total: run.account.Total(),
		}
	}
	first := firstToGo(list)
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
	if run.Stop == nil {
		run.Evicted = r.hostLowMessage(run, lacks)
	} else {
		for i := range run.Containers {
			if run.parts[i].process != nil {
				run.kill(i, now)
			}
		}
	}
	r.cfg.Engine.Poke(r.key(run.name))
}

// hostLowMessage is the message of such an eviction. Source: evictionMessage in
// k8s.io/kubernetes pkg/kubelet/eviction v1.37.2.
func (r *Reconciler) hostLowMessage(run *podRun, lacks corev1.ResourceName) string {
	b := r.cfg.Memory
	message := fmt.Sprintf("The node was low on resource: %s. Threshold quantity: %s, available: %s. ", lacks,
		resource.NewQuantity(b.Limit()-b.Threshold(), resource.BinarySI), resource.NewQuantity(max(b.Limit()-b.Held(), 0), resource.BinarySI))
	for i := range run.Containers {
		if run.parts[i].process == nil || run.Containers[i].Role == podstate.Ephemeral {
			continue
		}
		used := run.parts[i].process.State().Usage.Memory
		if lacks == corev1.ResourceEphemeralStorage {
			used = run.parts[i].disk()
		}
		request := run.Spec(run.pod, i).Resources.Requests[lacks]
		if usage := resource.NewQuantity(used, resource.BinarySI); usage.Cmp(request) > 0 {
			message += fmt.Sprintf("Container %s was using %s, request is %s, has larger consumption of %s. ",
				run.Containers[i].Name, usage, request.String(), lacks)
		}
	}
	return message
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
