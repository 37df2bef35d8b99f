package podautoscaler

import (
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// Window is for how long a recommendation of other looks keeps an autoscaler from scaling
// up, or from scaling down.
func Window(hpa *autoscalingv2.HorizontalPodAutoscaler, up bool) time.Duration {
	b := hpa.Spec.Behavior
	switch {
	case up && b == nil:
		return 0
	case up:
		return window(b.ScaleUp, 0)
	case b == nil:
		return stabilizationWindow
	}
	return window(b.ScaleDown, stabilizationWindow)
}

// Tolerance is how far a metric may be above its target, or below it, without a new number
// of replicas. Unit: share of the target.
func Tolerance(hpa *autoscalingv2.HorizontalPodAutoscaler, up bool) float64 {
	b := hpa.Spec.Behavior
	if b == nil {
		return tolerance
	}
	rules := b.ScaleDown
	if up {
		rules = b.ScaleUp
	}
	if rules == nil || rules.Tolerance == nil {
		return tolerance
	}
	return rules.Tolerance.AsApproximateFloat64()
}

// UpLimit is how many replicas an autoscaler without a behavior may have at once.
func UpLimit(current int32) int32 { return max(upLimitFactor*current, upLimitMinimum) }
