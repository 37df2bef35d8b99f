package podautoscaler

import (
	"context"
	"errors"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// proposed is what one metric asks for.
type proposed struct {
	replicas int32
	// name is how Events and conditions call the metric.
	name   string
	status autoscalingv2.MetricStatus
}

// failed is that a metric cannot be computed: reason is that of the Event and the
// condition, told their text, and err what the reconciliation has failed with.
type failed struct {
	reason    string
	told, err error
}

// number of replicas that is current, as a scale has it.
type counts struct{ spec, status int32 }

// metric computes one metric. Source: computeReplicasForMetric in k8s.io/kubernetes
// pkg/controller/podautoscaler v1.37.2.
func (d *decision) metric(ctx context.Context, spec *autoscalingv2.MetricSpec, now counts, selector labels.Selector) (proposed, *failed) {
	switch spec.Type {
	case autoscalingv2.ObjectMetricSourceType:
		return d.objectMetric(spec.Object, now, selector)
	case autoscalingv2.PodsMetricSourceType:
		return d.podsMetric(spec.Pods, now, selector)
	case autoscalingv2.ResourceMetricSourceType:
		m := spec.Resource
		value, p, err := d.resourceMetric(ctx, m.Target, m.Name, "", now, selector)
		if err != nil {
			return p, &failed{"FailedGetResourceMetric", err, fmt.Errorf("failed to get %s resource metric value: %w", m.Name, err)}
		}
		p.status = autoscalingv2.MetricStatus{Type: spec.Type, Resource: &autoscalingv2.ResourceMetricStatus{Name: m.Name, Current: value}}
		return p, nil
	case autoscalingv2.ContainerResourceMetricSourceType:
		m := spec.ContainerResource
		value, p, err := d.resourceMetric(ctx, m.Target, m.Name, m.Container, now, selector)
		if err != nil {
			return p, &failed{"FailedGetContainerResourceMetric", err, fmt.Errorf("failed to get %s container metric value: %w", m.Container, err)}
		}
		p.status = autoscalingv2.MetricStatus{Type: spec.Type, ContainerResource: &autoscalingv2.ContainerResourceMetricStatus{Name: m.Name, Container: m.Container, Current: value}}
		return p, nil
	case autoscalingv2.ExternalMetricSourceType:
		return d.externalMetric(spec.External, now, selector)
	}
	err := fmt.Errorf("unknown metric source type %q", string(spec.Type))
	return proposed{}, &failed{"InvalidMetricSourceType", err, err}
}

// resourceMetric computes what Pods use of a resource; what one container of each uses, if
// container is not empty. Source: computeStatusForResourceMetricGeneric.
func (d *decision) resourceMetric(ctx context.Context, target autoscalingv2.MetricTarget, name corev1.ResourceName, container string, now counts,
	selector labels.Selector) (autoscalingv2.MetricValueStatus, proposed, error) {
	if target.AverageValue != nil {
		replicas, raw, _, err := d.calculator.GetRawResourceReplicas(ctx, now.spec, target.AverageValue.MilliValue(), name, d.tolerances, d.hpa.Namespace, selector, container)
		if err != nil {
			return autoscalingv2.MetricValueStatus{}, proposed{}, fmt.Errorf("failed to get %s usage: %w", name, err)
		}
		return autoscalingv2.MetricValueStatus{AverageValue: quantity(name, raw)}, proposed{replicas: replicas, name: fmt.Sprintf("%s resource", name)}, nil
	}
	if target.AverageUtilization == nil {
		return autoscalingv2.MetricValueStatus{}, proposed{}, errors.New("invalid resource metric source: neither an average utilization target nor an average value (usage) target was set")
	}
	replicas, percent, raw, _, err := d.calculator.GetResourceReplicas(ctx, now.spec, *target.AverageUtilization, name, d.tolerances, d.hpa.Namespace, selector, container)
	if err != nil {
		return autoscalingv2.MetricValueStatus{}, proposed{}, fmt.Errorf("failed to get %s utilization: %w", name, err)
	}
	kind := "resource"
	if container != "" {
		kind = "container resource"
	}
	return autoscalingv2.MetricValueStatus{AverageUtilization: &percent, AverageValue: quantity(name, raw)},
		proposed{replicas: replicas, name: fmt.Sprintf("%s %s utilization (percentage of request)", name, kind)}, nil
}

// quantity is a raw value as metrics-server writes it. Source: buildQuantity.
func quantity(name corev1.ResourceName, milli int64) *resource.Quantity {
	if name == corev1.ResourceMemory {
		return resource.NewMilliQuantity(milli, resource.BinarySI)
	}
	return resource.NewMilliQuantity(milli, resource.DecimalSI)
}

// podsMetric computes a metric that each Pod has. Source: computeStatusForPodsMetric.
func (d *decision) podsMetric(m *autoscalingv2.PodsMetricSource, now counts, selector labels.Selector) (proposed, *failed) {
	fail := func(err error) (proposed, *failed) {
		return proposed{}, &failed{"FailedGetPodsMetric", err, fmt.Errorf("failed to get pods metric value: %w", err)}
	}
	which, err := metav1.LabelSelectorAsSelector(m.Metric.Selector)
	if err != nil {
		return fail(err)
	}
	replicas, usage, _, err := d.calculator.GetMetricReplicas(now.spec, m.Target.AverageValue.MilliValue(), m.Metric.Name, d.tolerances, d.hpa.Namespace, selector, which)
	if err != nil {
		return fail(err)
	}
	return proposed{replicas, "pods metric " + m.Metric.Name, autoscalingv2.MetricStatus{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricStatus{
		Metric:  autoscalingv2.MetricIdentifier{Name: m.Metric.Name, Selector: m.Metric.Selector},
		Current: autoscalingv2.MetricValueStatus{AverageValue: resource.NewMilliQuantity(usage, resource.DecimalSI)},
	}}}, nil
}

// objectMetric computes a metric of one object. Source: computeStatusForObjectMetric.
func (d *decision) objectMetric(m *autoscalingv2.ObjectMetricSource, now counts, selector labels.Selector) (proposed, *failed) {
	fail := func(err error) (proposed, *failed) {
		return proposed{}, &failed{"FailedGetObjectMetric", err, fmt.Errorf("failed to get object metric value: %w", err)}
	}
	which, err := metav1.LabelSelectorAsSelector(m.Metric.Selector)
	if err != nil {
		return fail(err)
	}
	out := proposed{status: autoscalingv2.MetricStatus{Type: autoscalingv2.ObjectMetricSourceType, Object: &autoscalingv2.ObjectMetricStatus{
		DescribedObject: m.DescribedObject, Metric: autoscalingv2.MetricIdentifier{Name: m.Metric.Name, Selector: m.Metric.Selector},
	}}}
	current := &out.status.Object.Current
	var usage int64
	switch {
	case m.Target.Type == autoscalingv2.ValueMetricType && m.Target.Value != nil:
		out.replicas, usage, _, err = d.calculator.GetObjectMetricReplicas(now.spec, m.Target.Value.MilliValue(), m.Metric.Name, d.tolerances, d.hpa.Namespace, &m.DescribedObject, selector, which)
		if err != nil {
			return fail(err)
		}
		current.Value = resource.NewMilliQuantity(usage, resource.DecimalSI)
		out.name = fmt.Sprintf("%s metric %s", m.DescribedObject.Kind, m.Metric.Name)
	case m.Target.Type == autoscalingv2.AverageValueMetricType && m.Target.AverageValue != nil:
		out.replicas, usage, _, err = d.calculator.GetObjectPerPodMetricReplicas(now.status, m.Target.AverageValue.MilliValue(), m.Metric.Name, d.tolerances, d.hpa.Namespace, &m.DescribedObject, which)
		if err != nil {
			_, f := fail(err)
			f.err = fmt.Errorf("failed to get object metric value: %w", fmt.Errorf("failed to get %s object metric: %w", m.Metric.Name, err))
			return proposed{}, f
		}
		current.AverageValue = resource.NewMilliQuantity(usage, resource.DecimalSI)
		out.name = fmt.Sprintf("external metric %s(%+v)", m.Metric.Name, m.Metric.Selector)
	default:
		return fail(errors.New("invalid object metric source: neither a value target nor an average value target was set"))
	}
	return out, nil
}

// externalMetric computes a metric that is of no object. Source:
// computeStatusForExternalMetric.
func (d *decision) externalMetric(m *autoscalingv2.ExternalMetricSource, now counts, selector labels.Selector) (proposed, *failed) {
	fail := func(err error, text string) (proposed, *failed) {
		inner := err
		if text != "" {
			inner = fmt.Errorf(text+": %w", m.Metric.Name, err)
		}
		return proposed{}, &failed{"FailedGetExternalMetric", err, fmt.Errorf("failed to get %s external metric value: %w", m.Metric.Name, inner)}
	}
	out := proposed{
		name: fmt.Sprintf("external metric %s(%+v)", m.Metric.Name, m.Metric.Selector),
		status: autoscalingv2.MetricStatus{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricStatus{
			Metric: autoscalingv2.MetricIdentifier{Name: m.Metric.Name, Selector: m.Metric.Selector},
		}},
	}
	var usage int64
	var err error
	switch {
	case m.Target.AverageValue != nil:
		out.replicas, usage, _, err = d.calculator.GetExternalPerPodMetricReplicas(now.status, m.Target.AverageValue.MilliValue(), m.Metric.Name, d.tolerances, d.hpa.Namespace, m.Metric.Selector)
		if err != nil {
			return fail(err, "failed to get %s external metric")
		}
		out.status.External.Current.AverageValue = resource.NewMilliQuantity(usage, resource.DecimalSI)
	case m.Target.Value != nil:
		out.replicas, usage, _, err = d.calculator.GetExternalMetricReplicas(now.spec, m.Target.Value.MilliValue(), m.Metric.Name, d.tolerances, d.hpa.Namespace, m.Metric.Selector, selector)
		if err != nil {
			return fail(err, "failed to get external metric %s")
		}
		out.status.External.Current.Value = resource.NewMilliQuantity(usage, resource.DecimalSI)
	default:
		return fail(errors.New("invalid external metric source: neither a value target nor an average value target was set"), "")
	}
	return out, nil
}
