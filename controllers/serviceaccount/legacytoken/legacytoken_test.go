package legacytoken

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/serviceaccount"
)

func TestDecide(t *testing.T) {
	const day = 24 * time.Hour
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	token := func(created time.Time, labels map[string]string) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "t", CreationTimestamp: metav1.NewTime(created), Labels: labels}}
	}
	used := func(on string) map[string]string { return map[string]string{serviceaccount.LastUsedLabelKey: on} }
	marked := map[string]string{serviceaccount.InvalidSinceLabelKey: "2027-01-01"}
	gone := token(start, nil)
	gone.DeletionTimestamp = &metav1.Time{Time: start}
	for name, tc := range map[string]struct {
		secret  *corev1.Secret
		mounted bool
		after   time.Duration
		want    plan
	}{
		"uses are not recorded for a year": {token(start.Add(-900*day), nil), false, 364 * day, plan{WakeAt: start.Add(365 * day)}},
		"then it is marked":                {token(start.Add(-900*day), nil), false, 365 * day, plan{Mark: true}},
		"it is not a year old":             {token(start.Add(10*day), nil), false, 370 * day, plan{WakeAt: start.Add(375*day + 1)}},
		"it was used":                      {token(start, used("2026-03-01")), false, 366 * day, plan{WakeAt: start.Add((31 + 28 + 1 + 365) * day)}},
		"its last use is a year ago":       {token(start, used("2026-03-01")), false, (31 + 28 + 1 + 365) * day, plan{Mark: true}},
		"nobody can read when it was used": {token(start, used("March")), false, 9999 * day, plan{}},
		"a Pod mounts it":                  {token(start, nil), true, 400 * day, plan{WakeAt: start.Add(401 * day)}},
		"it was marked":                    {token(start, marked), false, 700 * day, plan{WakeAt: start.Add((365 + 1 + 365) * day)}},
		"it was marked a year ago":         {token(start, marked), false, (365 + 1 + 365) * day, plan{Delete: true}},
		"it is being deleted already":      {gone, false, 9999 * day, plan{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, decide(tc.secret, start, tc.mounted, start.Add(tc.after))); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}
