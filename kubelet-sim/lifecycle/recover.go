package lifecycle

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// adopt takes over a Pod that the kubelet has not met in this run.
func (r *Reconciler) adopt(name types.NamespacedName, pod *corev1.Pod, now time.Time) *podRun {
	r.address()
	n := r.nodes[pod.Spec.NodeName]
	run := &podRun{podState: newPodState(pod, now), name: name, pod: pod, node: n, dirty: true}
	run.HostIP = n.IP
	run.parts = make([]part, len(run.Containers))
	r.runs[name] = run
	r.cfg.Logs.SetPod(pod)
	if podutil.IsPodPhaseTerminal(pod.Status.Phase) {
		run.Finished, run.dirty = true, false
	}
	return run
}

// address reserves the IPs that Pods have from an earlier run.
func (r *Reconciler) address() {
	if r.addressed {
		return
	}
	r.addressed = true
	for _, pod := range engine.List[*corev1.Pod](r.view, engine.Pods, "") {
		if n := r.nodes[pod.Spec.NodeName]; n != nil && !podutil.IsPodPhaseTerminal(pod.Status.Phase) {
			n.ips.reserve(pod.Status.PodIP)
		}
	}
}

func (r *Reconciler) recall(*podRun, time.Time) {}
