package lifecycle

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/addresses"
	"github.com/kubesim-dev/kubesim/kubelet-sim/admission"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/recovery"
	"github.com/kubesim-dev/kubesim/kubelet-sim/static"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
	"github.com/kubesim-dev/kubesim/kubelet-sim/status"
)

// adopt takes over a Pod that the kubelet has not met in this run: a new one,
// or one of before the server started again.
func (r *Reconciler) adopt(ctx context.Context, name types.NamespacedName, pod *corev1.Pod, now time.Time) *podRun {
	r.takeStock()
	run := r.newRun(name, pod, r.nodes[pod.Spec.NodeName], now)
	r.runs[name] = run
	pod = run.pod
	r.noteMirror(run)
	switch {
	case podutil.IsPodPhaseTerminal(pod.Status.Phase):
		run.Finished, run.Sandbox = true, podstate.SandboxGone
		run.account.Retire()
		r.cfg.Logs.Recallable(pod, func() { r.wantRecall(name) })
	case pod.Status.StartTime == nil:
		r.cfg.Logs.SetPod(pod)
		run.dirty = true
		r.admit(ctx, run)
	default:
		r.cfg.Logs.SetPod(pod)
		recovery.FromStatus(pod, &run.State, r.drawOf(pod))
		run.take(pod)
		r.moveIn(run)
		r.replay(run, now)
	}
	return run
}

// moveIn enters what a Pod of before the server was started has of its node.
func (r *Reconciler) moveIn(run *podRun) {
	run.node.ips.Note(run.holder(), run.IP, r.has)
	run.demand = admission.DemandOf(run.pod)
	if run.Resize != nil && run.Resize.Pending != nil {
		run.node.deferred[run.name] = true
	}
	if run.SandboxTries > 0 {
		run.node.short[run.name] = true
	}
	run.count(!run.Finished)
}

// admit counts a new Pod in, or rejects it.
func (r *Reconciler) admit(ctx context.Context, run *podRun) {
	run.demand = admission.DemandOf(run.pod)
	var allocatable corev1.ResourceList
	var why *admission.Rejection
	if n, ok := engine.Get[*corev1.Node](r.view, engine.Nodes, "", run.node.Name); ok {
		allocatable = n.Status.Allocatable
		why = admission.AdmitPressed(n, run.pod)
	}
	if why == nil {
		why = admission.Admit(run.demand, &run.node.used, allocatable)
	}
	if why != nil {
		run.Rejected, run.Finished = why, true
		run.account.Retire()
		run.event(ctx, -1, event.Rejected(why.Reason, why.Message))
		return
	}
	run.count(true)
}

func (r *Reconciler) newRun(name types.NamespacedName, pod *corev1.Pod, n *nodeState, now time.Time) *podRun {
	run := &podRun{State: podstate.New(pod, now), name: name, node: n, follower: r.cfg.Follower}
	run.take(pod)
	run.account = r.cfg.Memory.Open()
	run.HostIP, run.netns = n.IP, run.newNetns()
	run.Boot = r.boot(n.Name)
	if pod.Spec.HostNetwork {
		run.netns = n.netns
	}
	run.parts = make([]part, len(run.Containers))
	return run
}

// takeStock takes over what the nodes have from an earlier run: addresses and images.
func (r *Reconciler) takeStock() {
	if r.stocked {
		return
	}
	r.stocked = true
	for _, pod := range engine.List[*corev1.Pod](r.view, engine.Pods, "") {
		n := r.nodes[pod.Spec.NodeName]
		if n == nil {
			continue
		}
		name := types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}
		n.ips.Note(addresses.Holder{Name: name, UID: podstate.UID(pod)}, pod.Status.PodIP, r.has)
		for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
			for i := range list {
				if list[i].ImageID != "" {
					n.images[list[i].Image] = true
				}
			}
		}
	}
}

// wantRecall asks, from any goroutine, for the logs of a Pod that finished
// before this run.
func (r *Reconciler) wantRecall(name types.NamespacedName) {
	r.mu.Lock()
	r.recalls[name] = true
	r.mu.Unlock()
	r.cfg.Engine.Poke(r.key(name))
}

// recall runs the programs of a finished Pod once more, apart from everything
// else, for what they print.
func (r *Reconciler) recall(run *podRun, now time.Time) {
	r.mu.Lock()
	wanted := r.recalls[run.name]
	delete(r.recalls, run.name)
	r.mu.Unlock()
	if !wanted {
		return
	}
	apart := *run.node
	apart.netns = &kernel.Netns{}
	apart.files = static.NewFiles(apart.Name, r.cfg.ClusterDNS, run.account.Of(stats.Storage), nil)
	pod := run.shown(now)
	again := r.newRun(run.name, pod, &apart, now)
	again.apart, again.follower = true, nil
	again.account.Close() // the logs are the Pod's
	again.account = run.account
	again.netns = again.newNetns()
	recovery.FromStatus(pod, &again.State, r.drawOf(run.pod))
	recovery.TakeKnown(&again.State, &run.State)
	again.Certificates = run.Certificates
	run.account.Of(stats.Storage).Hold(-run.unread)
	run.unread = 0
	r.replay(again, now)
	again.close()
	if host := apart.files.Made(); host != nil {
		host.Release()
	}
	r.cfg.Logs.Recalled(run.name.Namespace, run.name.Name)
}

// shown is the Pod with the status that it has or, if that could not be written yet,
// will have.
func (r *podRun) shown(now time.Time) *corev1.Pod {
	if !r.dirty {
		return r.pod
	}
	pod := *r.pod
	pod.Status = status.Of(r.pod, &r.State, now)
	return &pod
}
