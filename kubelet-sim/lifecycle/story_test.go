package lifecycle

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStories(t *testing.T) {
	pulled := []string{
		`Pulling Pulling image "busybox:1.36"`,
		`Pulled Successfully pulled image "busybox:1.36" in 1.477s (1.477s including waiting). Image size: 53510651 bytes.`,
	}
	started := []string{"Created Container created", "Started Container started"}
	present := []string{`Pulled Container image "busybox:1.36" already present on machine and can be accessed by the pod`}
	backOff := []string{"BackOff Back-off restarting failed container c in pod p_default(uid-1)"}
	for name, tc := range map[string]struct {
		pod    *corev1.Pod
		story  []string
		events []string
		log    string
		took   time.Duration // at least, less than 10 s more
	}{
		"a Pod that succeeds": {
			pod: newPod("p", runs("echo hello", "sleep 30", "echo done")),
			story: []string{
				"Pending", "Pending c:ContainerCreating", "Running c:Running", "Succeeded c:Completed=0",
			},
			events: slices.Concat(pulled, started),
			log:    "hello\ndone\n",
			took:   30 * time.Second,
		},
		"a Pod that fails at once": {
			pod:    newPod("p", runs("exit 3")),
			story:  []string{"Pending", "Pending c:ContainerCreating", "Failed c:Error=3"},
			events: slices.Concat(pulled, started),
		},
		"a program that does not exist": {
			pod:    newPod("p", runs("no-such-program")),
			story:  []string{"Pending", "Pending c:ContainerCreating", "Failed c:StartError=128"},
			events: slices.Concat(pulled, []string{"Created Container created", "Failed Error: executable file not found in $PATH"}),
		},
		"OnFailure in a Job backs off 10 s after the second failure": {
			pod: newPod("p", policy(corev1.RestartPolicyOnFailure), ofJob(), withVolume("data"), runs("once /data/1", "once /data/2", "once /data/3", "echo ok")),
			story: []string{
				"Pending", "Pending c:ContainerCreating",
				"Running c:Error=1", "Running c:Error=1(1)", "Running c:CrashLoopBackOff(1)",
				"Running c:Error=1(2)", "Running c:CrashLoopBackOff(2)", "Succeeded c:Completed=0(3)",
			},
			events: slices.Concat(pulled, started, present, started, backOff, present, started, backOff, present, started),
			log:    "ok\n",
			took:   30 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, engine.Auto)
			c.create(engine.Pods, tc.pod)
			if diff := cmp.Diff(tc.story, c.story("p")); diff != "" {
				t.Errorf("story (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.events, c.happened("p")); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.log, c.read("p", nil)); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
			if took := c.engine.Now().Sub(noon); took < tc.took || took > tc.took+10*time.Second {
				t.Errorf("took %s, want %s", took, tc.took)
			}
		})
	}
}

// TestAContainerStartsAfterItsLastEnd lets a container run for a second, which is the
// time that the kubelet is taken to be late for.
func TestAContainerStartsAfterItsLastEnd(t *testing.T) {
	c := newCluster(t, engine.Auto)
	c.create(engine.Pods, newPod("p", policy(corev1.RestartPolicyOnFailure), withVolume("data"), runs("echo began", "sleep 1", "echo ended", "once /data/1", "hang")))
	at := func(previous bool, line int) time.Time {
		t.Helper()
		lines := strings.Split(c.read("p", &corev1.PodLogOptions{Timestamps: true, Previous: previous}), "\n")
		stamp, _, _ := strings.Cut(lines[line], " ")
		instant, err := time.Parse(time.RFC3339Nano, stamp)
		if err != nil {
			t.Fatalf("line %d of %q: %v", line, lines, err)
		}
		return instant
	}
	if ended, began := at(true, 1), at(false, 0); began.Before(ended) {
		t.Errorf("it began at %v, before it had ended at %v", began, ended)
	}
}

func withVolume(name string) option {
	return func(p *corev1.Pod) {
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
		p.Spec.Containers[0].VolumeMounts = append(p.Spec.Containers[0].VolumeMounts, corev1.VolumeMount{Name: name, MountPath: "/" + name})
	}
}
