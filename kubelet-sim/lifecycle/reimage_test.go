package lifecycle

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// setImage gives container i, init containers first, another image.
func (c *cluster) setImage(name string, i int, image string) {
	c.t.Helper()
	pod := c.api.pod(c.t, name).DeepCopy()
	if n := len(pod.Spec.InitContainers); i < n {
		pod.Spec.InitContainers[i].Image = image
	} else {
		pod.Spec.Containers[i-n].Image = image
	}
	pod.Generation++
	c.change(engine.Pods, pod)
}

// images are the images of a Pod's containers, as its status names them.
func imagesOf(pod *corev1.Pod) []string {
	var all []string
	for _, s := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
		all = append(all, s.Image)
	}
	return all
}

func hasImage(name string) option {
	return func(p *corev1.Pod) { p.Spec.Containers[0].Image = name }
}

func pullPolicy(how corev1.PullPolicy) option {
	return func(p *corev1.Pod) { p.Spec.Containers[0].ImagePullPolicy = how }
}

// withInitRuns adds an init container with a program.
func withInitRuns(how corev1.ContainerRestartPolicy, steps ...string) option {
	return func(p *corev1.Pod) {
		p.Spec.InitContainers = append(p.Spec.InitContainers, corev1.Container{Name: "i"})
		if how != "" {
			p.Spec.InitContainers[0].RestartPolicy = &how
		}
		c := &p.Spec.InitContainers[len(p.Spec.InitContainers)-1]
		c.Image, c.ImagePullPolicy, c.Command = "busybox:1.36", corev1.PullIfNotPresent, steps
	}
}

// TestAChangedImage changes an image 20 s after the Pod was made and looks at what has
// happened 30 s later.
func TestAChangedImage(t *testing.T) {
	const killing = "Killing Container c definition changed, will be restarted"
	for name, tc := range map[string]struct {
		pod    *corev1.Pod
		to     string // busybox:1.37
		which  int
		after  time.Duration // 20 s
		story  []string      // since then
		images []string
		events []string // since then, without those of a pull and a start
	}{
		"a running container starts again with it": {
			pod:    newPod("p", policy(corev1.RestartPolicyAlways), runs("hang")),
			story:  []string{"Running c:Running", "Running c:Running(1)"},
			images: []string{"docker.io/library/busybox:1.37"}, events: []string{killing},
		},
		"so does one that never restarts": {
			pod:    newPod("p", runs("hang")),
			story:  []string{"Running c:Running", "Running c:Running(1)"},
			images: []string{"docker.io/library/busybox:1.37"}, events: []string{killing},
		},
		"and one of a Job": {
			pod:    newPod("p", policy(corev1.RestartPolicyOnFailure), ofJob(), runs("hang")),
			story:  []string{"Running c:Running", "Running c:Running(1)"},
			images: []string{"docker.io/library/busybox:1.37"}, events: []string{killing},
		},
		"it has its grace period, and nobody sees that none runs": {
			pod:    newPod("p", func(p *corev1.Pod) { p.Spec.TerminationGracePeriodSeconds = new(int64(25)) }, runs("trap", "hang")),
			story:  []string{"Running c:Running", "Running c:Running(1)"},
			images: []string{"docker.io/library/busybox:1.37"}, events: []string{killing},
		},
		"an image by another name for the same is another": {
			pod:    newPod("p", runs("hang")),
			to:     "docker.io/library/busybox:1.36",
			story:  []string{"Running c:Running", "Running c:Running(1)"},
			images: []string{"docker.io/library/busybox:1.36"}, events: []string{killing},
		},
		"where it cannot be pulled the container waits": {
			pod:    newPod("p", policy(corev1.RestartPolicyAlways), runs("hang")),
			to:     "busybox:non-existent",
			story:  []string{"Running c:Running", "Running c:ErrImagePull", "Running c:ImagePullBackOff", "Running c:ErrImagePull", "Running c:ImagePullBackOff"},
			images: []string{"docker.io/library/busybox:1.36"}, events: []string{killing},
		},
		"where it cannot be pulled a container that never restarts has ended": {
			pod:    newPod("p", runs("hang")),
			to:     "busybox:non-existent",
			story:  []string{"Running c:Running", "Failed c:Error=143"},
			images: []string{"docker.io/library/busybox:1.36"}, events: []string{killing},
		},
		"a name that is none": {
			pod:    newPod("p", policy(corev1.RestartPolicyAlways), runs("hang")),
			to:     "not/A/name",
			story:  []string{"Running c:Running", "Running c:InvalidImageName"},
			images: []string{"docker.io/library/busybox:1.36"}, events: []string{killing},
		},
		"a pull that backs off begins at once": {
			pod:    newPod("p", hasImage("busybox:non-existent"), runs("hang")),
			story:  []string{"Pending c:ImagePullBackOff", "Running c:Running"},
			images: []string{"docker.io/library/busybox:1.37"},
		},
		"with a back-off of its own": {
			pod: newPod("p", hasImage("busybox:non-existent"), runs("hang")), to: "other:non-existent",
			story:  []string{"Pending c:ImagePullBackOff", "Pending c:ErrImagePull", "Pending c:ImagePullBackOff", "Pending c:ErrImagePull", "Pending c:ImagePullBackOff"},
			images: []string{"other:non-existent"},
		},
		"a name that was none": {
			pod:    newPod("p", hasImage("not/A/name"), runs("hang")),
			story:  []string{"Pending c:InvalidImageName", "Running c:Running"},
			images: []string{"docker.io/library/busybox:1.37"},
		},
		"an image that was never pulled": {
			pod: newPod("p", hasImage("busybox:0"), pullPolicy(corev1.PullNever), runs("hang")), to: "registry.k8s.io/pause:3.10",
			story:  []string{"Pending c:ErrImageNeverPull"},
			images: []string{"registry.k8s.io/pause:3.10"},
		},
		"a container that crashes starts at once": {
			pod: newPod("p", policy(corev1.RestartPolicyAlways), runs("exit 1")), after: 35 * time.Second,
			story: []string{
				"Running c:CrashLoopBackOff(3)", "Running c:Error=1(4)", "Running c:CrashLoopBackOff(4)", "Running c:Error=1(5)", "Running c:CrashLoopBackOff(5)",
			},
			images: []string{"docker.io/library/busybox:1.37"},
		},
		"an image changed while the one before is pulled": {
			pod: newPod("p", runs("hang")), after: 700 * time.Millisecond,
			story:  []string{"Pending c:ContainerCreating", "Running c:Running", "Running c:Running(1)"},
			images: []string{"docker.io/library/busybox:1.37"}, events: []string{killing},
		},
		"a sidecar": {
			pod:    newPod("p", withInitRuns(corev1.ContainerRestartPolicyAlways, "hang"), runs("hang")),
			story:  []string{"Running i:Running c:Running", "Running i:Running(1) c:Running"},
			images: []string{"docker.io/library/busybox:1.37", "docker.io/library/busybox:1.36"},
			events: []string{"Killing Init container i definition changed"},
		},
		"an init container that has ended": {
			pod:    newPod("p", withInitRuns("", "exit 0"), runs("hang")),
			story:  []string{"Running i:Completed=0 c:Running"},
			images: []string{"docker.io/library/busybox:1.36", "docker.io/library/busybox:1.36"},
		},
		"an init container that runs": {
			pod:    newPod("p", withInitRuns("", "sleep 30"), runs("hang")),
			story:  []string{"Pending i:Running c:PodInitializing", "Pending i:Completed=0 c:PodInitializing", "Running i:Completed=0 c:Running"},
			images: []string{"docker.io/library/busybox:1.36", "docker.io/library/busybox:1.36"},
		},
		"an init container that fails": {
			pod:   newPod("p", policy(corev1.RestartPolicyOnFailure), withInitRuns("", "exit 1"), runs("hang")),
			after: 35 * time.Second,
			story: []string{
				"Pending i:CrashLoopBackOff(3) c:PodInitializing", "Pending i:Error=1(4) c:PodInitializing",
				"Pending i:CrashLoopBackOff(4) c:PodInitializing", "Pending i:Error=1(5) c:PodInitializing", "Pending i:CrashLoopBackOff(5) c:PodInitializing",
			},
			images: []string{"docker.io/library/busybox:1.37", "busybox:1.36"},
		},
		"a container that has ended for good": {
			pod: newPod("p", runs("exit 0"), func(p *corev1.Pod) {
				p.Spec.Containers = append(p.Spec.Containers, p.Spec.Containers[0])
				p.Spec.Containers[1].Name, p.Spec.Containers[1].Command = "d", []string{"hang"}
			}),
			story:  []string{"Running c:Completed=0 d:Running"},
			images: []string{"docker.io/library/busybox:1.36", "docker.io/library/busybox:1.36"},
		},
		"one of two": {
			pod: newPod("p", runs("hang"), func(p *corev1.Pod) {
				p.Spec.Containers = append(p.Spec.Containers, p.Spec.Containers[0])
				p.Spec.Containers[1].Name = "d"
			}),
			story:  []string{"Running c:Running d:Running", "Running c:Running(1) d:Running"},
			images: []string{"docker.io/library/busybox:1.37", "docker.io/library/busybox:1.36"}, events: []string{killing},
		},
		"a Pod that has ended": {
			pod:    newPod("p", runs("exit 0")),
			story:  []string{"Succeeded c:Completed=0"},
			images: []string{"docker.io/library/busybox:1.36"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, engine.Manual)
			c.create(engine.Pods, tc.pod)
			c.advance(orElse(tc.after, 20*time.Second))
			told, seen := len(c.api.events), len(c.api.history)-1
			c.setImage("p", tc.which, orElse(tc.to, "busybox:1.37"))
			c.advance(30 * time.Second)
			c.api.history = c.api.history[seen:]
			if diff := cmp.Diff(tc.story, c.story("p")); diff != "" {
				t.Errorf("story (-want +got):\n%s", diff)
			}
			pod := c.api.pod(t, "p")
			if diff := cmp.Diff(tc.images, imagesOf(pod)); diff != "" {
				t.Errorf("images (-want +got):\n%s", diff)
			}
			var events []string
			for _, e := range c.api.events[told:] {
				if e.Reason == "Killing" {
					events = append(events, e.Reason+" "+e.Message)
				}
			}
			if diff := cmp.Diff(tc.events, events); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if ended := pod.Status.Phase == corev1.PodSucceeded; pod.Status.ObservedGeneration != pod.Generation && !ended {
				t.Errorf("observedGeneration %d, want %d", pod.Status.ObservedGeneration, pod.Generation)
			}
		})
	}
}

// orElse is a, or b if a is nothing.
func orElse[T comparable](a, b T) T {
	var none T
	if a == none {
		return b
	}
	return a
}

// TestAChangedImageAndARestart starts the server again before, in the middle of and after
// the change: the programs run with the images that they were started with. All that a
// status tells of the one before the present one is that it was; e2e's
// TestARestartChangesNothing has more, which a server remembers.
func TestAChangedImageAndARestart(t *testing.T) {
	steps := runs("image", "trap", "hang")
	grace := func(p *corev1.Pod) { p.Spec.TerminationGracePeriodSeconds = new(int64(10)) }
	for name, tc := range map[string]struct {
		at     time.Duration
		before string
	}{
		"before the change":        {0, "busybox:1.36\n"},
		"while the container ends": {5 * time.Second, "docker.io/library/busybox:1.36\n"},
		"after it":                 {20 * time.Second, "busybox:1.37\n"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, engine.Manual)
			c.create(engine.Pods, newPod("p", grace, steps))
			c.advance(20 * time.Second)
			if tc.at == 0 {
				c = restart(t, engine.Manual, c, &fakeRuntime{})
			}
			c.setImage("p", 0, "busybox:1.37")
			if tc.at > 0 {
				c.advance(tc.at)
				c = restart(t, engine.Manual, c, &fakeRuntime{})
			}
			c.advance(time.Minute)
			if got := c.read("p", &corev1.PodLogOptions{Previous: true}); got != tc.before {
				t.Errorf("the log before: %q, want %q", got, tc.before)
			}
			if got := c.read("p", nil); got != "busybox:1.37\n" {
				t.Errorf("the log: %q", got)
			}
			if n := c.api.pod(t, "p").Status.ContainerStatuses[0].RestartCount; n != 1 {
				t.Errorf("restarted %d times", n)
			}
		})
	}
}
