package lifecycle

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/kubelet-sim/admission"
	"github.com/kubesim-dev/kubesim/kubelet-sim/cri"
	"github.com/kubesim-dev/kubesim/kubelet-sim/hook"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
	"github.com/kubesim-dev/kubesim/kubelet-sim/request"
	"github.com/kubesim-dev/kubesim/kubelet-sim/script"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
	"github.com/kubesim-dev/kubesim/kubelet-sim/volume"
)

// resumesMax bounds how often a container goes on within one step. More than
// that many sleeps lie behind only after a long stop of the server; what is
// left of them is then skipped.
const resumesMax = 200_000

// lateWorkMax bounds what the programs of a Pod do within one step to make up for time
// that has passed; they skip the rest, as on a busy machine. Otherwise Pods that
// ask for more than the host can do in realtime would lag behind ever further, and
// hold up the engine ever longer. Unit: steps of kernel.Proc.
const lateWorkMax = 20_000

// podRun is a Pod with everything that runs of it.
type podRun struct {
	podstate.State
	name types.NamespacedName
	// pod is the Pod with the resources that it was given, desired as the API has
	// it: they differ while a resize is pending.
	pod, desired *corev1.Pod
	node         *nodeState
	// apiUID is the UID that the API gave the Pod; pod's own is another for a
	// static Pod, see staticOf.
	apiUID types.UID
	// netns has the ports of the Pod's containers.
	netns *kernel.Netns
	// parts go with podState.Containers.
	parts []part
	// clients follow its programs.
	clients []client
	volumes volume.Volumes
	// follower is told what the Pod does; nil for nobody.
	follower Follower
	// demand is what the Pod takes of the node while it is counted.
	demand  admission.Demand
	counted bool
	// dirty: the status has to be written. wrote is the resource version that
	// our last write got, retry says that a dependency has changed.
	dirty bool
	wrote string
	retry bool
	// stirred: something happened that the Pod's next step has to look at.
	stirred bool
	// podChanged and sourceChanged: the Pod's labels, or what it mounts, are
	// others than before.
	podChanged, sourceChanged bool
	// answered: one of its requests for certificates has changed.
	answered bool
	// failedPreStop are the containers that ended before their preStop hook did.
	failedPreStop []int
	// apart: the Pod runs once more for its logs alone. replaying: what is
	// missing now was there once.
	apart, replaying bool
	// account pays for what the Pod holds of the host's memory.
	account *stats.Account
	// unread is what it pays for logs that are not in memory. Unit: bytes.
	unread int64
	// removed: the API was told that the Pod may go.
	removed bool
}

// part is a container's program and its logs.
type part struct {
	process cri.Process
	log     *stream.Log
	// root is the program's file system.
	root *vfs.FS
	// stats are nil where nobody asks what the program uses.
	stats *stats.Container
	// hook is the command of the hook under way, checks are the checks under
	// way; they go with containerState.Probes.
	hook   *hook.Command
	checks []*check
	// effects are those of the script that runs the program, if one does.
	effects *script.Effects
}

// update takes the newest state of the Pod's object over.
func (r *podRun) update(pod *corev1.Pod) {
	if pod.UID != r.apiUID { // its mirror Pod was made again
		again := *pod
		again.Status = r.pod.Status
		pod, r.dirty, r.removed = &again, true, false
	}
	r.podChanged = r.podChanged || relabelled(r.pod, pod)
	if pod.Generation != r.desired.Generation {
		r.NoteResize(r.pod, pod)
	}
	r.take(pod)
	r.AddEphemeral(pod)
	for len(r.parts) < len(r.Containers) {
		r.parts = append(r.parts, part{})
		r.dirty = true
	}
}

// take takes the newest object of the Pod over.
func (r *podRun) take(pod *corev1.Pod) {
	r.apiUID, pod = pod.UID, podstate.StaticOf(pod)
	r.desired, r.pod = pod, r.AllocatedView(pod)
}

// advance lets the programs go on up to now, in the order of their instants.
func (r *podRun) advance(now time.Time) {
	work := 0
	for n := 0; ; n++ {
		i := r.nextToWake()
		if i < 0 || r.Containers[i].WakeAt.After(now) {
			return
		}
		at := r.Containers[i].WakeAt
		if n > resumesMax || work > lateWorkMax && !r.replaying {
			at = now
		}
		r.parts[i].process.Resume(at)
		work += r.collect(i, at)
	}
}

// nextToWake returns the container whose program goes on first, -1 if none
// does by itself.
func (r *podRun) nextToWake() int {
	first := -1
	for i := range r.Containers {
		c := &r.Containers[i]
		if r.parts[i].process == nil || c.WakeAt.IsZero() {
			continue
		}
		if first < 0 || c.WakeAt.Before(r.Containers[first].WakeAt) {
			first = i
		}
	}
	return first
}

// collect looks at a program after it was let run at an instant, and returns how much
// it did if it goes on. Unit: steps of kernel.Proc.
func (r *podRun) collect(i int, at time.Time) (work int) {
	c, p := &r.Containers[i], r.parts[i].process
	state := p.State()
	if !state.Exited {
		c.WakeAt = state.WakeAt
		if c.Busy++; !state.Busy {
			c.Busy = 0
		}
		r.measure(i, at, state.Usage)
		r.lookAtScript(i)
		r.lookAtHook(i)
		r.tellClients(i)
		return state.Work
	}
	reason := podstate.ReasonCompleted
	switch {
	case state.OOMKilled:
		reason = podstate.ReasonOOMKilled
	case state.ExitCode != 0:
		reason = podstate.ReasonError
	}
	r.ended(i, at, state.ExitCode, reason)
	return 0
}

// ended records the end of the container's instance.
func (r *podRun) ended(i int, at time.Time, code int32, reason string) {
	c, part := &r.Containers[i], &r.parts[i]
	in := c.Current
	in.Exited, in.FinishedAt, in.ExitCode, in.Reason = true, at, code, reason
	if r.Cursor.Before(at) {
		r.Cursor = at // what follows does not begin before
	}
	part.log.End(at)
	in.Message = r.terminationMessage(i)
	r.tellEnd(i)
	part.end()
	r.endClients(i)
	c.Activity, c.WakeAt, c.Busy = podstate.Idle, time.Time{}, 0
	clear(part.checks)
	r.lookAtHook(i)
	r.endKill(i)
}

// endKill forgets that the container was being ended.
func (r *podRun) endKill(i int) {
	c := &r.Containers[i]
	k := c.Kill
	c.Kill = nil
	switch {
	case k == nil:
		r.dirty = true
		return
	case k.PreStop != nil && k.PreStop.Error != "":
		r.failedPreStop = append(r.failedPreStop, i)
	case c.PostStart != nil:
		c.FailPostStart()
	}
	c.Killed = r.Stop == nil && k.Reason != "" && k.Reason != podstate.RestartAll && r.RestartsKilled(r.pod, i, k.Reason)
	r.dirty, r.stirred = r.dirty || !c.Killed, true
}

// Bounds of termination messages. Units: bytes and lines. Source: runtime.go
// in k8s.io/kubernetes pkg/kubelet/container v1.37.2.
const (
	messageMax         = 4096
	messageLogMax      = 2048
	messageLogLinesMax = 80
	podMessagesMax     = 12 * 1024
)

// terminationMessage is what the ended container leaves in its status. Source:
// convertToKubeContainerStatus in k8s.io/kubernetes pkg/kubelet/kuberuntime
// and normalizeStatus in pkg/kubelet/status v1.37.2.
func (r *podRun) terminationMessage(i int) string {
	c, spec := &r.Containers[i], r.Spec(r.pod, i)
	data := r.parts[i].process.TerminationMessage()
	message := string(data[max(len(data)-messageMax, 0):])
	if message == "" && spec.TerminationMessagePolicy == corev1.TerminationMessageFallbackToLogsOnError && c.Current.ExitCode != 0 {
		message = r.parts[i].log.Tail(messageLogLinesMax, messageLogMax)
	}
	return message[:min(len(message), podMessagesMax/len(r.Containers))]
}

// close ends every program without a trace.
func (r *podRun) close() {
	for i := range r.parts {
		if p := &r.parts[i]; p.process != nil {
			p.log.End(r.Cursor)
			p.end()
		}
	}
	r.endClients(-1)
	r.volumes.Drop()
	r.volumes = nil
}

// end gives up what the program held.
func (p *part) end() {
	p.process.Close()
	p.process = nil
	p.root.Release()
	p.endStats()
}

// newNetns returns the ports of a new sandbox.
func (r *podRun) newNetns() *kernel.Netns { return &kernel.Netns{Account: r.account.Of(stats.Memory)} }

// count takes the Pod's share of its node, or gives it back.
func (r *podRun) count(in bool) {
	if in == r.counted {
		return
	}
	sign := int64(1)
	if !in {
		sign = -1
	}
	r.counted = in
	r.node.used.Add(r.demand, sign)
}

// owner is the Pod as its volumes see it.
func (r *podRun) owner() volume.Owner {
	return volume.Owner{
		Pod: r.pod, State: &r.State, Account: r.account, Host: r.node.files.FS, Apart: r.apart, Replaying: r.replaying,
	}
}

// makeVolumes makes the Pod's volumes, or says which one cannot be made.
func (r *podRun) makeVolumes(in *volume.Storage, now time.Time) error {
	made, err := in.Make(r.owner(), r.volumes, now)
	if err == nil {
		r.volumes = made
	}
	return err
}

// target is container i as the kubelet's requests reach it.
func (r *podRun) target(i int) request.Target {
	return request.Target{IP: r.IP, Container: r.Spec(r.pod, i), Servers: r}
}

// Serve implements request.Servers.
func (r *podRun) Serve(port int32, request kernel.Request, now time.Time) (kernel.Response, bool) {
	i := r.listener(port)
	if i < 0 {
		return kernel.Response{}, false
	}
	answer, ok := r.parts[i].process.Serve(port, request, now)
	r.collect(i, now)
	return answer, ok
}

// Listens implements request.Servers.
func (r *podRun) Listens(port int32) bool { return r.listener(port) >= 0 }

// listener is the container that listens on a port, -1 if none does.
func (r *podRun) listener(port int32) int {
	return slices.IndexFunc(r.parts, func(p part) bool {
		return p.process != nil && slices.Contains(p.process.State().Listening, port)
	})
}

// startStats begins to measure what the program of container i uses, which has
// just started.
func (r *Reconciler) startStats(run *podRun, i int, d podstate.Draw, at time.Time) {
	if run.apart {
		return
	}
	place := stats.Place{Node: run.node.Name, Pod: run.name, Container: run.Containers[i].Name}
	limit := run.Spec(run.pod, i).Resources.Limits.Cpu().MilliValue()
	run.parts[i].stats = r.cfg.Stats.Start(place, at, limit, func(scrape int64) uint64 {
		return d.Number(fmt.Sprintf("stats/%d", scrape))
	})
}

// measure takes over what the program of container i uses from now on.
func (r *podRun) measure(i int, at time.Time, used kernel.Usage) {
	if m := r.parts[i].stats; m != nil {
		m.Observe(at, r.usage(i, used))
	}
}

// spent takes over what answering a request costs the program of container i, unless its
// script says what it uses.
func (r *podRun) spent(i int, at time.Time, cpu time.Duration) {
	if e := r.parts[i].effects; e != nil && e.Usage != nil && e.Usage.CPU != nil {
		return
	}
	if m := r.parts[i].stats; m != nil {
		m.Spend(at, cpu)
	}
}

// usage is what container i uses: what its program does, but for what its script
// says.
func (r *podRun) usage(i int, used kernel.Usage) stats.Usage {
	u := stats.Usage{MilliCPU: used.MilliCPU, Memory: used.Memory}
	if e := r.parts[i].effects; e != nil && e.Usage != nil {
		u.Exact = true
		if e.Usage.CPU != nil {
			u.MilliCPU = e.Usage.CPU.MilliValue()
		}
		if e.Usage.Memory != nil {
			u.Memory = e.Usage.Memory.Value()
		}
	}
	return u
}

// endStats forgets what the program used, which has ended.
func (p *part) endStats() {
	if p.stats != nil {
		p.stats.End()
		p.stats = nil
	}
}
