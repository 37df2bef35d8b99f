package podautoscaler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	upstream "k8s.io/kubernetes/pkg/controller/podautoscaler"
)

// The settings of upstream's kube-controller-manager. Source: k8s.io/kubernetes
// pkg/controller/podautoscaler/config/v1alpha1 v1.37.2.
const (
	// SyncPeriod is how often an autoscaler looks at its metrics.
	SyncPeriod = 15 * time.Second
	// stabilizationWindow is for how long a recommendation keeps replicas from going.
	stabilizationWindow = 5 * time.Minute
	// tolerance is how far a metric may be off its target.
	tolerance = 0.1
	// cpuInitializationPeriod is for how long a new Pod's CPU is looked at with care, and
	// initialReadinessDelay is how long a Pod may take to be ready for the first time.
	cpuInitializationPeriod = 5 * time.Minute
	initialReadinessDelay   = 30 * time.Second
)

// event is told about the autoscaler.
type event struct{ kind, reason, message string }

// decision is one look of an autoscaler.
type decision struct {
	// hpa is a copy, whose status becomes what is to be written.
	hpa        *autoscalingv2.HorizontalPodAutoscaler
	history    *history
	calculator *upstream.ReplicaCalculator
	tolerances upstream.Tolerances
	// others names another autoscaler that selects one of the Pods, "" if none does.
	others func(labels.Selector) []string
	gates  Gates
	now    time.Time
	events []event
	// desired is the status's number of replicas before. disabled says that the target is
	// scaled to zero, so that there was nothing to decide.
	desired  int32
	disabled bool
}

// rescale is a new number of replicas, and why.
type rescale struct {
	replicas int32
	reason   string
}

func (d *decision) tell(kind, reason, message string) {
	d.events = append(d.events, event{kind, reason, message})
}

// set sets a condition. Source: setConditionInList in k8s.io/kubernetes
// pkg/controller/podautoscaler v1.37.2.
func (d *decision) set(kind autoscalingv2.HorizontalPodAutoscalerConditionType, status corev1.ConditionStatus, reason, format string, args ...any) {
	list := &d.hpa.Status.Conditions
	i := slices.IndexFunc(*list, func(c autoscalingv2.HorizontalPodAutoscalerCondition) bool { return c.Type == kind })
	if i < 0 {
		*list = append(*list, autoscalingv2.HorizontalPodAutoscalerCondition{Type: kind})
		i = len(*list) - 1
	}
	c := &(*list)[i]
	if c.Status != status {
		c.LastTransitionTime = metav1.NewTime(d.now)
	}
	c.Status, c.Reason, c.Message = status, reason, fmt.Sprintf(format, args...)
}

// noScale is that the target's scale cannot be read.
func (d *decision) noScale(err error) {
	d.tell(corev1.EventTypeWarning, "FailedGetScale", err.Error())
	d.set(autoscalingv2.AbleToScale, corev1.ConditionFalse, "FailedGetScale", "the HPA controller was unable to get the target's current scale: %v", err)
}

// decide looks at the metrics. It returns the rescale, nil if there is none. An error
// without a rescale ends the look; one beside it is that of a metric of several. Source:
// reconcileAutoscaler.
func (d *decision) decide(ctx context.Context, scale *autoscalingv1.Scale) (*rescale, error) {
	d.set(autoscalingv2.AbleToScale, corev1.ConditionTrue, "SucceededGetScale", "the HPA controller was able to get the target's current scale")
	current, least := scale.Spec.Replicas, int32(1)
	d.desired = d.hpa.Status.DesiredReplicas
	if d.hpa.Spec.MinReplicas != nil {
		least = *d.hpa.Spec.MinReplicas
	}
	if d.history.Recommendations == nil {
		d.history.Recommendations = []sample{{current, d.now}}
	}
	toZero := d.gates.ScaleToZero && d.scaledToZero()
	switch {
	case current == 0 && !(toZero && (least != 0 || d.ofObjects())):
		d.set(autoscalingv2.ScalingActive, corev1.ConditionFalse, "ScalingDisabled", "scaling is disabled since the replica count of the target is zero")
		if !d.gates.ScaleToZero {
			d.hpa.Status.Conditions = slices.DeleteFunc(d.hpa.Status.Conditions, func(c autoscalingv2.HorizontalPodAutoscalerCondition) bool {
				return c.Type == autoscalingv2.ScaledToZero
			})
		}
		d.status(current, current, nil)
		d.disabled = true
		return nil, nil
	case current > d.hpa.Spec.MaxReplicas:
		d.status(current, d.hpa.Spec.MaxReplicas, nil)
		return &rescale{d.hpa.Spec.MaxReplicas, "Current number of replicas above Spec.MaxReplicas"}, nil
	case current != 0 && current < least:
		d.status(current, least, nil)
		return &rescale{least, "Current number of replicas below Spec.MinReplicas"}, nil
	}
	best, statuses, err := d.metrics(ctx, scale)
	if best == nil {
		d.status(current, d.desired, statuses)
		d.tell(corev1.EventTypeWarning, "FailedComputeMetricsReplicas", err.Error())
		return nil, err
	}
	r := rescale{replicas: max(best.replicas, 0)}
	switch {
	case r.replicas > current:
		r.reason = best.name + " above target"
	case r.replicas < current:
		r.reason = "All metrics below target"
	}
	r.replicas = d.normalize(current, r.replicas, least)
	if current == 0 && least != 0 && toZero && r.replicas < least {
		r.replicas = least
		if r.reason == "" {
			r.reason = "Current number of replicas below Spec.MinReplicas"
		}
	}
	d.status(current, r.replicas, statuses)
	if r.replicas == current {
		return nil, err
	}
	return &r, err
}

// metrics computes all metrics and returns the one that asks for most; nil if that cannot
// be told. Source: computeReplicasForMetrics.
func (d *decision) metrics(ctx context.Context, scale *autoscalingv1.Scale) (*proposed, []autoscalingv2.MetricStatus, error) {
	selector, err := d.selector(scale.Status.Selector)
	if err != nil {
		return nil, nil, err
	}
	specs := d.hpa.Spec.Metrics
	statuses := make([]autoscalingv2.MetricStatus, len(specs))
	var best *proposed
	var first *failed
	wrong := 0
	for i := range specs {
		p, f := d.metric(ctx, &specs[i], counts{scale.Spec.Replicas, scale.Status.Replicas}, selector)
		if f != nil {
			d.tell(corev1.EventTypeWarning, f.reason, f.told.Error())
			if wrong++; first == nil {
				first = f
			}
			continue
		}
		statuses[i] = p.status
		if best == nil || best.replicas == 0 || p.replicas > best.replicas {
			best = &p
		}
	}
	if first != nil {
		err = fmt.Errorf("invalid metrics (%v invalid out of %v), first error is: %w", wrong, len(specs), first.err)
	}
	if best == nil || wrong > 0 && best.replicas < scale.Spec.Replicas {
		if first != nil {
			d.set(autoscalingv2.ScalingActive, corev1.ConditionFalse, first.reason, "%s", fmt.Sprintf("the HPA was unable to compute the replica count: %v", first.told))
		}
		return nil, statuses, err
	}
	d.set(autoscalingv2.ScalingActive, corev1.ConditionTrue, "ValidMetricFound", "the HPA was able to successfully calculate a replica count from %s", best.name)
	return best, statuses, err
}

// selector reads the selector of the target's Pods, of which no other autoscaler may
// select one. Source: validateAndParseSelector.
func (d *decision) selector(text string) (labels.Selector, error) {
	refuse := func(event, reason, told, message string) (labels.Selector, error) {
		d.tell(corev1.EventTypeWarning, event, told)
		d.set(autoscalingv2.ScalingActive, corev1.ConditionFalse, reason, "%s", message)
		return nil, errors.New(told)
	}
	if text == "" {
		return refuse("SelectorRequired", "InvalidSelector", "selector is required", "the HPA target's scale is missing a selector")
	}
	selector, err := labels.Parse(text)
	if err != nil {
		message := fmt.Sprintf("couldn't convert selector into a corresponding internal selector object: %v", err)
		return refuse("InvalidSelector", "InvalidSelector", message, message)
	}
	if all := d.others(selector); len(all) > 1 {
		message := fmt.Sprintf("pods by selector %v are controlled by more than one HPA (e.g. %v)", text, all)
		return refuse("AmbiguousSelector", "AmbiguousSelector", message, message)
	}
	return selector, nil
}

// status fills the status. Source: setStatus.
func (d *decision) status(current, desired int32, metrics []autoscalingv2.MetricStatus) {
	s := &d.hpa.Status
	s.CurrentReplicas, s.DesiredReplicas, s.CurrentMetrics = current, desired, metrics
	if d.gates.Generation {
		s.ObservedGeneration = new(d.hpa.Generation)
	}
}

// rescaled notes that the target has another number of replicas now.
func (d *decision) rescaled(current int32, r *rescale) {
	d.set(autoscalingv2.AbleToScale, corev1.ConditionTrue, "SucceededRescale", "the HPA controller was able to update the target scale to %d", r.replicas)
	d.tell(corev1.EventTypeNormal, "SuccessfulRescale", fmt.Sprintf("New size: %d; reason: %s", r.replicas, r.reason))
	d.history.scaled(d.hpa.Spec.Behavior, current, r.replicas, d.now)
	d.hpa.Status.LastScaleTime = new(metav1.NewTime(d.now))
	switch {
	case !d.gates.ScaleToZero:
		d.hpa.Status.Conditions = slices.DeleteFunc(d.hpa.Status.Conditions, func(c autoscalingv2.HorizontalPodAutoscalerCondition) bool {
			return c.Type == autoscalingv2.ScaledToZero
		})
	case current > 0 && r.replicas == 0 && d.hpa.Spec.MinReplicas != nil && *d.hpa.Spec.MinReplicas == 0 && d.ofObjects():
		d.set(autoscalingv2.ScaledToZero, corev1.ConditionTrue, "ScaledToZero", "the HPA controller scaled the workload to zero")
	default:
		d.set(autoscalingv2.ScaledToZero, corev1.ConditionFalse, "NotScaledToZero", "the HPA controller did not scale the workload to zero")
	}
}

// refused notes that the target could not be scaled.
func (d *decision) refused(r *rescale, err error) {
	d.hpa.Status.DesiredReplicas = d.desired
	d.tell(corev1.EventTypeWarning, "FailedRescale", fmt.Sprintf("New size: %d; reason: %s; error: %v", r.replicas, r.reason, err))
	d.set(autoscalingv2.AbleToScale, corev1.ConditionFalse, "FailedUpdateScale", "the HPA controller was unable to update the target scale: %v", err)
}

// ofObjects reports whether a metric is of an object or external: only these can be told
// without Pods.
func (d *decision) ofObjects() bool {
	return slices.ContainsFunc(d.hpa.Spec.Metrics, func(m autoscalingv2.MetricSpec) bool {
		return m.Type == autoscalingv2.ObjectMetricSourceType || m.Type == autoscalingv2.ExternalMetricSourceType
	})
}

func (d *decision) scaledToZero() bool {
	return slices.ContainsFunc(d.hpa.Status.Conditions, func(c autoscalingv2.HorizontalPodAutoscalerCondition) bool {
		return c.Type == autoscalingv2.ScaledToZero && c.Status == corev1.ConditionTrue
	})
}

// state is what a look has come to.
type state int

const (
	// resting: what the metrics ask for is what there is, or only somebody else can change
	// what there is.
	resting state = iota
	// deciding: another look will have more to do, as when a window or a rate keeps it
	// from what the metrics ask for.
	deciding
	// failing: there are no metrics, the target refuses, or it has not the Pods that it
	// should.
	failing
)

// state is that of a look that did not rescale.
func (d *decision) state(scale *autoscalingv1.Scale, err error) state {
	switch {
	case d.disabled:
		return resting
	case err != nil, scale.Spec.Replicas != scale.Status.Replicas:
		return failing
	}
	for _, c := range d.hpa.Status.Conditions {
		waits := c.Reason == "ScaleDownStabilized" || c.Reason == "ScaleUpStabilized" || c.Reason == "ScaleUpLimit" || c.Reason == "ScaleDownLimit"
		if waits && (c.Type == autoscalingv2.AbleToScale || c.Type == autoscalingv2.ScalingLimited) {
			return deciding
		}
	}
	return resting
}
