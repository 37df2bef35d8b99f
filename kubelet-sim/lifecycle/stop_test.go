package lifecycle

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

func TestDeletion(t *testing.T) {
	for name, tc := range map[string]struct {
		pod   *corev1.Pod
		took  time.Duration
		story []string
	}{
		"a program that ends on SIGTERM goes at once": {
			pod:   newPod("p", policy(corev1.RestartPolicyAlways), runs("hang")),
			story: []string{"Pending", "Pending c:ContainerCreating", "Running c:Running", "Failed c:Error=143"},
		},
		"a program that ignores SIGTERM is killed when its grace ends": {
			pod:   newPod("p", policy(corev1.RestartPolicyAlways), runs("trap", "hang")),
			took:  30 * time.Second,
			story: []string{"Pending", "Pending c:ContainerCreating", "Running c:Running", "Failed c:Error=137"},
		},
		"a Pod that waits for a Secret goes at once": {
			pod: newPod("p", func(p *corev1.Pod) {
				p.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}}}}
			}),
			story: []string{"Pending", "Pending c:ContainerCreating", "Pending c:CreateContainerConfigError", "Failed c:ContainerStatusUnknown=137"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, engine.Auto)
			c.create(engine.Pods, tc.pod)
			at := c.engine.Now()
			c.delete("p")
			if diff := cmp.Diff(tc.story, c.story("p")); diff != "" {
				t.Errorf("story (-want +got):\n%s", diff)
			}
			if left := len(c.api.objects[engine.Pods]); left != 0 {
				t.Errorf("%d Pods are left", left)
			}
			if took := c.engine.Now().Sub(at); took != tc.took {
				t.Errorf("took %s, want %s", took, tc.took)
			}
			if got := c.read("p", nil); got != "" {
				t.Errorf("the deleted Pod has a log: %q", got)
			}
		})
	}
}

func TestActiveDeadline(t *testing.T) {
	c := newCluster(t, engine.Auto)
	c.create(engine.Pods, newPod("p", runs("sleep 1000"), func(p *corev1.Pod) {
		seconds := int64(60)
		p.Spec.ActiveDeadlineSeconds = &seconds
	}))
	pod := c.api.pod(t, "p")
	want := corev1.PodStatus{Phase: corev1.PodFailed, Reason: "DeadlineExceeded", Message: "Pod was active on the node longer than the specified deadline"}
	got := corev1.PodStatus{Phase: pod.Status.Phase, Reason: pod.Status.Reason, Message: pod.Status.Message}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	events := c.happened("p")
	last := []string{"DeadlineExceeded Pod was active on the node longer than the specified deadline", "Killing Stopping container c"}
	if diff := cmp.Diff(last, events[len(events)-2:]); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if took := c.engine.Now().Sub(noon); took != time.Minute {
		t.Errorf("took %s, want 1m", took)
	}
}

func TestIPsAreUniqueAmongLivePods(t *testing.T) {
	c := newCluster(t, engine.Auto)
	seen := map[string]bool{}
	for _, name := range []string{"a", "b", "d"} {
		c.create(engine.Pods, newPod(name, policy(corev1.RestartPolicyAlways), runs("hang")))
		ip := c.api.pod(t, name).Status.PodIP
		if ip == "" || seen[ip] {
			t.Errorf("Pod %s has IP %q", name, ip)
		}
		seen[ip] = true
	}
	c.create(engine.Pods, newPod("host", func(p *corev1.Pod) { p.Spec.HostNetwork = true }))
	if ip := c.api.pod(t, "host").Status.PodIP; ip != "10.0.0.10" {
		t.Errorf("a Pod on the host's network has IP %q", ip)
	}
}

// TestTheIPOfAPodOfAnEarlierRunIsTaken: also if the kubelet learns of that Pod
// after it has begun, as from what a crash has left behind a checkpoint.
func TestTheIPOfAPodOfAnEarlierRunIsTaken(t *testing.T) {
	c := newCluster(t, engine.Manual)
	c.create(engine.Pods, newPod("first", policy(corev1.RestartPolicyAlways), runs("hang")))
	c.advance(10 * time.Second)
	addr, err := netip.ParseAddr(c.api.pod(t, "first").Status.PodIP)
	if err != nil {
		t.Fatal(err)
	}
	next := addr.Next().String()
	c.create(engine.Pods, newPod("earlier", policy(corev1.RestartPolicyAlways), runs("hang"), func(p *corev1.Pod) {
		p.Status.StartTime, p.Status.PodIP = &metav1.Time{Time: noon}, next
	}))
	c.create(engine.Pods, newPod("last", policy(corev1.RestartPolicyAlways), runs("hang")))
	c.advance(10 * time.Second)
	if ip := c.api.pod(t, "last").Status.PodIP; ip == "" || ip == next {
		t.Errorf("the last Pod has IP %q, that of the earlier run %q", ip, next)
	}
}
