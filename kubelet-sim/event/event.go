// Package event words the Events of a kubelet: all reasons and messages are here, so
// that one page shows what `kubectl describe` can say of a Pod.
//
// Invariant: an Event follows from the arguments alone. The caller writes it, and
// knows the object that it is about. The words are upstream's, as its clients look for them.
// Source: k8s.io/kubernetes pkg/kubelet v1.37.2, unless a function names another one.
package event

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	kubeletevents "k8s.io/kubernetes/pkg/kubelet/events"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

// Event is what a kubelet reports.
type Event struct {
	// Type is corev1.EventTypeNormal or EventTypeWarning.
	Type            string
	Reason, Message string
}

func normal(reason, format string, args ...any) Event {
	return Event{corev1.EventTypeNormal, reason, fmt.Sprintf(format, args...)}
}

func warning(reason, format string, args ...any) Event {
	return Event{corev1.EventTypeWarning, reason, fmt.Sprintf(format, args...)}
}

// Evicted is the reason of a Pod that its node evicts. Source: Reason in
// k8s.io/kubernetes pkg/kubelet/eviction v1.37.2.
const Evicted = "Evicted"

// Of the Pod as a whole.

// Rejected says why the Pod may not run on its node.
func Rejected(reason, message string) Event { return warning(reason, "%s", message) }

// Stopped says why the node ends the Pod.
func Stopped(reason, message string) Event {
	if reason == Evicted {
		return warning(reason, "%s", message)
	}
	return normal(reason, "%s", message)
}

// FailedMount says which volume cannot be mounted.
func FailedMount(err error) Event { return warning("FailedMount", "%v", err) }

// SandboxChanged is for a Pod whose machine has restarted.
func SandboxChanged() Event {
	return normal("SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
}

// NoAddress is for a Pod whose node has no free address.
func NoAddress(cidr string) Event {
	return warning("FailedCreatePodSandBox",
		"Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox: no IP addresses available in %s", cidr)
}

// CertificateRefused says what has become of a PodCertificateRequest. Upstream hands the
// reason over in place of the format, which shows.
func CertificateRefused(condition, reason, text string) Event {
	return warning(condition, "%s%%!(EXTRA string=%s)", reason, text)
}

// Of a resize. The messages are upstream's own functions.

// ResizeDeferred says that the node has no room for what the Pod's spec asks for.
func ResizeDeferred(pod *corev1.Pod, reason, message string) Event {
	return warning(kubeletevents.ResizeDeferred, "%s", kubeletevents.PodResizePendingMsg(klog.Background(), pod, reason, message, pod.Generation))
}

// ResizeStarted says that the Pod was given what its spec asks for.
func ResizeStarted(pod *corev1.Pod) Event {
	return normal(kubeletevents.ResizeStarted, "%s", kubeletevents.PodResizeStartedMsg(klog.Background(), pod, pod.Generation))
}

// ResizeCompleted says that the containers have it.
func ResizeCompleted(pod *corev1.Pod, generation int64) Event {
	return normal(kubeletevents.ResizeCompleted, "%s", kubeletevents.PodResizeCompletedMsg(klog.Background(), pod, generation))
}

// ResizeFailed says why the runtime cannot give it to them.
func ResizeFailed(pod *corev1.Pod, generation int64, err error) Event {
	return warning(kubeletevents.ResizeError, "%s", kubeletevents.PodResizeErrorMsg(klog.Background(), pod, generation, err.Error()))
}

// Of a container's image.

// Pulling says that the pull of an image begins.
func Pulling(image string) Event { return normal("Pulling", "Pulling image %q", image) }

// Pulled says that it has ended well. Unit of size: bytes.
func Pulled(image string, took time.Duration, size int64) Event {
	return normal("Pulled", "Successfully pulled image %q in %v (%v including waiting). Image size: %v bytes.", image, took, took, size)
}

// Present says that no pull is needed.
func Present(image string) Event {
	return normal("Pulled", "Container image %q already present on machine and can be accessed by the pod", image)
}

// PullFailed says why an image cannot be pulled.
func PullFailed(image string, err error) Event {
	return warning("Failed", "Failed to pull image %q: %v", image, err)
}

// PullBackOff says that the kubelet waits before the next pull.
func PullBackOff(message string) Event { return normal("BackOff", "%s", message) }

// InspectFailed says that a name is not the name of an image.
func InspectFailed(message string) Event { return warning("InspectFailed", "%s", message) }

// NeverPulled says that an image is missing that must not be pulled.
func NeverPulled(reason, message string) Event { return warning(reason, "%s", message) }

// Of a container's life.

// Created says that the container is there.
func Created() Event { return normal("Created", "Container created") }

// Started says that its program runs.
func Started() Event { return normal("Started", "Container started") }

// Failed says why the container does not run: a reason, or an error.
func Failed(why any) Event { return warning("Failed", "Error: %v", why) }

// RestartBackOff says that the kubelet waits before it starts the container again.
func RestartBackOff(container, pod string) Event {
	return warning("BackOff", "Back-off restarting failed container %s in pod %s", container, pod)
}

// Scripted says which PodScript runs the container. It is kubesim's own.
func Scripted(script string, attempt int) Event {
	return normal(v1alpha1.ReasonScripted, "PodScript %q runs the container, attempt %d", script, attempt)
}

// Killing says why the kubelet ends a container; the messages follow.
func Killing(message string) Event { return normal("Killing", "%s", message) }

// StoppingMessage is the message of Killing for a container that ends with its Pod.
func StoppingMessage(container string) string { return "Stopping container " + container }

// RestartAllMessage is that of a container that another one takes with it.
const RestartAllMessage = "killing"

// ResizeMessage is that of one whose resizePolicy asks for a restart.
func ResizeMessage(container string) string {
	return "Container " + container + " resize requires restart"
}

// UnfitMessage is that of one that cannot go on as it is: what says why, such as "failed
// liveness probe".
func UnfitMessage(container, what string, sidecar, restarts bool) string {
	switch {
	case sidecar:
		return "Init container " + container + " " + what
	case restarts:
		return "Container " + container + " " + what + ", will be restarted"
	}
	return "Container " + container + " " + what
}

// Of hooks and probes.

// FailedPostStartHook says that a postStart hook has failed; FailedPostStartMessage is the
// message with which its container is ended then.
func FailedPostStartHook() Event {
	return warning("FailedPostStartHook", "PostStartHook failed")
}

// FailedPostStartMessage is the message of Killing for a container whose hook has failed.
const FailedPostStartMessage = "FailedPostStartHook"

// FailedPreStopHook says that a preStop hook has failed.
func FailedPreStopHook() Event { return warning("FailedPreStopHook", "PreStopHook failed") }

// Unhealthy says what a probe has found. which is for example "Liveness".
func Unhealthy(which, output string) Event {
	return warning("Unhealthy", "%s probe failed: %s", which, output)
}

// ProbeErrored says why a probe could not be made, and what counts as its result.
func ProbeErrored(which, result string, err error) Event {
	return warning("Unhealthy", "%s probe errored and resulted in %s state: %s", which, result, err)
}

// ProbeWarning says what a probe has found that succeeds with a warning.
func ProbeWarning(which, output string) Event {
	return warning("ProbeWarning", "%s probe warning: %s", which, output)
}

// Of a node.

// Reclaiming says what a node lacks, for which it evicts a Pod.
func Reclaiming(lacks corev1.ResourceName) Event {
	return warning("EvictionThresholdMet", "Attempting to reclaim %s", lacks)
}

// FailedMirrorPod says why a static Pod has no mirror Pod. It is kubesim's own.
func FailedMirrorPod(pod string, err error) Event {
	return warning("FailedMirrorPod", "static Pod %s: %v", pod, err)
}

// FailedStaticPod says why a manifest describes no Pod. It is kubesim's own.
func FailedStaticPod(file string, err error) Event {
	return warning("FailedStaticPod", "%s: %v", file, err)
}
