// Package scaling says in words what the metrics of a HorizontalPodAutoscaler ask for, and
// which of its rules limits that.
//
// Invariant: it is pure, and knows no more than the autoscaler's own object.
package scaling

import (
	"fmt"
	"math"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/kubesim-dev/kubesim/controllers/podautoscaler"
)

// Metric is one metric of an autoscaler, as its last look has found it.
type Metric struct {
	Name string
	// Target is what it should be, Value what it is, empty if there is none.
	Target, Value string
	// Ratio is Value as a share of Target.
	Ratio float64
	// whole says that the target is for all Pods together: Value / Target Pods are wanted.
	whole bool
}

// Metrics are those of an autoscaler, in the order of its spec.
func Metrics(hpa *autoscalingv2.HorizontalPodAutoscaler) []Metric {
	out := make([]Metric, len(hpa.Spec.Metrics))
	for i := range hpa.Spec.Metrics {
		name, target := spec(&hpa.Spec.Metrics[i])
		out[i] = Metric{Name: name, Target: targetText(target)}
		if i < len(hpa.Status.CurrentMetrics) {
			if value := value(&hpa.Status.CurrentMetrics[i]); value != nil {
				out[i].measure(target, value)
			}
		}
	}
	return out
}

func spec(m *autoscalingv2.MetricSpec) (name string, target autoscalingv2.MetricTarget) {
	switch {
	case m.Resource != nil:
		return string(m.Resource.Name), m.Resource.Target
	case m.ContainerResource != nil:
		return fmt.Sprintf("%s of container %s", m.ContainerResource.Name, m.ContainerResource.Container), m.ContainerResource.Target
	case m.Pods != nil:
		return m.Pods.Metric.Name + " of the Pods", m.Pods.Target
	case m.Object != nil:
		return fmt.Sprintf("%s of %s/%s", m.Object.Metric.Name, strings.ToLower(m.Object.DescribedObject.Kind), m.Object.DescribedObject.Name), m.Object.Target
	case m.External != nil:
		return "external " + m.External.Metric.Name, m.External.Target
	}
	return string(m.Type), target
}

// value is nil if there is no metric.
func value(m *autoscalingv2.MetricStatus) *autoscalingv2.MetricValueStatus {
	switch {
	case m.Resource != nil:
		return &m.Resource.Current
	case m.ContainerResource != nil:
		return &m.ContainerResource.Current
	case m.Pods != nil:
		return &m.Pods.Current
	case m.Object != nil:
		return &m.Object.Current
	case m.External != nil:
		return &m.External.Current
	}
	return nil
}

func targetText(target autoscalingv2.MetricTarget) string {
	switch {
	case target.AverageUtilization != nil:
		return fmt.Sprintf("%d%%", *target.AverageUtilization)
	case target.AverageValue != nil:
		return target.AverageValue.String() + " a Pod"
	case target.Value != nil:
		return target.Value.String()
	}
	return string(target.Type)
}

func (m *Metric) measure(target autoscalingv2.MetricTarget, is *autoscalingv2.MetricValueStatus) {
	share := func(is, of *resource.Quantity) float64 { return is.AsApproximateFloat64() / of.AsApproximateFloat64() }
	switch {
	case target.AverageUtilization != nil && is.AverageUtilization != nil:
		m.Value, m.Ratio = fmt.Sprintf("%d%%", *is.AverageUtilization), float64(*is.AverageUtilization)/float64(*target.AverageUtilization)
	case target.AverageValue != nil && is.AverageValue != nil:
		m.Value, m.Ratio = is.AverageValue.String()+" a Pod", share(is.AverageValue, target.AverageValue)
	case target.Value != nil && is.Value != nil:
		m.Value, m.Ratio, m.whole = is.Value.String(), share(is.Value, target.Value), true
	}
}

// Ask is what the metrics ask for.
type Ask struct {
	// Replicas is the largest number that a metric asks for; -1 if none says anything.
	Replicas int32
	// Why has each metric's computation.
	Why string
}

// Asked computes what the metrics of the last look ask for, with the formula of the
// documentation: ceil(replicas × value / target), and no change within the tolerance.
func Asked(hpa *autoscalingv2.HorizontalPodAutoscaler) Ask {
	ask := Ask{Replicas: -1}
	current := hpa.Status.CurrentReplicas
	var parts []string
	for _, m := range Metrics(hpa) {
		if m.Value == "" {
			parts = append(parts, m.Name+": no value")
			continue
		}
		n, text := m.ask(current, podautoscaler.Tolerance(hpa, m.Ratio > 1))
		ask.Replicas = max(ask.Replicas, n)
		parts = append(parts, fmt.Sprintf("%s %s, target %s: %s", m.Name, m.Value, m.Target, text))
	}
	if len(parts) > 1 && ask.Replicas >= 0 {
		parts = append(parts, fmt.Sprintf("the largest counts, %d", ask.Replicas))
	}
	ask.Why = strings.Join(parts, "; ")
	return ask
}

func (m *Metric) ask(current int32, tolerance float64) (replicas int32, why string) {
	if 1-tolerance <= m.Ratio && m.Ratio <= 1+tolerance { // as upstream compares them
		return current, fmt.Sprintf("within the tolerance of %.3g%%", tolerance*100)
	}
	n := int32(min(math.Ceil(m.Ratio*float64(current)), math.MaxInt32))
	return n, fmt.Sprintf("%d × %s / %s = %d", current, plain(m.Value), plain(m.Target), n)
}

// plain is a number without what it counts.
func plain(text string) string { return strings.TrimSuffix(strings.TrimSuffix(text, " a Pod"), "%") }

// Limit says which rule keeps an autoscaler from the number that its metrics ask for, as
// the conditions of the last look have it; nothing if none does. The conditions are about
// what the window has left of asked, which may be limited the other way.
func Limit(hpa *autoscalingv2.HorizontalPodAutoscaler, asked int32) string {
	c := Condition(hpa, autoscalingv2.ScalingLimited)
	if c == nil || c.Status != corev1.ConditionTrue {
		return ""
	}
	if isUp := c.Reason == "TooManyReplicas" || c.Reason == "ScaleUpLimit"; isUp && asked <= hpa.Status.DesiredReplicas || !isUp && asked >= hpa.Status.DesiredReplicas {
		return ""
	}
	switch b := hpa.Spec.Behavior; c.Reason {
	case "TooManyReplicas":
		return fmt.Sprintf("maxReplicas is %d", hpa.Spec.MaxReplicas)
	case "TooFewReplicas":
		return fmt.Sprintf("minReplicas is %d", ptr.Deref(hpa.Spec.MinReplicas, 1))
	case "ScaleUpLimit":
		if b == nil {
			return fmt.Sprintf("not to more than %d at once: twice as many as there were, or 4", podautoscaler.UpLimit(hpa.Status.CurrentReplicas))
		}
		return Rules("scaleUp", b.ScaleUp)
	case "ScaleDownLimit":
		if b != nil {
			return Rules("scaleDown", b.ScaleDown)
		}
	}
	return c.Message
}

// Rules are the policies of a behavior: how fast it may go one way.
func Rules(name string, rules *autoscalingv2.HPAScalingRules) string {
	if rules == nil {
		return ""
	}
	selected := ptr.Deref(rules.SelectPolicy, autoscalingv2.MaxChangePolicySelect)
	if selected == autoscalingv2.DisabledPolicySelect {
		return name + " is Disabled"
	}
	var policies []string
	for _, p := range rules.Policies {
		unit := " Pods"
		if p.Type == autoscalingv2.PercentScalingPolicy {
			unit = "%"
		}
		policies = append(policies, fmt.Sprintf("%d%s in %ds", p.Value, unit, p.PeriodSeconds))
	}
	text := fmt.Sprintf("%s allows %s", name, strings.Join(policies, " or "))
	if len(policies) > 1 {
		text += map[bool]string{true: ", whichever is less", false: ", whichever is more"}[selected == autoscalingv2.MinChangePolicySelect]
	}
	return text
}

// Stabilized reports whether recommendations of other looks keep the number from going
// down, or from going up; window is how long they count.
func Stabilized(hpa *autoscalingv2.HorizontalPodAutoscaler) (window time.Duration, up, is bool) {
	c := Condition(hpa, autoscalingv2.AbleToScale)
	if c == nil || c.Reason != "ScaleDownStabilized" && c.Reason != "ScaleUpStabilized" {
		return 0, false, false
	}
	up = c.Reason == "ScaleUpStabilized"
	return podautoscaler.Window(hpa, up), up, true
}

// Condition is nil if an autoscaler does not have it yet.
func Condition(hpa *autoscalingv2.HorizontalPodAutoscaler, kind autoscalingv2.HorizontalPodAutoscalerConditionType) *autoscalingv2.HorizontalPodAutoscalerCondition {
	for i := range hpa.Status.Conditions {
		if hpa.Status.Conditions[i].Type == kind {
			return &hpa.Status.Conditions[i]
		}
	}
	return nil
}
