package timeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/script"
)

// What a timeline takes from the kubelets.

// Event implements lifecycle.Follower. What a container's state says, or a script, is
// not said twice.
func (t *Timeline) Event(pod *corev1.Pod, container, reason, message string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	who, now := t.whoIs(pod, container), t.engine.Now()
	switch reason {
	case v1alpha1.ReasonScripted, "BackOff":
	case "Pulling", "Pulled":
		if !t.Brief {
			t.say(now, who, "%s: %s", reason, message)
		}
	case "Created":
		t.starting = true
	case "Failed":
		t.started()
	case "Started":
		if t.Brief {
			t.say(now, who, "Running on %s", pod.Spec.NodeName)
		} else {
			t.say(now, who, "Running")
		}
		t.started()
	default:
		t.say(now, who, "%s: %s", reason, message)
	}
}

// started prints what a container has done while it was started.
func (t *Timeline) started() {
	t.starting = false
	for _, print := range t.early {
		print()
	}
	t.early = nil
}

// soon prints now, or when the container that is being started has been.
func (t *Timeline) soon(print func()) {
	if t.starting {
		t.early = append(t.early, print)
		return
	}
	print()
}

// Attempt implements lifecycle.Follower.
func (t *Timeline) Attempt(pod *corev1.Pod, container string, play *script.Play) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ran[script.Verdict{Script: play.Script, Container: container}]++
	t.say(t.engine.Now(), t.whoIs(pod, container), "PodScript %q, attempt %d", play.Script, play.Attempt)
	for i := range play.Left {
		t.say(t.engine.Now(), t.whoIs(pod, container), "  without the step %s (%d percent)", stepText(&play.Left[i]), *play.Left[i].Percent)
	}
}

// Step implements lifecycle.Follower. What is pulled or printed shows itself.
func (t *Timeline) Step(pod *corev1.Pod, container string, at time.Time, step *v1alpha1.Step) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.Brief && step.Log == nil && step.Stderr == nil && step.Pull == nil {
		t.soon(func() { t.say(at, t.whoIs(pod, container), "- %s", stepText(step)) })
	}
}

// stepTextMax bounds how much of a step is printed. Unit: bytes.
const stepTextMax = 100

// stepText is a step on one line, as its author may have written it.
func stepText(step *v1alpha1.Step) string {
	bare := *step
	bare.Percent = nil
	data, err := json.Marshal(bare)
	if err != nil {
		return err.Error()
	}
	fields := map[string]any{}
	if err := json.Unmarshal(data, &fields); err != nil {
		return err.Error()
	}
	var text string
	for name, value := range fields { // there is one
		text = name + ": " + string(data[len(name)+len(`{"":`):len(data)-1])
		switch value := value.(type) {
		case string:
			if !strings.Contains(value, "\n") {
				text = name + ": " + value
			}
		case map[string]any:
			if len(value) == 0 {
				text = name
			}
		}
	}
	if len(text) > stepTextMax {
		text = strings.ToValidUTF8(text[:stepTextMax], "") + "…"
	}
	return text
}

// Output implements lifecycle.Follower.
func (t *Timeline) Output(pod *corev1.Pod, container string, chunk kernel.Chunk) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.World != nil {
		t.World.Print(chunk.At, pod, container, chunk.Data)
	}
	who := t.whoIs(pod, container)
	text := append(t.partial[who], chunk.Data...)
	for {
		line, rest, ok := bytes.Cut(text, []byte("\n"))
		if !ok {
			break
		}
		t.soon(func() { t.say(chunk.At, who, "| %s", line) })
		text = rest
	}
	t.partial[who] = slices.Clone(text)
}

// Ended implements lifecycle.Follower.
func (t *Timeline) Ended(pod *corev1.Pod, container string, end *corev1.ContainerStateTerminated) {
	t.mu.Lock()
	defer t.mu.Unlock()
	who := t.whoIs(pod, container)
	rest := t.partial[who]
	delete(t.partial, who)
	now := t.engine.Now()
	if t.World != nil {
		t.World.Ended(now, pod, container)
	}
	t.soon(func() {
		if len(rest) > 0 {
			t.say(now, who, "| %s", rest)
		}
		t.say(now, who, "%s", joined("Terminated", fmt.Sprintf("%s, exit code %d", end.Reason, end.ExitCode), end.Message))
	})
}
