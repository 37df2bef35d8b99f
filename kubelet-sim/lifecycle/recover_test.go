package lifecycle

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

func TestRestartOfTheServer(t *testing.T) {
	steps := runs("write /data/x 1", "echo start", "sleep 20", "echo middle", "sleep 20", "cat /data/x", "sleep 20", "exit 4")
	timestamps := &corev1.PodLogOptions{Timestamps: true}

	whole := newCluster(t, engine.Manual)
	whole.create(engine.Pods, newPod("p", withVolume("data"), steps))
	whole.advance(2 * time.Minute)

	c := newCluster(t, engine.Manual)
	c.create(engine.Pods, newPod("p", withVolume("data"), steps))
	c.advance(30 * time.Second)
	before := c.read("p", timestamps)
	again := restart(t, engine.Manual, c, &fakeRuntime{})
	if diff := cmp.Diff(before, again.read("p", timestamps)); diff != "" {
		t.Errorf("log after the restart (-before +after):\n%s", diff)
	}
	if len(again.api.history) != 0 {
		t.Errorf("the restart alone wrote a status")
	}
	again.advance(90 * time.Second)
	if diff := cmp.Diff(whole.api.pod(t, "p").Status, again.api.pod(t, "p").Status); diff != "" {
		t.Errorf("status in the end (-without +with a restart):\n%s", diff)
	}
	if diff := cmp.Diff(whole.read("p", timestamps), again.read("p", timestamps)); diff != "" {
		t.Errorf("log in the end (-without +with a restart):\n%s", diff)
	}

	finished := restart(t, engine.Manual, again, &fakeRuntime{})
	if diff := cmp.Diff(whole.read("p", timestamps), finished.read("p", timestamps)); diff != "" {
		t.Errorf("log of the finished Pod after a restart (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(whole.read("p", timestamps), finished.read("p", timestamps)); diff != "" {
		t.Errorf("the same, read twice (-want +got):\n%s", diff)
	}
}

func TestRestartOfTheServerInACrashLoop(t *testing.T) {
	c := newCluster(t, engine.Manual)
	c.create(engine.Pods, newPod("p", policy(corev1.RestartPolicyAlways), runs("echo boom", "exit 1")))
	c.advance(50 * time.Second)
	want := "Running c:CrashLoopBackOff(3)"
	if story := c.story("p"); story[len(story)-1] != want {
		t.Fatalf("before: %v", story)
	}
	again := restart(t, engine.Manual, c, &fakeRuntime{})
	if got := again.read("p", &corev1.PodLogOptions{Previous: true}); got != "boom\n" {
		t.Errorf("previous log: %q", got)
	}
	again.advance(20 * time.Second)
	if story := again.story("p"); len(story) != 0 {
		t.Errorf("the wait of 40 s ended early: %v", story)
	}
	again.advance(20 * time.Second)
	if got := strings.Join(again.story("p"), ", "); !strings.HasSuffix(got, "Running c:CrashLoopBackOff(4)") {
		t.Errorf("after the wait: %s", got)
	}
}

func TestDeterminism(t *testing.T) {
	var logs []string
	for range 3 {
		c := newCluster(t, engine.Auto)
		for _, name := range []string{"a", "b", "d"} {
			c.create(engine.Pods, newPod(name, policy(corev1.RestartPolicyOnFailure), ofJob(), withVolume("v"), runs("once /v/1", "once /v/2", "sleep 3")))
		}
		c.stop()
		logs = append(logs, c.log.String())
	}
	if diff := cmp.Diff(logs[0], logs[1]); diff != "" {
		t.Errorf("event log of the second run (-first +second):\n%s", diff)
	}
	if logs[0] != logs[2] {
		t.Error("the third run differs")
	}
}
