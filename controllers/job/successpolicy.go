package job

import (
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
)

// matchSuccessPolicy returns the message of the first rule that the succeeded
// indexes meet, or nothing. A rule whose own indexes cannot be read is passed
// over. Source: matchSuccessPolicy, k8s.io/kubernetes pkg/controller/job
// v1.37.2.
func matchSuccessPolicy(policy *batchv1.SuccessPolicy, completions int, succeeded orderedIntervals) string {
	if policy == nil || len(succeeded) == 0 {
		return ""
	}
	for i := range policy.Rules {
		if successRuleMet(&policy.Rules[i], completions, succeeded) {
			return fmt.Sprintf("Matched rules at index %d", i)
		}
	}
	return ""
}

func successRuleMet(rule *batchv1.SuccessPolicyRule, completions int, succeeded orderedIntervals) bool {
	if rule.SucceededIndexes == nil {
		return rule.SucceededCount != nil && succeeded.total() >= int(*rule.SucceededCount)
	}
	required := parseIndexes(*rule.SucceededIndexes, completions)
	if len(required) == 0 {
		return false
	}
	met := overlap(required, succeeded)
	return met == required.total() || rule.SucceededCount != nil && met >= int(*rule.SucceededCount)
}

// overlap returns how many indexes two sets share.
func overlap(a, b orderedIntervals) int {
	n, i, j := 0, 0, 0
	for i < len(a) && j < len(b) {
		n += max(0, min(a[i].Last, b[j].Last)-max(a[i].First, b[j].First)+1)
		if a[i].Last < b[j].Last {
			i++
		} else {
			j++
		}
	}
	return n
}
