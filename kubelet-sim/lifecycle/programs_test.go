package lifecycle

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/cri"
)

func shell(script string) option { return runs("/bin/sh", "-c", script) }

func ofImage(name string, command ...string) option {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Image, p.Spec.Containers[0].Command = name, command
	}
}

// The simulated programs run as the kubelet's containers.
func TestPrograms(t *testing.T) {
	for name, tc := range map[string]struct {
		pod  *corev1.Pod
		last string
		log  string
		took time.Duration
	}{
		"a shell that fails": {
			pod: newPod("p", shell("echo start; sleep 30; exit 3")), last: "Failed c:Error=3", log: "start\n", took: 30 * time.Second,
		},
		"failOnce of upstream's e2e": {
			pod:  newPod("p", policy(corev1.RestartPolicyOnFailure), ofJob(), withVolume("data"), shell("if [[ -r /data/foo ]] ; then exit 0 ; else touch /data/foo ; exit 1 ; fi")),
			last: "Succeeded c:Completed=0(1)",
		},
		"an unknown program": {
			pod: newPod("p", ofImage("python:3.12", "python", "manage.py", "migrate")), last: "Succeeded c:Completed=0", took: 5 * time.Second,
			log: "kubesim: simulated \"python manage.py migrate\"\n",
		},
		"a program that a known image lacks": {
			pod: newPod("p", ofImage("busybox:1.36", "no-such-thing")), last: "Failed c:StartError=128",
		},
		"busybox without a command": {
			pod: newPod("p", ofImage("busybox:1.36")), last: "Succeeded c:Completed=0",
		},
		"a server runs on": {
			pod: newPod("p", policy(corev1.RestartPolicyAlways), ofImage("nginx:1.27")), last: "Running c:Running",
		},
		"a termination message": {
			pod: newPod("p", shell("echo because > /dev/termination-log; exit 1")), last: "Failed c:Error=1",
		},
		"an image that does not exist": {
			pod: newPod("p", ofImage("nginx:1.99-nonexistent")), last: "Pending c:ImagePullBackOff",
			log: `error: container "c" in pod "p" is waiting to start: trying and failing to pull image`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := restart(t, engine.Auto, nil, cri.Simulated())
			c.create(engine.Pods, tc.pod)
			story := c.story("p")
			if got := story[len(story)-1]; got != tc.last {
				t.Errorf("in the end %s, want %s", got, tc.last)
			}
			if m := c.api.pod(t, "p").Status.ContainerStatuses[0].State.Terminated; m != nil && m.Message != "" {
				t.Logf("message: %s", m.Message)
			}
			if got := c.read("p", nil); tc.log != "" && got != tc.log {
				t.Errorf("log (-want +got):\n%s", cmp.Diff(tc.log, got))
			}
			if took := c.engine.Now().Sub(noon); took < tc.took || took > tc.took+4*time.Second {
				t.Errorf("took %s, want %s", took, tc.took)
			}
			if strings.HasPrefix(name, "a termination") {
				if got := c.api.pod(t, "p").Status.ContainerStatuses[0].State.Terminated.Message; got != "because\n" {
					t.Errorf("message %q", got)
				}
			}
		})
	}
}

func TestTrapOnDeletion(t *testing.T) {
	c := restart(t, engine.Auto, nil, cri.Simulated())
	c.create(engine.Pods, newPod("p", shell(`_term(){ sleep 5; exit 143; }; trap _term SIGTERM; while true; do sleep 1; done`), policy(corev1.RestartPolicyAlways)))
	at := c.engine.Now()
	c.delete("p")
	story := c.story("p")
	if got := story[len(story)-1]; got != "Failed c:Error=143" {
		t.Errorf("in the end %s", got)
	}
	if took := c.engine.Now().Sub(at); took < 5*time.Second || took > 6*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestTerminationMessageIsCutOff(t *testing.T) {
	fallBack := func(p *corev1.Pod) {
		p.Spec.Containers[0].TerminationMessagePolicy = corev1.TerminationMessageFallbackToLogsOnError
	}
	for name, tc := range map[string]struct {
		pod    *corev1.Pod
		length int
		begin  string
	}{
		"a file":             {newPod("p", shell("seq 1000 9999 > /dev/termination-log")), messageMax, "\n9181\n"},
		"the end of a log":   {newPod("p", fallBack, shell("seq -f %099g 1 1000; exit 1")), messageLogMax, "00000"},
		"eighty lines of it": {newPod("p", fallBack, shell("seq 101 200; exit 1")), 4 * messageLogLinesMax, "121"},
	} {
		t.Run(name, func(t *testing.T) {
			c := restart(t, engine.Auto, nil, cri.Simulated())
			c.create(engine.Pods, tc.pod)
			got := c.api.pod(t, "p").Status.ContainerStatuses[0].State.Terminated.Message
			if len(got) != tc.length || !strings.HasPrefix(got, tc.begin) {
				t.Errorf("%d bytes that begin with %.9q, want %d that begin with %q", len(got), got, tc.length, tc.begin)
			}
		})
	}
}
