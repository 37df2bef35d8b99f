package lifecycle

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// debug gives a running Pod an ephemeral container, as kubectl debug does.
func (c *cluster) debug(pod, name string, command ...string) {
	c.t.Helper()
	c.do(func(context.Context) error {
		c.api.mu.Lock()
		defer c.api.mu.Unlock()
		next := c.api.objects[engine.Pods][keyOf(newPod(pod))].(*corev1.Pod).DeepCopy()
		next.Spec.EphemeralContainers = append(next.Spec.EphemeralContainers, corev1.EphemeralContainer{
			EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: name, Image: "busybox:1.36", ImagePullPolicy: corev1.PullIfNotPresent, Command: command},
		})
		next.Generation++
		c.api.commit("MODIFIED", engine.Pods, next)
		return nil
	})
}

func TestEphemeralContainers(t *testing.T) {
	c := newCluster(t, engine.Manual)
	c.create(engine.Pods, newPod("p", policy(corev1.RestartPolicyAlways), runs("hang")))
	c.advance(10 * time.Second)
	c.debug("p", "d", "echo hello", "sleep 30", "exit 3")
	c.advance(10 * time.Second)
	states := func(c *cluster) (all []string) {
		for _, s := range c.api.pod(t, "p").Status.EphemeralContainerStatuses {
			all = append(all, s.Name+":"+word(s.State))
		}
		return all
	}
	if diff := cmp.Diff([]string{"d:Running"}, states(c)); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	if got := c.read("p", &corev1.PodLogOptions{Container: "d"}); got != "hello\n" {
		t.Errorf("log: %q", got)
	}
	ref := c.api.events[len(c.api.events)-1].InvolvedObject.FieldPath
	if want := "spec.ephemeralContainers{d}"; ref != want {
		t.Errorf("the Events are about %s, want %s", ref, want)
	}

	c = restart(t, engine.Manual, c, &fakeRuntime{})
	c.advance(time.Minute)
	c.debug("p", "e", "hang")
	c.advance(10 * time.Second)
	if diff := cmp.Diff([]string{"d:Error=3", "e:Running"}, states(c)); diff != "" {
		t.Errorf("states after a restart (-want +got):\n%s", diff)
	}
	pod := c.api.pod(t, "p")
	if pod.Status.Phase != corev1.PodRunning || pod.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Errorf("the Pod is %s, with %d restarts", pod.Status.Phase, pod.Status.ContainerStatuses[0].RestartCount)
	}
	c.delete("p")
	c.advance(time.Second)
	if n := len(c.api.objects[engine.Pods]); n != 0 {
		t.Errorf("%d Pods are left", n)
	}
}
