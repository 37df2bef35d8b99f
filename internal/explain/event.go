package explain

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

// told are the reasons of Events, by the kind of what they are about, that say what the
// object's own changes tell better.
func told(kind, reason string) bool {
	return slices.Contains(map[string][]string{
		"Job": {"SuccessfulCreate", "SuccessfulDelete", "Suspended", "Resumed", "Completed", "BackoffLimitExceeded", "DeadlineExceeded",
			"PodFailurePolicy", "MaxFailedIndexesExceeded", "FailedIndexes", "SuccessPolicy"},
		"Deployment":  {"ScalingReplicaSet", "DeploymentRollback"},
		"ReplicaSet":  {"SuccessfulCreate", "SuccessfulDelete", "FailedCreate"},
		"StatefulSet": {"SuccessfulCreate", "SuccessfulDelete", "RecreatingTerminatedPod", "RecreatingFailedPod"},
		"DaemonSet":   {"SuccessfulCreate", "SuccessfulDelete"},
		"HorizontalPodAutoscaler": {"SuccessfulRescale", "FailedRescale", "FailedGetScale", "FailedComputeMetricsReplicas", "SelectorRequired", "InvalidSelector",
			"AmbiguousSelector", "FailedGetResourceMetric", "FailedGetContainerResourceMetric", "FailedGetPodsMetric", "FailedGetObjectMetric", "FailedGetExternalMetric"},
		"CronJob": {"SuccessfulCreate", "SawCompletedJob", "SuccessfulDelete"},
		"Pod":     {"Scheduled", "FailedScheduling", "Created", "Started", "BackOff", "Evicted", "Pulled"},
	}[kind], reason)
}

// fieldPath is how an Event names a container.
var fieldPath = regexp.MustCompile(`^spec\.(?:initContainers|containers|ephemeralContainers)\{(.+)\}$`)

// event tells what an Event says, once for each time that it happened.
func (t *teller) event(e *corev1.Event) {
	n := max(e.Count, 1)
	if t.c.Type == watch.Deleted || n == t.counts[e.UID] || e.InvolvedObject.Kind == "Node" || e.InvolvedObject.Kind == "Fault" {
		return
	}
	t.counts[e.UID] = n
	container := ""
	if m := fieldPath.FindStringSubmatch(e.InvolvedObject.FieldPath); m != nil {
		container = m[1]
	}
	p := t.pods[e.InvolvedObject.UID]
	if p != nil {
		p.bars.event(t.c.Time, e.Reason, container)
	}
	if e.Reason == "FailedCreate" {
		t.workloadOf(e.InvolvedObject.UID).refused = e.Message
	}
	if told(e.InvolvedObject.Kind, e.Reason) || t.sameAsStatus(e) {
		return
	}
	object := kindWord(e.InvolvedObject.Kind) + "/" + e.InvolvedObject.Name
	what, why := e.Reason, e.Message
	switch {
	case e.Reason == v1alpha1.ReasonScripted && container != "":
		what, why = strings.Replace(e.Message, "the container", "container "+container, 1), ""
	case e.Reason == "Pulling" || e.Reason == "Killing":
		what, why = e.Message, ""
	case e.Reason == "Unhealthy" && container != "":
		what, why = "container "+container+": "+strings.TrimRight(e.Message, ": \n"), ""
	case container != "":
		what += " container " + container
	}
	if n > 1 {
		what += fmt.Sprintf(" (%d times by now)", n)
	}
	tone, cause := Plain, none
	if e.Type == corev1.EventTypeWarning {
		tone = Bad
	}
	if p != nil && container != "" {
		cause = p.before(container)
	}
	if p != nil && (e.Reason == "Killing" || e.Reason == "Preempted") {
		if p.killed != none {
			cause = p.killed
		}
		if p.deleted != none {
			cause = p.deleted
		}
	}
	step := t.sayOf(object, tone, what, why, cause)
	if p != nil && (e.Reason == "Pulling" || e.Reason == v1alpha1.ReasonScripted) {
		p.chain[container] = step
	}
	if p != nil && slices.Contains([]string{"Unhealthy", "Killing", "Preempted", "Preempting", "FailedPostStartHook"}, e.Reason) {
		p.killed = step
	}
}

// sameAsStatus reports whether an Event of a kubelet says what the container's state says
// too: "Failed", why its image is not there or why it could not be started; or that an
// image is pulled again for a restart.
func (t *teller) sameAsStatus(e *corev1.Event) bool {
	return e.InvolvedObject.Kind == "Pod" && (e.Reason == "Failed" || e.Reason == "Pulling" && e.Count > 1)
}
