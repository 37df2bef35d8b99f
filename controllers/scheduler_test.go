package controllers_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/feature"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// node returns a Node that has so many CPUs and takes so many Pods.
func node(name, cpu, pods string) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse(cpu),
			corev1.ResourceMemory: resource.MustParse("64Gi"),
			corev1.ResourcePods:   resource.MustParse(pods),
		}},
	}
}

func TestAPodThatFitsNowhereWaitsForANode(t *testing.T) {
	w := fullWorld(t, engine.Auto, always(time.Second, 0))
	w.create(engine.Pods, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "big"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100")},
		}}}},
	})
	pod, _ := get[*corev1.Pod](w.fakeAPI, engine.Pods, "default", "big")
	want := []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", ObservedGeneration: 1,
		Message:            "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
		LastTransitionTime: metav1.NewTime(start().Local()),
	}}
	if diff := cmp.Diff(want, pod.Status.Conditions); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
	w.create(engine.Nodes, node("node-2", "200", "10"))
	pod, _ = get[*corev1.Pod](w.fakeAPI, engine.Pods, "default", "big")
	if pod.Spec.NodeName != "node-2" || pod.Status.Phase != corev1.PodSucceeded {
		t.Errorf("Pod is %s on %q", pod.Status.Phase, pod.Spec.NodeName)
	}
	if diff := cmp.Diff([]string{"FailedScheduling", "Scheduled"}, eventsOf(w, "default-scheduler")); diff != "" {
		t.Errorf("Events (-want +got):\n%s", diff)
	}
}

func TestAJobLargerThanTheClusterRunsInRounds(t *testing.T) {
	w := jobWorld(t, engine.Auto, always(10*time.Second, 0))
	w.create(engine.Jobs, newJob("pi", size(500, 500)))
	got := summarise(t, w, "pi")
	got.Created = nil
	want := summary{Conditions: complete("CompletionsReached"), Succeed: 500, Took: 51 * time.Second}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Job (-want +got):\n%s", diff)
	}
}

// schedulerFeatures are the gates of upstream's plugins that are on by default.
func schedulerFeatures() feature.Features {
	return feature.Features{
		EnableNodeInclusionPolicyInPodTopologySpread: true, EnableMatchLabelKeysInPodTopologySpread: true, EnableStorageCapacityScoring: true,
		EnableVolumeAttributesClass: true, EnableInPlacePodVerticalScaling: true, EnablePodLevelResources: true, EnableNodeDeclaredFeatures: true,
	}
}
