package scaling

import (
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// cpuAt is an autoscaler of some replicas whose CPU is a percentage of what it requests,
// where half of that is the target.
func cpuAt(replicas, percent int32, change ...func(*autoscalingv2.HorizontalPodAutoscaler)) *autoscalingv2.HorizontalPodAutoscaler {
	hpa := &autoscalingv2.HorizontalPodAutoscaler{Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MaxReplicas: 10}}
	hpa.Spec.Metrics = []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
		Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: new(int32(50))},
	}}}
	hpa.Status.CurrentReplicas, hpa.Status.DesiredReplicas = replicas, replicas
	hpa.Status.CurrentMetrics = []autoscalingv2.MetricStatus{{Resource: &autoscalingv2.ResourceMetricStatus{
		Current: autoscalingv2.MetricValueStatus{AverageUtilization: &percent},
	}}}
	for _, f := range change {
		f(hpa)
	}
	return hpa
}

// pods adds a metric of the Pods.
func pods(target, value string) func(*autoscalingv2.HorizontalPodAutoscaler) {
	return func(hpa *autoscalingv2.HorizontalPodAutoscaler) {
		is, want := resource.MustParse(value), resource.MustParse(target)
		hpa.Spec.Metrics = append(hpa.Spec.Metrics, autoscalingv2.MetricSpec{Pods: &autoscalingv2.PodsMetricSource{
			Metric: autoscalingv2.MetricIdentifier{Name: "requests"}, Target: autoscalingv2.MetricTarget{AverageValue: &want},
		}})
		hpa.Status.CurrentMetrics = append(hpa.Status.CurrentMetrics, autoscalingv2.MetricStatus{Pods: &autoscalingv2.PodsMetricStatus{
			Current: autoscalingv2.MetricValueStatus{AverageValue: &is},
		}})
	}
}

func noValues(hpa *autoscalingv2.HorizontalPodAutoscaler) { hpa.Status.CurrentMetrics = nil }

func tolerates(share string) func(*autoscalingv2.HorizontalPodAutoscaler) {
	return func(hpa *autoscalingv2.HorizontalPodAutoscaler) {
		q := resource.MustParse(share)
		hpa.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: &autoscalingv2.HPAScalingRules{Tolerance: &q}}
	}
}

func TestAsked(t *testing.T) {
	for name, tc := range map[string]struct {
		hpa      *autoscalingv2.HorizontalPodAutoscaler
		replicas int32
		why      string
	}{
		"four times the target asks for four times the Pods": {cpuAt(1, 200), 4, "cpu 200%, target 50%: 1 × 200 / 50 = 4"},
		"a part of a Pod is a Pod":                           {cpuAt(4, 60), 5, "cpu 60%, target 50%: 4 × 60 / 50 = 5"},
		"a tenth more is tolerated":                          {cpuAt(4, 55), 4, "cpu 55%, target 50%: within the tolerance of 10%"},
		"unless the behavior tolerates less":                 {cpuAt(4, 55, tolerates("0.05")), 5, "cpu 55%, target 50%: 4 × 55 / 50 = 5"},
		"the largest of several counts": {cpuAt(2, 10, pods("2", "5")), 5,
			"cpu 10%, target 50%: 2 × 10 / 50 = 1; requests of the Pods 5 a Pod, target 2 a Pod: 2 × 5 / 2 = 5; the largest counts, 5"},
		"without a value nothing is asked": {cpuAt(3, 0, noValues), -1, "cpu: no value"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Asked(tc.hpa); got.Replicas != tc.replicas || got.Why != tc.why {
				t.Errorf("got %d because %q, want %d because %q", got.Replicas, got.Why, tc.replicas, tc.why)
			}
		})
	}
}

func limited(reason string) func(*autoscalingv2.HorizontalPodAutoscaler) {
	return func(hpa *autoscalingv2.HorizontalPodAutoscaler) {
		hpa.Status.Conditions = append(hpa.Status.Conditions, autoscalingv2.HorizontalPodAutoscalerCondition{
			Type: autoscalingv2.ScalingLimited, Status: corev1.ConditionTrue, Reason: reason, Message: reason,
		})
	}
}

func behaves(selected autoscalingv2.ScalingPolicySelect) func(*autoscalingv2.HorizontalPodAutoscaler) {
	return func(hpa *autoscalingv2.HorizontalPodAutoscaler) {
		rules := &autoscalingv2.HPAScalingRules{SelectPolicy: &selected, Policies: []autoscalingv2.HPAScalingPolicy{
			{Type: autoscalingv2.PercentScalingPolicy, Value: 50, PeriodSeconds: 60}, {Type: autoscalingv2.PodsScalingPolicy, Value: 2, PeriodSeconds: 30},
		}}
		hpa.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: rules, ScaleDown: rules}
	}
}

func TestLimit(t *testing.T) {
	const most, least, disabled = autoscalingv2.MaxChangePolicySelect, autoscalingv2.MinChangePolicySelect, autoscalingv2.DisabledPolicySelect
	for name, tc := range map[string]struct {
		hpa   *autoscalingv2.HorizontalPodAutoscaler
		asked int32
		want  string
	}{
		"nothing limits":                         {cpuAt(4, 50), 16, ""},
		"the maximum":                            {cpuAt(10, 200, limited("TooManyReplicas")), 40, "maxReplicas is 10"},
		"the maximum, for what was asked before": {cpuAt(10, 50, limited("TooManyReplicas")), 10, ""},
		"the minimum":                            {cpuAt(1, 1, limited("TooFewReplicas")), 0, "minReplicas is 1"},
		"twice as many at once":                  {cpuAt(3, 200, limited("ScaleUpLimit")), 12, "not to more than 6 at once: twice as many as there were, or 4"},
		"policies of which the larger counts":    {cpuAt(3, 200, limited("ScaleUpLimit"), behaves(most)), 12, "scaleUp allows 50% in 60s or 2 Pods in 30s, whichever is more"},
		"policies of which the smaller counts":   {cpuAt(9, 1, limited("ScaleDownLimit"), behaves(least)), 1, "scaleDown allows 50% in 60s or 2 Pods in 30s, whichever is less"},
		"no way down":                            {cpuAt(9, 1, limited("ScaleDownLimit"), behaves(disabled)), 1, "scaleDown is Disabled"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Limit(tc.hpa, tc.asked); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestStabilized(t *testing.T) {
	for reason, want := range map[string]time.Duration{"ScaleDownStabilized": 5 * time.Minute, "ScaleUpStabilized": 0} {
		hpa := cpuAt(4, 10)
		hpa.Status.Conditions = []autoscalingv2.HorizontalPodAutoscalerCondition{{Type: autoscalingv2.AbleToScale, Status: corev1.ConditionTrue, Reason: reason}}
		if window, up, is := Stabilized(hpa); window != want || up != (reason == "ScaleUpStabilized") || !is {
			t.Errorf("%s: got %s, up %t, %t", reason, window, up, is)
		}
	}
	if _, _, is := Stabilized(cpuAt(4, 10)); is {
		t.Error("stabilized without a condition")
	}
}
