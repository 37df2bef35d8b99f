package event

import (
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestWords has a row for each thing that a kubelet reports, as `kubectl describe` shows
// it: a word that changes there changes here too, with the release that has it.
func TestWords(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web-0", Generation: 2}}
	cause := errors.New("no such thing")
	for _, tc := range []struct {
		got                   Event
		kind, reason, message string
	}{
		{Rejected("OutOfcpu", "Node didn't have enough resource: cpu"), "Warning", "OutOfcpu", "Node didn't have enough resource: cpu"},
		{Stopped(Evicted, "The node was low on resource: memory. "), "Warning", "Evicted", "The node was low on resource: memory. "},
		{Stopped("DeadlineExceeded", "Pod was active on the node longer than the specified deadline"), "Normal", "DeadlineExceeded", "Pod was active on the node longer than the specified deadline"},
		{FailedMount(cause), "Warning", "FailedMount", "no such thing"},
		{SandboxChanged(), "Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created."},
		{NoAddress("10.244.0.0/24"), "Warning", "FailedCreatePodSandBox", "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox: no IP addresses available in 10.244.0.0/24"},
		{CertificateRefused("Denied", "Policy", "not today"), "Warning", "Denied", "Policy%!(EXTRA string=not today)"},

		{Pulling("busybox"), "Normal", "Pulling", `Pulling image "busybox"`},
		{Pulled("busybox", 1500*time.Millisecond, 2_160_406), "Normal", "Pulled", `Successfully pulled image "busybox" in 1.5s (1.5s including waiting). Image size: 2160406 bytes.`},
		{Present("busybox"), "Normal", "Pulled", `Container image "busybox" already present on machine and can be accessed by the pod`},
		{PullFailed("nosuch", cause), "Warning", "Failed", `Failed to pull image "nosuch": no such thing`},
		{PullBackOff(`Back-off pulling image "nosuch"`), "Normal", "BackOff", `Back-off pulling image "nosuch"`},
		{InspectFailed("Failed to apply default image tag"), "Warning", "InspectFailed", "Failed to apply default image tag"},
		{NeverPulled("ErrImageNeverPull", "Container image is not present"), "Warning", "ErrImageNeverPull", "Container image is not present"},

		{Created(), "Normal", "Created", "Container created"},
		{Started(), "Normal", "Started", "Container started"},
		{Failed("ErrImagePull"), "Warning", "Failed", "Error: ErrImagePull"},
		{Failed(cause), "Warning", "Failed", "Error: no such thing"},
		{RestartBackOff("main", "web-0_default(6b4f)"), "Warning", "BackOff", "Back-off restarting failed container main in pod web-0_default(6b4f)"},
		{Scripted("flaky", 2), "Normal", "Scripted", `PodScript "flaky" runs the container, attempt 2`},
		{Killing(StoppingMessage("main")), "Normal", "Killing", "Stopping container main"},
		{Killing(ResizeMessage("main")), "Normal", "Killing", "Container main resize requires restart"},
		{Killing(UnfitMessage("main", "failed liveness probe", false, true)), "Normal", "Killing", "Container main failed liveness probe, will be restarted"},
		{Killing(UnfitMessage("main", "failed startup probe", false, false)), "Normal", "Killing", "Container main failed startup probe"},
		{Killing(UnfitMessage("proxy", "failed liveness probe", true, true)), "Normal", "Killing", "Init container proxy failed liveness probe"},

		{FailedPostStartHook(), "Warning", "FailedPostStartHook", "PostStartHook failed"},
		{FailedPreStopHook(), "Warning", "FailedPreStopHook", "PreStopHook failed"},
		{Unhealthy("Liveness", "HTTP probe failed with statuscode: 500"), "Warning", "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500"},
		{ProbeErrored("Readiness", "unknown", cause), "Warning", "Unhealthy", "Readiness probe errored and resulted in unknown state: no such thing"},
		{ProbeWarning("Startup", "Probe terminated redirects"), "Warning", "ProbeWarning", "Startup probe warning: Probe terminated redirects"},

		{ResizeDeferred(pod, corev1.PodReasonDeferred, "Node didn't have enough resource: cpu"), "Warning", "ResizeDeferred", `Pod resize Deferred: {"generation":2,"error":"Node didn't have enough resource: cpu"}`},
		{ResizeStarted(pod), "Normal", "ResizeStarted", `Pod resize started: {"generation":2}`},
		{ResizeCompleted(pod, 2), "Normal", "ResizeCompleted", `Pod resize completed: {"generation":2}`},
		{ResizeFailed(pod, 2, cause), "Warning", "ResizeError", `Pod resize error: {"generation":2,"error":"no such thing"}`},

		{Reclaiming(corev1.ResourceMemory), "Warning", "EvictionThresholdMet", "Attempting to reclaim memory"},
		{FailedMirrorPod("web-node-1", cause), "Warning", "FailedMirrorPod", "static Pod web-node-1: no such thing"},
		{FailedStaticPod("/etc/kubernetes/manifests/web.yaml", cause), "Warning", "FailedStaticPod", "/etc/kubernetes/manifests/web.yaml: no such thing"},
	} {
		if want := (Event{tc.kind, tc.reason, tc.message}); tc.got != want {
			t.Errorf("got  %q\nwant %q", tc.got, want)
		}
	}
}
