// Package script runs containers by PodScripts.
//
// Invariant: which script runs a container, and which steps of it, follows from
// the API's objects, the number of the attempt and the seed alone. The steps run as
// a program of the container, through the interface of every simulated program.
package script

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

// Play is what a container does in one attempt. It is plain data, which the kubelet
// remembers, so that later changes of the script do not affect it.
type Play struct {
	// Script is the PodScript's name, empty for kwok's annotations.
	Script string
	// Attempt counts from 1.
	Attempt int
	Steps   []v1alpha1.Step
	// Left are the steps that chance has left out.
	Left []v1alpha1.Step `json:",omitempty"`
}

// NewPlay returns what a container of pod does in the n-th attempt, counted from
// 0; nil if the script says nothing about the Pod's index. Numbers for steps that
// are left to chance come from draw, by the step's index.
func NewPlay(s *v1alpha1.PodScript, pod *corev1.Pod, n int, draw func(step int) uint64) *Play {
	steps := attempt(s.Spec.Attempts, pod, n)
	if steps == nil {
		return nil
	}
	p := &Play{Script: s.Name, Attempt: n + 1}
	for i := range steps {
		if percent := steps[i].Percent; percent == nil || draw(i)%100 < uint64(*percent) {
			p.Steps = append(p.Steps, steps[i])
		} else {
			p.Left = append(p.Left, steps[i])
		}
	}
	return p
}

// PullTime is how long the pull of the image takes; false if the play does not say.
func (p *Play) PullTime() (d time.Duration, ok bool) {
	if p == nil {
		return 0, false
	}
	for i := range p.Steps {
		if s := p.Steps[i].Pull; s != nil {
			d, ok = d+duration(*s), true
		}
	}
	return d, ok
}

// PullError says why the pull fails; nil if it does not.
func (p *Play) PullError() error {
	if p == nil {
		return nil
	}
	for i := range p.Steps {
		if s := p.Steps[i].PullError; s != nil {
			return fmt.Errorf("%s", *s)
		}
	}
	return nil
}

// duration reads what validation has let pass.
func duration(s string) time.Duration {
	d, _ := time.ParseDuration(s)
	return d
}

// kwok's annotations of a Job's Pod. Source: pod-complete.yaml in
// kubernetes-sigs/kwok kustomize/stage/pod/general.
const (
	kwokDelay  = "pod-complete.stage.kwok.x-k8s.io/delay"
	kwokJitter = "pod-complete.stage.kwok.x-k8s.io/jitter-delay"
)

// kwokDelayDefault is what kwok takes where only the jitter is given.
const kwokDelayDefault = time.Second

// KwokPlay is what a container of a Job's Pod does that has kwok's annotations: it
// succeeds after a while. Nil if the Pod has none. Source: Stage.Delay in
// kubernetes-sigs/kwok pkg/utils/lifecycle.
//
// Deviation: a delay without jitter is exact; in kwok the stage's own jitter of 5 s
// counts, and cuts a longer delay. An instant as delay is not read.
func KwokPlay(pod *corev1.Pod, owner string, number uint64) *Play {
	delay, err := time.ParseDuration(pod.Annotations[kwokDelay])
	jitter, jerr := time.ParseDuration(pod.Annotations[kwokJitter])
	if owner != "Job" || err != nil && jerr != nil {
		return nil
	}
	if err != nil {
		delay = kwokDelayDefault
	}
	switch {
	case jerr != nil:
	case jitter <= delay:
		delay = jitter
	default:
		delay += time.Duration(number % uint64(jitter-delay))
	}
	wait := max(delay, 0).String()
	return &Play{Steps: []v1alpha1.Step{{Wait: &wait}}}
}
