package explain

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// autoscalerOf scales deployment/web between 1 and 4, with a target of 50% of the CPU.
func autoscalerOf(change ...func(*autoscalingv2.HorizontalPodAutoscaler)) *autoscalingv2.HorizontalPodAutoscaler {
	hpa := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default", UID: "hpa-uid"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: "web"}, MinReplicas: ptrTo[int32](1), MaxReplicas: 4,
			Metrics: []autoscalingv2.MetricSpec{{Resource: &autoscalingv2.ResourceMetricSource{
				Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{AverageUtilization: ptrTo[int32](50)},
			}}},
		},
	}
	for _, f := range change {
		f(hpa)
	}
	return hpa
}

// looked is what a look has found and decided.
func looked(current, desired, percent int32) func(*autoscalingv2.HorizontalPodAutoscaler) {
	return func(hpa *autoscalingv2.HorizontalPodAutoscaler) {
		hpa.Status.CurrentReplicas, hpa.Status.DesiredReplicas = current, desired
		hpa.Status.CurrentMetrics = []autoscalingv2.MetricStatus{{Resource: &autoscalingv2.ResourceMetricStatus{
			Current: autoscalingv2.MetricValueStatus{AverageUtilization: &percent},
		}}}
		says(autoscalingv2.ScalingActive, "True", "ValidMetricFound", "")(hpa)
	}
}

func says(kind autoscalingv2.HorizontalPodAutoscalerConditionType, status corev1.ConditionStatus, reason, message string) func(*autoscalingv2.HorizontalPodAutoscaler) {
	return func(hpa *autoscalingv2.HorizontalPodAutoscaler) {
		hpa.Status.Conditions = append(hpa.Status.Conditions, autoscalingv2.HorizontalPodAutoscalerCondition{Type: kind, Status: status, Reason: reason, Message: message})
	}
}

func scaledAt(after time.Duration) func(*autoscalingv2.HorizontalPodAutoscaler) {
	return func(hpa *autoscalingv2.HorizontalPodAutoscaler) {
		hpa.Status.LastScaleTime = &metav1.Time{Time: noon.Add(after)}
	}
}

const byAutoscaler = "podautoscaler/default/web"

// scaledUp are the commits of an autoscaler that has gone to its limit at its second look.
func scaledUp() *past {
	p := at(0).then(0, "client/ann", autoscalerOf())
	p.then(15*time.Second, byAutoscaler, autoscalerOf(looked(1, 4, 200), scaledAt(15*time.Second), says(autoscalingv2.AbleToScale, "True", "SucceededRescale", "")))
	return p.then(15*time.Second, byAutoscaler, autoscalerOf(looked(4, 4, 200), scaledAt(15*time.Second), says(autoscalingv2.ScalingLimited, "True", "TooManyReplicas", "")))
}

func TestAnAutoscalerSaysWhatChoseTheNumber(t *testing.T) {
	stabilized := says(autoscalingv2.AbleToScale, "True", "ScaleDownStabilized", "")
	old := scaledAt(15 * time.Second)
	for name, tc := range map[string]struct {
		past *past
		want []string
	}{
		"up to the limit": {scaledUp(), []string{
			"created: keeps deployment/web between 1 and 4 replicas, cpu at 50%",
			"scales deployment/web from 1 to 4 because cpu 200%, target 50%: 1 × 200 / 50 = 4",
			"keeps 4 replicas because cpu 200%, target 50%: 4 × 200 / 50 = 16; maxReplicas is 4",
		}},
		"nothing new is not told": {scaledUp().then(15*time.Second, byAutoscaler, autoscalerOf(looked(4, 4, 190), old, says(autoscalingv2.ScalingLimited, "True", "TooManyReplicas", ""))), []string{
			"created: keeps deployment/web between 1 and 4 replicas, cpu at 50%",
			"scales deployment/web from 1 to 4 because cpu 200%, target 50%: 1 × 200 / 50 = 4",
			"keeps 4 replicas because cpu 200%, target 50%: 4 × 200 / 50 = 16; maxReplicas is 4",
		}},
		"the window keeps what was asked for": {scaledUp().then(15*time.Second, byAutoscaler, autoscalerOf(looked(4, 4, 10), old, stabilized)), []string{
			"keeps 4 replicas because cpu 10%, target 50%: 4 × 10 / 50 = 1; a look of the last 5m has asked for more, until 5m30s",
		}},
		"and ends": {scaledUp().then(15*time.Second, byAutoscaler, autoscalerOf(looked(4, 4, 10), old, stabilized)).
			then(5*time.Minute, byAutoscaler, autoscalerOf(looked(4, 1, 10), scaledAt(6*time.Minute))), []string{
			"scales deployment/web from 4 to 1 because cpu 10%, target 50%: 4 × 10 / 50 = 1",
		}},
		"within the tolerance": {scaledUp().then(15*time.Second, byAutoscaler, autoscalerOf(looked(4, 4, 54), old)), []string{
			"keeps 4 replicas because cpu 54%, target 50%: within the tolerance of 10%",
		}},
		"no metrics": {at(0).then(0, "client/ann", autoscalerOf()).then(0, byAutoscaler, autoscalerOf(says(autoscalingv2.ScalingActive, "False", "FailedGetResourceMetric", "no metrics returned"))), []string{
			"cannot decide: FailedGetResourceMetric because no metrics returned",
		}},
		"no target": {at(0).then(0, "client/ann", autoscalerOf()).then(0, byAutoscaler, autoscalerOf(says(autoscalingv2.AbleToScale, "False", "FailedGetScale", "not found"))), []string{
			"cannot decide: FailedGetScale because not found",
		}},
		"scaled to nothing": {scaledUp().then(0, byAutoscaler, autoscalerOf(old, says(autoscalingv2.ScalingActive, "False", "ScalingDisabled", "zero"))), []string{
			"does nothing because deployment/web has 0 replicas",
		}},
		"too many": {scaledUp().then(0, byAutoscaler, autoscalerOf(scaledAt(30*time.Second), says(autoscalingv2.AbleToScale, "True", "SucceededRescale", ""), func(hpa *autoscalingv2.HorizontalPodAutoscaler) {
			hpa.Status.CurrentReplicas, hpa.Status.DesiredReplicas = 9, 4
		})), []string{"scales deployment/web from 9 to 4 because maxReplicas is 4"}},
		"another limit": {scaledUp().then(0, "client/ann", autoscalerOf(func(hpa *autoscalingv2.HorizontalPodAutoscaler) { hpa.Spec.MaxReplicas = 8 })), []string{"maxReplicas changed from 4 to 8"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, step := range Tell(Target{Kind: "HorizontalPodAutoscaler", Namespace: "default", Name: "web"}, tc.past.commits, noon.Add(tc.past.now)).Steps {
				got = append(got, words(" because ", step.What, step.Why))
			}
			for _, want := range tc.want {
				if !slices.Contains(got, want) {
					t.Errorf("no step %q in\n%s", want, strings.Join(got, "\n"))
				}
			}
			if name == "nothing new is not told" && len(got) != len(tc.want) {
				t.Errorf("got the steps\n%s", strings.Join(got, "\n"))
			}
		})
	}
}

func TestTheChartOfAnAutoscalerShowsWhatItGot(t *testing.T) {
	readyOf := func(n int32) *appsv1.Deployment {
		return webOf("app:1", func(d *appsv1.Deployment) { d.Status.ReadyReplicas = n })
	}
	p := at(0).then(0, "client/ann", readyOf(1)).then(time.Second, "client/ann", autoscalerOf())
	p.then(15*time.Second, byAutoscaler, autoscalerOf(looked(1, 4, 200), scaledAt(16*time.Second))).then(time.Second, "deployment/default/web", readyOf(3))
	story := Tell(Target{Kind: "HorizontalPodAutoscaler", Namespace: "default", Name: "web"}, p.commits, noon.Add(p.now))
	var got []string
	for _, s := range story.Scaling.Samples {
		load := "none"
		if s.Load[0] != nil {
			load = fmt.Sprint(*s.Load[0])
		}
		got = append(got, fmt.Sprintf("%s: load %s, wants %d, has %d, from %d to %d", Offset(s.At.Sub(story.Start)), load, s.Desired, s.Ready, s.Min, s.Max))
	}
	want := []string{"0s: load none, wants 0, has 1, from 1 to 4", "15s: load 4, wants 4, has 1, from 1 to 4", "16s: load 4, wants 4, has 3, from 1 to 4"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
	for _, step := range story.Steps {
		if step.Object != "hpa/web" {
			t.Errorf("the story has a step of %s: %s", step.Object, step.What)
		}
	}
}
