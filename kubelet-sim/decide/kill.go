package decide

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// unhealthy ends the containers whose startup or liveness probe has
// failed, whose image is another now, or which must restart for a resize, and goes on with those that are being ended or whose postStart hook
// runs. While there is one the kubelet does nothing else for the Pod. Source:
// kubeGenericRuntimeManager.SyncPod in k8s.io/kubernetes
// pkg/kubelet/kuberuntime v1.37.2, which waits for both.
func unhealthy(pod *corev1.Pod, s *podstate.State, now time.Time) (p Plan, busy bool) {
	for i := range s.Containers {
		c := &s.Containers[i]
		switch {
		case c.PostStart != nil && c.PostStart.Done(now) && c.Kill == nil:
			p, busy = p.and(do(EndPostStart, i)), true
		case c.Kill != nil:
			p, busy = p.and(ending(s, i, true, now)), true
		case c.PostStart != nil:
			p, busy = p.and(at(c.WakeAt, engine.Progress)).and(at(c.PostStart.Until, engine.Progress)), true
		}
	}
	if busy {
		return p, true
	}
	for i := range s.Containers {
		if why := unfit(pod, s, i); why != "" {
			if last(pod, s) {
				return Plan{Do: []Action{{Verb: StopPod, Container: -1, Stop: podstate.Stop{Since: now}}}}, true
			}
			p, busy = p.and(Plan{Do: []Action{{Verb: BeginKill, Container: i, Why: why}}}), true
		}
	}
	return p, busy
}

// unfit says why a running container cannot go on as it is; empty if it can.
func unfit(pod *corev1.Pod, s *podstate.State, i int) podstate.KillReason {
	c := &s.Containers[i]
	switch {
	case c.Activity != podstate.Running:
		return ""
	case s.Changed(pod, i):
		return podstate.DefinitionChanged
	}
	return c.Unhealthy
}

// last reports whether no regular container stays or starts again, so that the
// unhealthy ones end with the Pod.
func last(pod *corev1.Pod, s *podstate.State) bool {
	for i := range s.Containers {
		c := &s.Containers[i]
		switch {
		case c.Role != podstate.Regular:
		case c.Activity == podstate.Running && (c.Unhealthy == "" || s.RestartsKilled(pod, i, unfit(pod, s, i))):
			return false
		case c.Activity != podstate.Running && (!c.Exited() || s.Restarts(pod, i)):
			return false
		}
	}
	return true
}

// ending goes on with the end of container i. turn says that nothing has to
// end before it. Source: kubeGenericRuntimeManager.killContainer in
// k8s.io/kubernetes pkg/kubelet/kuberuntime v1.37.2.
func ending(s *podstate.State, i int, turn bool, now time.Time) Plan {
	c := &s.Containers[i]
	k, until := c.Kill, engine.After(c.Kill.Since, c.Kill.Grace)
	goesOn := at(c.WakeAt, engine.Progress)
	switch {
	case !k.Term.IsZero() && now.Before(k.Deadline):
		return goesOn.and(at(k.Deadline, engine.Progress))
	case !k.Term.IsZero():
		return do(Kill, i)
	case k.PreStop != nil && k.PreStop.Done(now):
		return do(EndPreStop, i)
	case (k.PreStop != nil || !turn) && now.Before(until):
		if k.PreStop != nil {
			goesOn = goesOn.and(at(k.PreStop.Until, engine.Progress))
		}
		return goesOn.and(at(until, engine.Progress))
	}
	return do(Terminate, i)
}
