package podautoscaler

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"
	"unsafe"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	corelisters "k8s.io/client-go/listers/core/v1"
	upstream "k8s.io/kubernetes/pkg/controller/podautoscaler"
	metricsclient "k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// podMetrics are the metrics of upstream's calculator. Its methods are those of
// restMetricsClient in k8s.io/kubernetes pkg/controller/podautoscaler/metrics v1.37.2,
// without HTTP, for a selector of Pods that pods knows.
type podMetrics struct {
	metrics Metrics
	pods    pods
}

var _ metricsclient.MetricsClient = podMetrics{}

// GetResourceMetric implements metricsclient.MetricsClient.
func (m podMetrics) GetResourceMetric(ctx context.Context, name corev1.ResourceName, namespace string, selector labels.Selector, container string) (metricsclient.PodMetricsInfo, time.Time, error) {
	all, err := m.metrics.PodMetrics(ctx, namespace)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("unable to fetch metrics from resource metrics API: %w", err)
	}
	info, oldest, any := metricsclient.PodMetricsInfo{}, time.Time{}, false
	for i := range all {
		one := &all[i]
		pod, found := engine.Get[*corev1.Pod](m.pods.view, engine.Pods, namespace, one.Name)
		if !found || pod.Status.Phase != corev1.PodRunning || !selector.Matches(labels.Set(pod.Labels)) {
			continue
		}
		if !any {
			oldest, any = one.Timestamp.Time, true
		}
		sum, complete := int64(0), container == "" && len(one.Containers) > 0
		for _, c := range one.Containers {
			value, used := c.Usage[name]
			switch {
			case container == "":
				complete = complete && used
				sum += value.MilliValue()
			case c.Name == container && used:
				complete, sum = true, value.MilliValue()
			}
		}
		if complete {
			info[one.Name] = metricsclient.PodMetric{Timestamp: one.Timestamp.Time, Window: one.Window.Duration, Value: sum}
		}
	}
	if !any {
		return nil, time.Time{}, errors.New("no metrics returned from resource metrics API")
	}
	return info, oldest, nil
}

// noCustom is what a cluster without an adapter for custom metrics says. Source:
// PreferredVersion in k8s.io/metrics pkg/client/custom_metrics v0.37.2.
//
// Deviation: custom and external metrics are never there: an APIService that serves them
// is not asked.
func noCustom() error {
	return errors.New("unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered")
}

// GetRawMetric implements metricsclient.MetricsClient.
func (podMetrics) GetRawMetric(string, string, labels.Selector, labels.Selector) (metricsclient.PodMetricsInfo, time.Time, error) {
	return nil, time.Time{}, noCustom()
}

// GetObjectMetric implements metricsclient.MetricsClient.
func (podMetrics) GetObjectMetric(string, string, *autoscalingv2.CrossVersionObjectReference, labels.Selector) (int64, time.Time, error) {
	return 0, time.Time{}, noCustom()
}

// GetExternalMetric implements metricsclient.MetricsClient.
func (podMetrics) GetExternalMetric(name, _ string, _ labels.Selector) ([]int64, time.Time, error) {
	missing := &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: 404, Reason: metav1.StatusReasonNotFound,
		Message: fmt.Sprintf("the server could not find the requested resource (get %s.external.metrics.k8s.io)", name),
	}}
	return nil, time.Time{}, fmt.Errorf("unable to fetch metrics from external metrics API: %w", missing)
}

// pods lists Pods, sorted, for upstream's calculator, which asks the machine's clock
// whether a Pod is new. So the Pods that are new in virtual time have a start that is far
// ahead, and the calculator takes a Pod for new if its start is: its period is never.
type pods struct {
	view      *engine.View
	namespace string
	now       time.Time
}

// never is the initialization period that goes with pods: a Pod is new if it has started
// later than so long ago, which only one of farAhead has.
const never = -100 * 365 * 24 * time.Hour

// farAhead is when a new Pod has started.
func farAhead() time.Time { return time.Date(2250, 1, 1, 0, 0, 0, 0, time.UTC) }

var (
	_ corelisters.PodLister          = pods{}
	_ corelisters.PodNamespaceLister = pods{}
)

// List implements corelisters.PodLister.
func (p pods) List(selector labels.Selector) ([]*corev1.Pod, error) {
	var out []*corev1.Pod
	for _, pod := range engine.List[*corev1.Pod](p.view, engine.Pods, p.namespace) {
		if selector.Matches(labels.Set(pod.Labels)) {
			out = append(out, p.shown(pod))
		}
	}
	return out, nil
}

// Pods implements corelisters.PodLister.
func (p pods) Pods(namespace string) corelisters.PodNamespaceLister {
	p.namespace = namespace
	return p
}

// Get implements corelisters.PodNamespaceLister.
func (p pods) Get(name string) (*corev1.Pod, error) {
	pod, found := engine.Get[*corev1.Pod](p.view, engine.Pods, p.namespace, name)
	if !found {
		return nil, apierrors.NewNotFound(corev1.Resource("pods"), name)
	}
	return p.shown(pod), nil
}

func (p pods) shown(pod *corev1.Pod) *corev1.Pod {
	start := pod.Status.StartTime
	if start == nil || !start.Add(cpuInitializationPeriod).After(p.now) {
		return pod
	}
	changed := *pod
	changed.Status.StartTime = new(metav1.NewTime(farAhead()))
	return &changed
}

// tolerancesOf returns how far a metric may be off its target. Source: tolerancesForHpa in
// k8s.io/kubernetes pkg/controller/podautoscaler v1.37.2, whose type has no way in: a test
// holds that its fields are these.
func tolerancesOf(hpa *autoscalingv2.HorizontalPodAutoscaler, own bool) upstream.Tolerances {
	down, up := tolerance, tolerance
	if b := hpa.Spec.Behavior; b != nil && own {
		if b.ScaleDown != nil && b.ScaleDown.Tolerance != nil {
			down = b.ScaleDown.Tolerance.AsApproximateFloat64()
		}
		if b.ScaleUp != nil && b.ScaleUp.Tolerance != nil {
			up = b.ScaleUp.Tolerance.AsApproximateFloat64()
		}
	}
	var out upstream.Tolerances
	for name, value := range map[string]float64{"scaleDown": down, "scaleUp": up} {
		field := reflect.ValueOf(&out).Elem().FieldByName(name)
		*(*float64)(unsafe.Pointer(field.UnsafeAddr())) = value
	}
	return out
}
