package fault

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func TestSchedule(t *testing.T) {
	const pending, active, ended = v1alpha1.FaultPending, v1alpha1.FaultActive, v1alpha1.FaultEnded
	at := func(d time.Duration) time.Time { return noon.Add(d) }
	minute, second := ptr.To("1m"), ptr.To("1s")
	thrice := &v1alpha1.Repeat{Every: "10m", Times: ptr.To[int32](3)}
	dropped := v1alpha1.FaultSpec{DropWatch: &v1alpha1.DropWatch{}, Repeat: thrice}
	for name, tc := range map[string]struct {
		spec  v1alpha1.FaultSpec
		since time.Duration // noon, when the Fault was created
		want  moment
	}{
		"without times it is active at once, for ever":   {v1alpha1.FaultSpec{}, time.Hour, moment{State: active, Activations: 1, Since: noon}},
		"before its time it is pending":                  {v1alpha1.FaultSpec{After: minute}, 59 * time.Second, moment{State: pending, Next: at(time.Minute)}},
		"at its time it is active":                       {v1alpha1.FaultSpec{After: minute}, time.Minute, moment{State: active, Activations: 1, Since: at(time.Minute)}},
		"an instant may be given":                        {v1alpha1.FaultSpec{At: &metav1.Time{Time: at(time.Hour)}}, 0, moment{State: pending, Next: at(time.Hour)}},
		"it is active to the end of its duration":        {v1alpha1.FaultSpec{Duration: second}, 999 * time.Millisecond, moment{State: active, Activations: 1, Since: noon, Next: at(time.Second)}},
		"and then no more":                               {v1alpha1.FaultSpec{Duration: second}, time.Second, moment{State: ended, Activations: 1, Since: noon}},
		"one that repeats is pending in between":         {v1alpha1.FaultSpec{Duration: second, Repeat: thrice}, time.Minute, moment{State: pending, Activations: 1, Since: noon, Next: at(10 * time.Minute)}},
		"and active again":                               {v1alpha1.FaultSpec{Duration: second, Repeat: thrice}, 10 * time.Minute, moment{State: active, Activations: 2, Since: at(10 * time.Minute), Next: at(10*time.Minute + time.Second)}},
		"it ends with the last of its times":             {v1alpha1.FaultSpec{Duration: second, Repeat: thrice}, time.Hour, moment{State: ended, Activations: 3, Since: at(20 * time.Minute)}},
		"what drops watches is active for no time":       {dropped, 0, moment{State: pending, Activations: 1, Since: noon, Next: at(10 * time.Minute)}},
		"without a number of times it repeats for ever":  {v1alpha1.FaultSpec{Duration: second, Repeat: &v1alpha1.Repeat{Every: "1m"}}, 1000 * time.Minute, moment{State: active, Activations: 1001, Since: at(1000 * time.Minute), Next: at(1000*time.Minute + time.Second)}},
		"a duration as long as the period has no breaks": {v1alpha1.FaultSpec{Duration: minute, Repeat: &v1alpha1.Repeat{Every: "1m"}}, time.Minute, moment{State: active, Activations: 2, Since: at(time.Minute), Next: at(2 * time.Minute)}},
	} {
		t.Run(name, func(t *testing.T) {
			f := &v1alpha1.Fault{Spec: tc.spec}
			f.CreationTimestamp.Time = noon
			if diff := cmp.Diff(tc.want, schedule(f, noon.Add(tc.since))); diff != "" {
				t.Errorf("moment (-want +got):\n%s", diff)
			}
		})
	}
}
