package podautoscaler

import (
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
)

// The limits of scaling up without a behaviour. Source: k8s.io/kubernetes
// pkg/controller/podautoscaler v1.37.2.
const (
	upLimitFactor  = 2
	upLimitMinimum = 4
)

// normalize brings a number of replicas within the limits of d.hpa, and says so in its
// conditions. Source: normalizeDesiredReplicas and normalizeDesiredReplicasWithBehaviors.
func (d *decision) normalize(current, wanted, least int32) int32 {
	stable, reason, message := d.stabilize(current, wanted)
	if stable == wanted {
		reason, message = "ReadyForNewScale", "recommended size matches current size"
	}
	d.set(autoscalingv2.AbleToScale, corev1.ConditionTrue, reason, "%s", message)

	lowest, highest, tooFew, tooMany := d.bounds(current, least)
	replicas, reason, message := stable, "DesiredWithinRange", "the desired count is within the acceptable range"
	switch {
	case stable < lowest && (d.hpa.Spec.Behavior == nil || stable < current):
		replicas, reason, message = lowest, tooFew.reason, tooFew.message
	case stable > highest && (d.hpa.Spec.Behavior == nil || stable > current):
		replicas, reason, message = highest, tooMany.reason, tooMany.message
	}
	limited := corev1.ConditionFalse
	if replicas != stable {
		limited = corev1.ConditionTrue
	}
	d.set(autoscalingv2.ScalingLimited, limited, reason, "%s", message)
	return replicas
}

// stabilize keeps the number of replicas from going to and fro.
func (d *decision) stabilize(current, wanted int32) (replicas int32, reason, message string) {
	const down, higher = "ScaleDownStabilized", "recent recommendations were higher than current one, applying the highest recent recommendation"
	b := d.hpa.Spec.Behavior
	if b == nil {
		return d.history.highest(wanted, stabilizationWindow, d.now), down, higher
	}
	replicas = d.history.within(current, wanted, window(b.ScaleUp, 0), window(b.ScaleDown, stabilizationWindow), d.now)
	if wanted >= current {
		return replicas, "ScaleUpStabilized", "recent recommendations were lower than current one, applying the lowest recent recommendation"
	}
	return replicas, down, higher
}

func window(rules *autoscalingv2.HPAScalingRules, standard time.Duration) time.Duration {
	if rules == nil || rules.StabilizationWindowSeconds == nil {
		return standard
	}
	return seconds(*rules.StabilizationWindowSeconds)
}

// limitation says why a number of replicas is limited.
type limitation struct{ reason, message string }

// bounds returns between what the number of replicas may be, and what limits it. Source:
// convertDesiredReplicasWithRules and convertDesiredReplicasWithBehaviorRate.
func (d *decision) bounds(current, least int32) (lowest, highest int32, tooFew, tooMany limitation) {
	lowest, tooFew = least, limitation{"TooFewReplicas", "the desired replica count is less than the minimum replica count"}
	highest, tooMany = d.hpa.Spec.MaxReplicas, limitation{"TooManyReplicas", "the desired replica count is more than the maximum replica count"}
	up := UpLimit(current)
	if b := d.hpa.Spec.Behavior; b != nil {
		up = max(current, d.history.upLimit(current, b.ScaleUp, d.now))
		if down := min(current, d.history.downLimit(current, b.ScaleDown, d.now)); down > lowest {
			lowest, tooFew = down, limitation{"ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate"}
		}
	}
	if up < highest {
		highest, tooMany = up, limitation{"ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate"}
	}
	return lowest, highest, tooFew, tooMany
}
