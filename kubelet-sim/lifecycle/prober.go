package lifecycle

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// A readiness probe has a key of its own, pod/container: its checks are of
// another kind than the Pod's own steps, and one key has one wake.
//
// Deviation: liveness and startup probes do not run yet, an HTTP or gRPC check
// succeeds when the port is open.

// probeKey is the key of the probe of one container.
func (r *Reconciler) probeKey(run *podRun, i int) engine.Key {
	return engine.Key{Controller: r.Name(), Namespace: run.name.Namespace, Name: run.name.Name + "/" + run.Containers[i].Name}
}

// check is a check under way that runs a command.
type check struct {
	exec   Exec
	output bytes.Buffer
}

// startProbing makes the first check of a new instance due.
func (r *Reconciler) startProbing(run *podRun, i int) {
	c, probe := &run.Containers[i], run.spec(run.pod, i).ReadinessProbe
	run.parts[i].check = nil
	if probe == nil || c.Stage != running {
		return
	}
	c.Probe = newProbeState(probe, c.Current)
	r.cfg.Engine.Poke(r.probeKey(run, i))
}

// reconcileProbe takes one step of a readiness probe.
func (r *Reconciler) reconcileProbe(ctx context.Context, namespace, pod, container string, now time.Time) engine.Wake {
	run := r.runs[types.NamespacedName{Namespace: namespace, Name: pod}]
	if run == nil || r.unreachable(run.node.Name) {
		return engine.Wake{}
	}
	i := slices.IndexFunc(run.Containers, func(c containerState) bool { return c.Name == container })
	if i < 0 {
		return engine.Wake{}
	}
	run.advance(now)
	r.cfg.Engine.Touch(r.key(run.name)) // the probe's state is remembered with the Pod's
	defer r.pokeIfDirty(run)
	for {
		c, probe := &run.Containers[i], run.spec(run.pod, i).ReadinessProbe
		if c.Stage != running || run.Stop != nil || probe == nil || c.Probe.Attempt != c.Current.Attempt {
			return engine.Wake{} // a new instance begins anew
		}
		if r.checkEnded(ctx, run, i) {
			continue
		}
		what, wake := decideProbe(probe, &c.Probe, c.Ready, now)
		switch what {
		case beginCheck:
			r.beginCheck(ctx, run, i, now)
		case checkTimedOut:
			r.checkResult(ctx, run, i, false, fmt.Sprintf("command timed out: %q timed out after %ds", strings.Join(probe.Exec.Command, " "), max(probe.TimeoutSeconds, 1)))
		default:
			if run.parts[i].check != nil && !c.WakeAt.IsZero() && c.WakeAt.Before(wake.At) {
				wake.At = c.WakeAt
			}
			return wake
		}
	}
}

func (r *Reconciler) pokeIfDirty(run *podRun) {
	if run.dirty {
		r.cfg.Engine.Poke(r.key(run.name))
	}
}

// checkEnded looks whether the command of a check has ended.
func (r *Reconciler) checkEnded(ctx context.Context, run *podRun, i int) bool {
	k := run.parts[i].check
	if k == nil {
		return false
	}
	code, ended := k.exec.Exited()
	if ended {
		r.checkResult(ctx, run, i, code == 0, k.output.String())
	}
	return ended
}

// outputMax bounds what a message shows of a command's output. Unit: bytes.
// Source: maxReadLength in k8s.io/kubernetes pkg/probe/exec v1.37.2.
const outputMax = 10 << 10

// checkResult takes the result of the check over.
func (r *Reconciler) checkResult(ctx context.Context, run *podRun, i int, success bool, output string) {
	c, probe := &run.Containers[i], run.spec(run.pod, i).ReadinessProbe
	run.parts[i].check = nil
	if !success {
		run.event(ctx, i, corev1.EventTypeWarning, "Unhealthy", "Readiness probe failed: %s", output[:min(len(output), outputMax)])
	}
	if ready := c.Probe.judge(probe, c.Ready, success); ready != c.Ready {
		c.Ready, run.dirty = ready, true
	}
}

// beginCheck asks the program.
func (r *Reconciler) beginCheck(ctx context.Context, run *podRun, i int, now time.Time) {
	c, spec := &run.Containers[i], run.spec(run.pod, i)
	probe := spec.ReadinessProbe
	if now.Sub(c.Probe.Next) > time.Duration(max(probe.PeriodSeconds, 1))*time.Second {
		c.Probe.Next = now // a jump of the clock has passed over some
	}
	if probe.Exec == nil {
		success, output := checkPort(run, i, probe)
		r.checkResult(ctx, run, i, success, output)
		return
	}
	k := &check{}
	exec, err := run.parts[i].process.Exec(program.ExecSpec{
		Command: probe.Exec.Command,
		Output:  func(chunk kernel.Chunk) { k.output.Write(chunk.Data) },
	}, now)
	if err != nil {
		r.checkResult(ctx, run, i, false, err.Error())
		return
	}
	k.exec, run.parts[i].check = exec, k
	c.Probe.Deadline = now.Add(time.Duration(max(probe.TimeoutSeconds, 1)) * time.Second)
	run.collect(i, now)
}

// checkPort looks whether the program listens where the probe asks.
func checkPort(run *podRun, i int, probe *corev1.Probe) (success bool, output string) {
	spec := run.spec(run.pod, i)
	var port int32
	head := ""
	switch {
	case probe.HTTPGet != nil:
		port = portOf(spec, probe.HTTPGet.Port)
		head = fmt.Sprintf("Get \"%s://%s:%d%s\": ", strings.ToLower(string(probe.HTTPGet.Scheme)), run.IP, port, probe.HTTPGet.Path)
	case probe.TCPSocket != nil:
		port = portOf(spec, probe.TCPSocket.Port)
	case probe.GRPC != nil:
		port = probe.GRPC.Port
	}
	if slices.Contains(run.parts[i].process.State().Listening, port) {
		return true, ""
	}
	return false, fmt.Sprintf("%sdial tcp %s:%d: connect: connection refused", head, run.IP, port)
}

// portOf is the number of a port that may be named.
func portOf(spec *corev1.Container, port intstr.IntOrString) int32 {
	if port.Type == intstr.Int {
		return port.IntVal
	}
	for _, p := range spec.Ports {
		if p.Name == port.StrVal {
			return p.ContainerPort
		}
	}
	return 0
}
