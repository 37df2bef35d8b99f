package explain

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
)

// containers tells how a Pod's containers have changed. Those that end together with
// their Pod are told by its phase: it returns how.
func (t *teller) containers(p *podStory, old, pod *corev1.Pod) (ended []string) {
	together := podutil.IsPodTerminal(pod) && !podutil.IsPodTerminal(old)
	before := allStatuses(old)
	for _, is := range allStatuses(pod) {
		was := corev1.ContainerStatus{}
		if i := slices.IndexFunc(before, func(s corev1.ContainerStatus) bool { return s.Name == is.Name }); i >= 0 {
			was = before[i]
		}
		if end := newEnd(&was, &is); end != nil {
			if text := endText(is.Name, end); together && is.State.Terminated == end {
				ended = append(ended, text)
			} else {
				t.containerEnded(p, is.Name, end, text)
			}
		}
		t.containerUp(p, pod, &was, &is)
		t.waiting(p, &was, &is)
		t.readiness(p, pod, &was, &is)
	}
	if together && pod.Status.Phase == corev1.PodSucceeded {
		return nil
	}
	return ended
}

func allStatuses(pod *corev1.Pod) []corev1.ContainerStatus {
	return slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses, pod.Status.EphemeralContainerStatuses)
}

// newEnd returns the end of a container that was not known before, nil if there is none.
func newEnd(was, is *corev1.ContainerStatus) *corev1.ContainerStateTerminated {
	known := func(end *corev1.ContainerStateTerminated) bool {
		same := func(o *corev1.ContainerStateTerminated) bool { return o != nil && o.ContainerID == end.ContainerID }
		return same(was.State.Terminated) || same(was.LastTerminationState.Terminated)
	}
	for _, end := range []*corev1.ContainerStateTerminated{is.State.Terminated, is.LastTerminationState.Terminated} {
		if end != nil && !known(end) {
			return end
		}
	}
	return nil
}

func endText(name string, end *corev1.ContainerStateTerminated) string {
	text := fmt.Sprintf("container %s ended with exit code %d", name, end.ExitCode)
	if end.Reason != "" {
		text += " (" + end.Reason + ")"
	}
	if end.Message != "" {
		text += ": " + end.Message
	}
	return text
}

func (t *teller) containerEnded(p *podStory, container string, end *corev1.ContainerStateTerminated, text string) {
	tone := Good
	if end.ExitCode != 0 {
		tone = Bad
	}
	step := t.say(tone, text, "", p.killed, p.deleted, p.before(container))
	p.chain[container], p.killed = step, none
	if end.ExitCode == 0 { // so that others may start
		p.assigned = step
	}
}

// containerUp tells that a container has started.
func (t *teller) containerUp(p *podStory, pod *corev1.Pod, was, is *corev1.ContainerStatus) {
	if is.ContainerID == "" || is.ContainerID == was.ContainerID || is.State.Running == nil {
		return
	}
	what := "container " + is.Name + " started"
	if is.RestartCount > 0 {
		what += fmt.Sprintf(" again, restart %d", is.RestartCount)
	}
	step := t.say(Plain, what, "", p.before(is.Name))
	p.chain[is.Name] = step
	if ref := owner(pod, "Job"); ref != nil && t.jobs[ref.UID] != nil && is.RestartCount > 0 {
		t.jobs[ref.UID].lastStep = step // a restart may be one too many
	}
}

// backOffText is how the kubelet says how long it waits.
var backOffText = regexp.MustCompile(`back-off (\S+) restarting failed container`)

// waiting tells why a container does not run, if it is no more than being created.
func (t *teller) waiting(p *podStory, was, is *corev1.ContainerStatus) {
	w := is.State.Waiting
	if w == nil || w.Reason == "" || w.Reason == "ContainerCreating" || w.Reason == "PodInitializing" ||
		was.State.Waiting != nil && was.State.Waiting.Reason == w.Reason && was.State.Waiting.Message == w.Message {
		return
	}
	what, why := fmt.Sprintf("container %s waits: %s", is.Name, w.Reason), w.Message
	if m := backOffText.FindStringSubmatch(w.Message); m != nil {
		if delay, err := time.ParseDuration(m[1]); err == nil && is.LastTerminationState.Terminated != nil {
			what += fmt.Sprintf(" of %s, until %s", Offset(delay), t.since(t.endOf(is).Add(delay)))
			why = ""
		}
	}
	if why != "" {
		p.waits[what]++
		if n := p.waits[what]; n > 1 {
			what, why = fmt.Sprintf("%s (%d times by now)", what, n), ""
		}
	}
	p.chain[is.Name] = t.say(Wait, what, why, p.before(is.Name), p.killed)
}

// endOf is when the container that is waited for has ended.
func (t *teller) endOf(is *corev1.ContainerStatus) time.Time {
	at := is.LastTerminationState.Terminated.FinishedAt.Time
	for i := len(t.story.Steps) - 1; i >= 0; i-- {
		if s := &t.story.Steps[i]; s.At.Truncate(time.Second).Equal(at) {
			return s.At
		} else if s.At.Before(at) {
			break
		}
	}
	return at
}

// readiness tells what the probes of a running container find.
func (t *teller) readiness(p *podStory, pod *corev1.Pod, was, is *corev1.ContainerStatus) {
	if was.State.Running == nil || is.State.Running == nil || was.ContainerID != is.ContainerID || was.Ready == is.Ready {
		return
	}
	if is.Ready {
		t.say(Good, "container "+is.Name+" is ready", "")
		return
	}
	if pod.DeletionTimestamp == nil {
		t.say(Bad, "container "+is.Name+" is not ready any more", "", p.killed)
	}
}
