package lifecycle

import (
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program"
	"github.com/kubesim-dev/kubesim/kubelet-sim/script"
)

// play returns what a PodScript lets container i do in the attempt that begins;
// nil if it runs its own command.
func (r *Reconciler) play(run *podRun, i int) *script.Play {
	c, spec, d := &run.Containers[i], run.Spec(run.pod, i), r.draw(run, i)
	var found *v1alpha1.PodScript
	if r.view.Count(script.PodScripts) > 0 && c.Role != podstate.Ephemeral {
		found = script.Find(engine.List[*v1alpha1.PodScript](r.view, script.PodScripts, ""), script.Owners(r.view, run.pod), spec, c.Role != podstate.Regular)
	}
	if found == nil {
		if owner := podstate.ControllerOf(run.pod); owner != nil && c.Role == podstate.Regular {
			return script.KwokPlay(run.pod, owner.Kind, d.Number("kwok"))
		}
		return nil
	}
	if run.Earlier == nil {
		n := script.Earlier(r.view, run.pod)
		run.Earlier = &n
	}
	return script.NewPlay(found, run.pod, *run.Earlier+c.Tries, func(step int) uint64 { return d.Step(c.Tries, step) })
}

// scripted lets play run in place of the command. Before each step it calls onStep,
// if that is set.
func scripted(spec *program.Spec, play *script.Play, onStep func(time.Time, *v1alpha1.Step)) *script.Effects {
	if play == nil {
		return nil
	}
	var effects *script.Effects
	spec.Main, effects = play.Main(onStep)
	return effects
}

// tellScript says which script runs the attempt that begins.
func (run *podRun) tellScript(ctx context.Context, i int) {
	play := run.Containers[i].Script
	if play == nil || play.Script == "" {
		return
	}
	if run.follower != nil {
		run.follower.Attempt(run.pod, run.Containers[i].Name, play)
	}
	if !slices.Contains(run.Scripts, play.Script) {
		run.Scripts, run.dirty = append(run.Scripts, play.Script), true
	}
	run.event(ctx, i, event.Scripted(play.Script, play.Attempt))
}

// annotate says on the Pod which scripts have run it.
func (run *podRun) annotate(pod *corev1.Pod) {
	names := strings.Join(run.Scripts, ",")
	if names == "" || pod.Annotations[v1alpha1.ScriptAnnotation] == names {
		return
	}
	annotations := map[string]string{v1alpha1.ScriptAnnotation: names}
	for k, v := range pod.Annotations {
		if k != v1alpha1.ScriptAnnotation {
			annotations[k] = v
		}
	}
	pod.Annotations = annotations
}

// lookAtScript takes over what the script of container i has done to its Pod.
func (run *podRun) lookAtScript(i int) {
	c, e := &run.Containers[i], run.parts[i].effects
	if e == nil {
		return
	}
	if e.Ready != nil && c.Ready != *e.Ready {
		c.Ready, run.dirty, run.stirred = *e.Ready, true, true
	}
	if e.Evict != nil && run.Evicted == "" && run.Stop == nil {
		run.Evicted, run.stirred = *e.Evict, true
	}
}

// readyByScript reports whether a script says whether container i is ready, and no
// probe.
func (run *podRun) readyByScript(i int) bool {
	e := run.parts[i].effects
	return e != nil && e.Ready != nil
}
