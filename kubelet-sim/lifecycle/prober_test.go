package lifecycle

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/cri"
	"github.com/kubesim-dev/kubesim/kubelet-sim/prober"
)

func execProbe(script string) corev1.ProbeHandler {
	return corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"/bin/sh", "-c", script}}}
}

func httpProbe(path string, port int32) corev1.ProbeHandler {
	return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt32(port), Scheme: corev1.URISchemeHTTP}}
}

func tcpProbe(port int32) corev1.ProbeHandler {
	return corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(port)}}
}

func grpcProbe(port int32) corev1.ProbeHandler {
	return corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: port}}
}

// probed gives the Pod's container a probe that is asked every 5 seconds and
// may fail twice.
func probed(t prober.Type, handler corev1.ProbeHandler, changes ...func(*corev1.Probe)) option {
	probe := &corev1.Probe{ProbeHandler: handler, PeriodSeconds: 5, TimeoutSeconds: 1, SuccessThreshold: 1, FailureThreshold: 2}
	for _, change := range changes {
		change(probe)
	}
	return func(p *corev1.Pod) {
		c := &p.Spec.Containers[0]
		switch t {
		case prober.Startup:
			c.StartupProbe = probe
		case prober.Readiness:
			c.ReadinessProbe = probe
		default:
			c.LivenessProbe = probe
		}
	}
}

func TestProbeTexts(t *testing.T) {
	always := policy(corev1.RestartPolicyAlways)
	idle := shell("sleep 1000000")
	for name, tc := range map[string]struct {
		pod  *corev1.Pod
		want string // the first Event after Started, IP for the Pod's IP
	}{
		"a command that fails":   {newPod("p", always, idle, probed(prober.Liveness, execProbe("echo bad; exit 1"))), "Unhealthy Liveness probe failed: bad\n"},
		"a command that is slow": {newPod("p", always, idle, probed(prober.Readiness, execProbe("sleep 9"))), `Unhealthy Readiness probe failed: command timed out: "/bin/sh -c sleep 9" timed out after 1s`},
		"an http port that is shut": {
			newPod("p", always, idle, probed(prober.Startup, httpProbe("/healthz", 8080))),
			`Unhealthy Startup probe failed: Get "http://IP:8080/healthz": dial tcp IP:8080: connect: connection refused`,
		},
		"a page that is not there": {newPod("p", always, ofImage("nginx:1.27"), probed(prober.Liveness, httpProbe("/nope", 80))), "Unhealthy Liveness probe failed: HTTP probe failed with statuscode: 404"},
		"an https request to an http server": {
			newPod("p", always, ofImage("nginx:1.27"), probed(prober.Liveness, httpProbe("/", 80), func(p *corev1.Probe) { p.HTTPGet.Scheme = corev1.URISchemeHTTPS })),
			`Unhealthy Liveness probe failed: Get "https://IP:80/": http: server gave HTTP response to HTTPS client`,
		},
		"a server that does not speak http": {
			newPod("p", always, ofImage("redis:7"), probed(prober.Liveness, httpProbe("/", 6379))),
			`Unhealthy Liveness probe failed: Get "http://IP:6379/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
		},
		"a tcp port that is shut": {newPod("p", always, idle, probed(prober.Liveness, tcpProbe(80))), "Unhealthy Liveness probe failed: dial tcp IP:80: connect: connection refused"},
		"a server that does not speak grpc": {
			newPod("p", always, ofImage("nginx:1.27"), probed(prober.Liveness, grpcProbe(80))),
			`Unhealthy Liveness probe failed: timeout: failed to connect service "IP:80" within 1s: context deadline exceeded`,
		},
		"a port that has no such name": {
			newPod("p", always, idle, probed(prober.Liveness, corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString("web")}})),
			`Unhealthy Liveness probe errored and resulted in unknown state: port "web" not found`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := restart(t, engine.Manual, nil, cri.Simulated())
			c.create(engine.Pods, tc.pod)
			c.advance(20 * time.Second)
			events := since(c.happened("p"), "Started")
			if len(events) < 2 {
				t.Fatal("no Event of a probe")
			}
			want := strings.ReplaceAll(tc.want, "IP", c.api.pod(t, "p").Status.PodIP)
			if diff := cmp.Diff(want, events[1]); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProbesThatSucceedSayNothing(t *testing.T) {
	for name, pod := range map[string]*corev1.Pod{
		"a command": newPod("p", shell("sleep 100000"), probed(prober.Liveness, execProbe("test $HOME")), probed(prober.Readiness, execProbe("true"))),
		"a page":    newPod("p", ofImage("nginx:1.27"), probed(prober.Liveness, httpProbe("/", 80)), probed(prober.Readiness, tcpProbe(80))),
		"grpc":      newPod("p", ofImage("registry.k8s.io/e2e-test-images/agnhost:2.55", "/agnhost", "grpc-health-checking"), probed(prober.Liveness, grpcProbe(5000)), probed(prober.Readiness, grpcProbe(5000))),
		"what a variable of the spec says": newPod("p", shell("sleep 100000"), probed(prober.Readiness, corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"test", "$(A)", "=", "b"}}}), func(p *corev1.Pod) {
			p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "A", Value: "b"}}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			c := restart(t, engine.Manual, nil, cri.Simulated())
			c.create(engine.Pods, pod)
			c.advance(time.Minute)
			if events := since(c.happened("p"), "Started"); len(events) != 1 {
				t.Errorf("events: %q", events[1:])
			}
			if status := c.api.pod(t, "p").Status.ContainerStatuses[0]; !status.Ready || status.RestartCount != 0 {
				t.Errorf("ready %v, %d restarts", status.Ready, status.RestartCount)
			}
		})
	}
}

// The example of the documentation: healthy for 30 seconds, then not any more.
func TestLivenessRestarts(t *testing.T) {
	c := restart(t, engine.Manual, nil, cri.Simulated())
	thirty := int64(30)
	c.create(engine.Pods, newPod("p", policy(corev1.RestartPolicyAlways), func(p *corev1.Pod) { p.Spec.TerminationGracePeriodSeconds = &thirty }, shell("touch /tmp/healthy; sleep 30; rm -f /tmp/healthy; sleep 600"),
		probed(prober.Liveness, execProbe("cat /tmp/healthy"), func(p *corev1.Probe) { p.InitialDelaySeconds, p.FailureThreshold = 5, 3 })))
	c.advance(50 * time.Second)
	events := since(c.happened("p"), "Unhealthy")
	want := []string{
		"Unhealthy Liveness probe failed: cat: can't open '/tmp/healthy': No such file or directory\n",
		"Killing Container c failed liveness probe, will be restarted",
	}
	if diff := cmp.Diff(want, slices.Compact(events)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	c.advance(35 * time.Second) // sleep ignores SIGTERM as process 1: all 30 s of grace
	if diff := cmp.Diff([]string{"Pending", "Pending c:ContainerCreating", "Running c:Running", "Running c:Running(1)"}, c.story("p")); diff != "" {
		t.Errorf("story (-want +got):\n%s", diff)
	}
	last := c.api.pod(t, "p").Status.ContainerStatuses[0].LastTerminationState.Terminated
	if last == nil || last.ExitCode != 137 || last.FinishedAt.Sub(last.StartedAt.Time) > 80*time.Second {
		t.Errorf("last state: %v", last)
	}
}

func TestLivenessBacksOff(t *testing.T) {
	c := restart(t, engine.Manual, nil, cri.Simulated())
	two := int64(2)
	c.create(engine.Pods, newPod("p", policy(corev1.RestartPolicyAlways), shell("trap 'exit 0' TERM; while true; do sleep 1; done"),
		probed(prober.Liveness, execProbe("false"), func(p *corev1.Probe) { p.TerminationGracePeriodSeconds = &two })))
	c.advance(3 * time.Minute)
	want := []string{
		"Pending", "Pending c:ContainerCreating", "Running c:Running", "Running c:Running(1)", "Running c:Running(2)",
		"Running c:CrashLoopBackOff(2)", "Running c:Running(3)", "Running c:CrashLoopBackOff(3)", "Running c:Running(4)", "Running c:CrashLoopBackOff(4)",
		"Running c:Running(5)", "Running c:CrashLoopBackOff(5)",
	}
	if diff := cmp.Diff(want, c.story("p")); diff != "" {
		t.Errorf("story (-want +got):\n%s", diff)
	}
}

func TestStartupProbe(t *testing.T) {
	always := policy(corev1.RestartPolicyAlways)
	slow := shell("sleep 22; touch /tmp/up; sleep 100000")
	probes := []option{probed(prober.Startup, execProbe("test -e /tmp/up"), func(p *corev1.Probe) { p.FailureThreshold = 10 }), probed(prober.Liveness, execProbe("test -e /tmp/up")), probed(prober.Readiness, execProbe("true"))}
	c := restart(t, engine.Auto, nil, cri.Simulated())
	c.create(engine.Pods, newPod("p", append(probes, always, slow)...))
	status := c.api.pod(t, "p").Status.ContainerStatuses[0]
	if !*status.Started || !status.Ready || status.RestartCount != 0 {
		t.Errorf("started %v, ready %v, %d restarts", *status.Started, status.Ready, status.RestartCount)
	}
	if took := c.engine.Now().Sub(noon); took != 25*time.Second {
		t.Errorf("took %s, want 25s, the first tick after the file is there", took)
	}

	c = restart(t, engine.Manual, nil, cri.Simulated())
	c.create(engine.Pods, newPod("p", always, slow, probed(prober.Startup, execProbe("test -e /tmp/up"))))
	c.advance(11 * time.Second)
	if events := c.happened("p"); !slices.Contains(events, "Killing Container c failed startup probe, will be restarted") {
		t.Errorf("events: %v", events)
	}
}

func TestLivenessUnderNeverEndsThePod(t *testing.T) {
	c := restart(t, engine.Manual, nil, cri.Simulated())
	c.create(engine.Pods, newPod("p", shell("sleep 100000"), probed(prober.Liveness, execProbe("exit 1"))))
	c.advance(time.Minute)
	events := c.happened("p")
	if got := events[len(events)-1]; got != "Killing Stopping container c" {
		t.Errorf("the last event: %s", got)
	}
	if story := c.story("p"); story[len(story)-1] != "Failed c:Error=137" {
		t.Errorf("story: %v", story)
	}
}

func TestSidecarsProbes(t *testing.T) {
	withSidecar := func(p *corev1.Pod) {
		always := corev1.ContainerRestartPolicyAlways
		side := *p.Spec.Containers[0].DeepCopy()
		side.Name, side.RestartPolicy = "s", &always
		side.Command = []string{"/bin/sh", "-c", "trap 'exit 0' TERM; sleep 12; touch /tmp/up; while true; do sleep 1; done"}
		side.StartupProbe = &corev1.Probe{ProbeHandler: execProbe("test -e /tmp/up"), PeriodSeconds: 5, SuccessThreshold: 1, FailureThreshold: 9, TimeoutSeconds: 1}
		p.Spec.InitContainers = []corev1.Container{side}
	}
	c := restart(t, engine.Auto, nil, cri.Simulated())
	c.create(engine.Pods, newPod("p", shell("sleep 5"), withSidecar))
	want := []string{
		"Pending", "Pending s:PodInitializing c:PodInitializing", "Pending s:Running c:PodInitializing", "Running s:Running c:Running",
		"Running s:Running c:Completed=0", "Succeeded s:Completed=0 c:Completed=0",
	}
	if diff := cmp.Diff(want, c.story("p")); diff != "" {
		t.Errorf("story (-want +got):\n%s", diff)
	}
	if took := c.engine.Now().Sub(noon); took < 20*time.Second || took > 23*time.Second {
		t.Errorf("took %s", took)
	}
}
