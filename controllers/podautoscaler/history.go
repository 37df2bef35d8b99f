package podautoscaler

import (
	"math"
	"slices"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// history is what an autoscaler remembers of the last minutes.
type history struct {
	// Recommendations are the numbers of replicas that the metrics asked for.
	Recommendations []sample `json:"recommendations,omitempty"`
	// Ups and Downs are what was added and taken away.
	Ups   []sample `json:"ups,omitempty"`
	Downs []sample `json:"downs,omitempty"`
}

// sample is a number of replicas at an instant.
type sample struct {
	Replicas int32     `json:"replicas"`
	At       time.Time `json:"at"`
}

// remember adds a sample in place of one that is older than everything that counts.
// Source: the ends of stabilizeRecommendation and of storeScaleEvent in k8s.io/kubernetes
// pkg/controller/podautoscaler v1.37.2.
func remember(list []sample, s sample, old func(sample) bool) []sample {
	for i, one := range slices.Backward(list) {
		if old(one) {
			list[i] = s
			return list
		}
	}
	return append(list, s)
}

// highest returns the highest recommendation of the window that ends now, and keeps this
// one. Source: stabilizeRecommendation.
func (h *history) highest(replicas int32, window time.Duration, now time.Time) int32 {
	cutoff := now.Add(-window)
	most := replicas
	for _, r := range h.Recommendations {
		if !r.At.Before(cutoff) {
			most = max(most, r.Replicas)
		}
	}
	h.Recommendations = remember(h.Recommendations, sample{replicas, now}, func(s sample) bool { return s.At.Before(cutoff) })
	return most
}

// within returns what is nearest to current between the lowest recommendation of the
// window for scaling up and the highest of the window for scaling down, and keeps this
// one. Source: stabilizeRecommendationWithBehaviors.
func (h *history) within(current, replicas int32, up, down time.Duration, now time.Time) int32 {
	upCutoff, downCutoff := now.Add(-up), now.Add(-down)
	lowest, most := replicas, replicas
	for _, r := range h.Recommendations {
		if r.At.After(upCutoff) {
			lowest = min(lowest, r.Replicas)
		}
		if r.At.After(downCutoff) {
			most = max(most, r.Replicas)
		}
	}
	h.Recommendations = remember(h.Recommendations, sample{replicas, now}, func(s sample) bool { return s.At.Before(upCutoff) && s.At.Before(downCutoff) })
	return min(max(current, lowest), most)
}

// scaled keeps that the number of replicas has changed. Source: storeScaleEvent.
func (h *history) scaled(behavior *autoscalingv2.HorizontalPodAutoscalerBehavior, from, to int32, now time.Time) {
	if behavior == nil {
		return
	}
	rules, list, change := behavior.ScaleDown, &h.Downs, from-to
	if to > from {
		rules, list, change = behavior.ScaleUp, &h.Ups, to-from
	}
	longest := int32(0)
	for _, p := range rules.Policies {
		longest = max(longest, p.PeriodSeconds)
	}
	cutoff := now.Add(-seconds(longest))
	*list = remember(*list, sample{change, now}, func(s sample) bool { return s.At.Before(cutoff) })
}

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }

// changed sums what has changed in a period that ends now.
func changed(list []sample, period time.Duration, now time.Time) (sum int32) {
	for _, s := range list {
		if s.At.After(now.Add(-period)) {
			sum += s.Replicas
		}
	}
	return sum
}

// upLimit is how many replicas the policies allow now. Source:
// calculateScaleUpLimitWithScalingRules.
func (h *history) upLimit(current int32, rules *autoscalingv2.HPAScalingRules, now time.Time) int32 {
	return h.limit(current, rules, now, true)
}

// downLimit is how many replicas the policies want to stay now. Source:
// calculateScaleDownLimitWithBehaviors.
func (h *history) downLimit(current int32, rules *autoscalingv2.HPAScalingRules, now time.Time) int32 {
	return h.limit(current, rules, now, false)
}

func (h *history) limit(current int32, rules *autoscalingv2.HPAScalingRules, now time.Time, up bool) int32 {
	policy := autoscalingv2.MaxChangePolicySelect
	if rules.SelectPolicy != nil {
		policy = *rules.SelectPolicy
	}
	if policy == autoscalingv2.DisabledPolicySelect {
		return current
	}
	var proposals []int32
	for _, p := range rules.Policies {
		period := seconds(p.PeriodSeconds)
		before := current - changed(h.Ups, period, now) + changed(h.Downs, period, now)
		proposals = append(proposals, proposal(before, p, up))
	}
	// The largest change is the highest number when it goes up, the lowest when it goes
	// down.
	if (policy == autoscalingv2.MinChangePolicySelect) != up {
		return slices.Max(append(proposals, math.MinInt32))
	}
	return slices.Min(append(proposals, math.MaxInt32))
}

func proposal(before int32, p autoscalingv2.HPAScalingPolicy, up bool) int32 {
	share := float64(p.Value) / 100
	switch {
	case p.Type == autoscalingv2.PodsScalingPolicy && up:
		return before + p.Value
	case p.Type == autoscalingv2.PodsScalingPolicy:
		return before - p.Value
	case up:
		return int32(math.Ceil(float64(before) * (1 + share)))
	}
	return int32(float64(before) * (1 - share))
}
