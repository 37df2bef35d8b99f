package explain

import (
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"

	"github.com/kubesim-dev/kubesim/controllers/podautoscaler"
	"github.com/kubesim-dev/kubesim/internal/explain/scaling"
)

// Scaling is what an autoscaler saw, wanted and got.
type Scaling struct {
	// Target is what it scales: deployment/web.
	Target  string          `json:"target"`
	Metrics []ScalingMetric `json:"metrics"`
	// Up and Down are how far a metric may be above and below its target. Unit: share of
	// the target.
	Up   float64 `json:"up"`
	Down float64 `json:"down"`
	// Samples are in the order of time; each holds until the next.
	Samples []ScalingSample `json:"samples"`
}

// ScalingMetric is one metric.
type ScalingMetric struct {
	Name   string `json:"name"`
	Target string `json:"target"`
	// Value is the last one.
	Value string `json:"value,omitempty"`
}

// ScalingSample is how it was from an instant on.
type ScalingSample struct {
	At time.Time `json:"at"`
	// Load are the metrics as shares of their targets, null where there is none.
	Load    []*float64 `json:"load"`
	Min     int32      `json:"min"`
	Max     int32      `json:"max"`
	Desired int32      `json:"desired"`
	// Ready counts the target's ready Pods, or its replicas if no more is known of it.
	Ready int32 `json:"ready"`
}

// scaler follows an autoscaler.
type scaler struct {
	chart Scaling
	now   ScalingSample
	// known says that Ready comes from the target.
	known bool
	// told is the last decision, as it was told; asked is what the metrics asked for then,
	// asks what they asked for before, up to when.
	told  string
	asked int32
	asks  []ask
}

// ask is that the metrics have asked for a number of replicas, for the last time at an
// instant.
type ask struct {
	replicas int32
	last     time.Time
}

// autoscaler tells what a HorizontalPodAutoscaler has decided.
func (t *teller) autoscaler(old, hpa *autoscalingv2.HorizontalPodAutoscaler) {
	if t.c.Type == watch.Added {
		behavior := ""
		if hpa.Spec.Behavior != nil {
			behavior = behaviorText(hpa)
		}
		t.created[hpa.UID] = t.say(Plain, "created: "+words(", ", fmt.Sprintf("keeps %s between %d and %s", scaleTarget(hpa), least(hpa),
			count(int(hpa.Spec.MaxReplicas), "replica")), metricsOf(hpa), behavior), "")
		t.scaler = &scaler{asked: none}
	}
	if t.scaler == nil {
		t.scaler = &scaler{asked: none}
	}
	t.deletion(orNothing(old), hpa, "")
	if t.c.Type == watch.Deleted {
		return
	}
	if old == nil {
		old = &autoscalingv2.HorizontalPodAutoscaler{Spec: hpa.Spec}
	}
	t.changed(fieldChange{"minReplicas", fmt.Sprint(least(old)), fmt.Sprint(least(hpa))},
		fieldChange{"maxReplicas", fmt.Sprint(old.Spec.MaxReplicas), fmt.Sprint(hpa.Spec.MaxReplicas)},
		fieldChange{"scaleTargetRef", scaleTarget(old), scaleTarget(hpa)}, fieldChange{"metrics", metricsOf(old), metricsOf(hpa)},
		fieldChange{"behavior", behaviorText(old), behaviorText(hpa)})
	if len(hpa.Status.Conditions) > 0 && !equality.Semantic.DeepEqual(old.Status, hpa.Status) {
		t.decided(old, hpa)
	}
	t.scaler.follow(t, hpa)
}

func scaleTarget(hpa *autoscalingv2.HorizontalPodAutoscaler) string {
	return kindWord(hpa.Spec.ScaleTargetRef.Kind) + "/" + hpa.Spec.ScaleTargetRef.Name
}

func least(hpa *autoscalingv2.HorizontalPodAutoscaler) int32 {
	return ptr.Deref(hpa.Spec.MinReplicas, 1)
}

// metricsOf are the targets of an autoscaler's metrics.
func metricsOf(hpa *autoscalingv2.HorizontalPodAutoscaler) string {
	var list []string
	for _, m := range scaling.Metrics(hpa) {
		list = append(list, m.Name+" at "+m.Target)
	}
	return words(", ", list...)
}

func behaviorText(hpa *autoscalingv2.HorizontalPodAutoscaler) string {
	b := hpa.Spec.Behavior
	if b == nil {
		return "none"
	}
	return words(", ", scaling.Rules("scaleUp", b.ScaleUp), "window "+Offset(podautoscaler.Window(hpa, true)),
		scaling.Rules("scaleDown", b.ScaleDown), "window "+Offset(podautoscaler.Window(hpa, false)))
}

// decided tells of a look, unless it has come to the same as the one before.
func (t *teller) decided(old, hpa *autoscalingv2.HorizontalPodAutoscaler) {
	s, found := t.scaler, scaling.Asked(hpa)
	if s.asked > found.Replicas {
		s.asks = append(s.asks, ask{s.asked, t.c.Time.Add(-podautoscaler.SyncPeriod)})
	}
	s.asked = found.Replicas
	d := t.decision(old, hpa, found)
	if key := d.what + d.kind; d.always || key != s.told {
		s.told = key
		t.say(d.tone, d.what, d.why)
	}
}

// decision is a look of an autoscaler in words.
type decision struct {
	tone            Tone
	what, why, kind string
	// always says that it is told even if the one before was the same.
	always bool
}

func (t *teller) decision(old, hpa *autoscalingv2.HorizontalPodAutoscaler, found scaling.Ask) decision {
	st := &hpa.Status
	able, active := scaling.Condition(hpa, autoscalingv2.AbleToScale), scaling.Condition(hpa, autoscalingv2.ScalingActive)
	switch {
	case able != nil && able.Status == corev1.ConditionFalse:
		return decision{tone: Bad, what: "cannot decide: " + able.Reason, why: able.Message}
	case st.LastScaleTime != nil && !st.LastScaleTime.Equal(old.Status.LastScaleTime):
		return decision{tone: Good, what: fmt.Sprintf("scales %s from %d to %d", scaleTarget(hpa), st.CurrentReplicas, st.DesiredReplicas),
			why: t.whyScaled(hpa, found), always: true}
	case active != nil && active.Reason == "ScalingDisabled":
		return decision{tone: Wait, what: "does nothing", why: scaleTarget(hpa) + " has 0 replicas"}
	case active != nil && active.Status == corev1.ConditionFalse:
		return decision{tone: Bad, what: "cannot decide: " + active.Reason, why: active.Message}
	}
	what := "keeps " + count(int(st.CurrentReplicas), "replica")
	if window, up, is := scaling.Stabilized(hpa); is && found.Replicas != st.CurrentReplicas && up == (found.Replicas > st.CurrentReplicas) {
		return decision{tone: Wait, what: what, kind: "stabilized", why: words("; ", found.Why, t.stabilizedText(hpa, window, up))}
	}
	limit := scaling.Limit(hpa, found.Replicas)
	if limit == "" && found.Replicas >= 0 && found.Replicas != st.CurrentReplicas {
		limit = unmeasured
	}
	return decision{tone: Plain, what: what, kind: limit, why: words("; ", found.Why, limit)}
}

// unmeasured is why the formula alone does not give the number. Source: calcPlainMetricReplicas
// in k8s.io/kubernetes pkg/controller/podautoscaler v1.37.2.
const unmeasured = "Pods that are new or have no metric yet count so that less changes"

// whyScaled says which rule has chosen a number.
func (t *teller) whyScaled(hpa *autoscalingv2.HorizontalPodAutoscaler, found scaling.Ask) string {
	st := &hpa.Status
	switch limit := scaling.Limit(hpa, found.Replicas); {
	case len(st.CurrentMetrics) == 0 && st.CurrentReplicas > hpa.Spec.MaxReplicas:
		return fmt.Sprintf("maxReplicas is %d", hpa.Spec.MaxReplicas)
	case len(st.CurrentMetrics) == 0 && st.CurrentReplicas < least(hpa):
		return fmt.Sprintf("minReplicas is %d", least(hpa))
	case limit != "":
		return words("; ", found.Why, limit)
	case found.Replicas != st.DesiredReplicas && st.DesiredReplicas < st.CurrentReplicas:
		return words("; ", found.Why, fmt.Sprintf("the most that a look of the last %s has asked for is %d", Offset(podautoscaler.Window(hpa, false)), st.DesiredReplicas))
	case found.Replicas != st.DesiredReplicas:
		return words("; ", found.Why, unmeasured)
	}
	return found.Why
}

// stabilizedText says what keeps the number, and how long at least.
func (t *teller) stabilizedText(hpa *autoscalingv2.HorizontalPodAutoscaler, window time.Duration, up bool) string {
	if up {
		return fmt.Sprintf("a look of the last %s has asked for less", Offset(window))
	}
	text := fmt.Sprintf("a look of the last %s has asked for more", Offset(window))
	for _, a := range slices.Backward(t.scaler.asks) {
		if a.replicas >= hpa.Status.DesiredReplicas {
			return text + ", until " + t.since(a.last.Add(window))
		}
	}
	return text
}

// follow takes an autoscaler into the chart.
func (s *scaler) follow(t *teller, hpa *autoscalingv2.HorizontalPodAutoscaler) {
	s.chart.Target = scaleTarget(hpa)
	s.chart.Up, s.chart.Down = podautoscaler.Tolerance(hpa, true), podautoscaler.Tolerance(hpa, false)
	s.chart.Metrics, s.now.Load = nil, nil
	for _, m := range scaling.Metrics(hpa) {
		s.chart.Metrics = append(s.chart.Metrics, ScalingMetric{Name: m.Name, Target: m.Target, Value: m.Value})
		var load *float64
		if m.Value != "" {
			load = &m.Ratio
		}
		s.now.Load = append(s.now.Load, load)
	}
	s.now.Min, s.now.Max, s.now.Desired = least(hpa), hpa.Spec.MaxReplicas, hpa.Status.DesiredReplicas
	if !s.known {
		s.now.Ready = hpa.Status.CurrentReplicas
		for _, o := range t.last {
			if kindOf(o)+"/"+o.GetName() == s.chart.Target && !t.gone[o.GetUID()] {
				s.now.Ready, s.known = readyReplicas(o)
			}
		}
	}
	s.sample(t.c.Time)
}

// readyReplicas are those of what an autoscaler scales.
func readyReplicas(o Object) (ready int32, ok bool) {
	switch o := o.(type) {
	case *appsv1.Deployment:
		return o.Status.ReadyReplicas, true
	case *appsv1.ReplicaSet:
		return o.Status.ReadyReplicas, true
	case *appsv1.StatefulSet:
		return o.Status.ReadyReplicas, true
	}
	return 0, false
}

// followTarget takes what an autoscaler scales into its chart.
func (t *teller) followTarget(o Object) {
	s := t.scaler
	if s == nil || kindOf(o)+"/"+o.GetName() != s.chart.Target {
		return
	}
	ready, ok := readyReplicas(o)
	if t.c.Type == watch.Deleted {
		ready = 0
	}
	if !ok || s.known && ready == s.now.Ready {
		return
	}
	s.now.Ready, s.known = ready, true
	s.sample(t.c.Time)
}

// sample keeps how it is now; of what was so at the same instant, the last is kept.
func (s *scaler) sample(at time.Time) {
	next := s.now
	next.At = at.UTC()
	if n := len(s.chart.Samples); n > 0 && s.chart.Samples[n-1].At.Equal(next.At) {
		s.chart.Samples[n-1] = next
		return
	}
	s.chart.Samples = append(s.chart.Samples, next)
}

// drawScaling is the chart at the end of the story.
func (t *teller) drawScaling() *Scaling {
	if t.scaler == nil {
		return nil
	}
	return &t.scaler.chart
}
