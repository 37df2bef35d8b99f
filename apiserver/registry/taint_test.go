package registry

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/apis/resource"
	"k8s.io/kubernetes/pkg/registry/resource/devicetaintrule"
)

// TestTaintsOfDevicesHaveVirtualTime looks at the times that upstream takes from the
// wall clock.
func TestTaintsOfDevicesHaveVirtualTime(t *testing.T) {
	earlier := noon().Add(-time.Hour)
	rule := func(effect resource.DeviceTaintEffect, added *metav1.Time) *resource.DeviceTaintRule {
		return &resource.DeviceTaintRule{Spec: resource.DeviceTaintRuleSpec{Taint: resource.DeviceTaint{Key: "k", Effect: effect, TimeAdded: added}}}
	}
	for name, tc := range map[string]struct {
		old, obj *resource.DeviceTaintRule
		want     time.Time
	}{
		"a new rule without a time":             {nil, rule(resource.DeviceTaintEffectNoExecute, nil), noon()},
		"a new rule with a time":                {nil, rule(resource.DeviceTaintEffectNoExecute, at(earlier)), earlier},
		"an update without a time":              {rule(resource.DeviceTaintEffectNoExecute, at(earlier)), rule(resource.DeviceTaintEffectNoExecute, nil), noon()},
		"an update that changes nothing":        {rule(resource.DeviceTaintEffectNoExecute, at(earlier)), rule(resource.DeviceTaintEffectNoExecute, at(earlier)), earlier},
		"an update of the effect":               {rule(resource.DeviceTaintEffectNoSchedule, at(earlier)), rule(resource.DeviceTaintEffectNoExecute, at(earlier)), noon()},
		"an update of the effect and the time":  {rule(resource.DeviceTaintEffectNoSchedule, at(noon())), rule(resource.DeviceTaintEffectNoExecute, at(earlier)), earlier},
		"an update of the effect with its time": {rule(resource.DeviceTaintEffectNoSchedule, at(noon())), rule(resource.DeviceTaintEffectNoExecute, at(noon())), noon()},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.old == nil {
				stamper().createStrategy(devicetaintrule.Strategy).PrepareForCreate(context.Background(), tc.obj)
			} else {
				stamper().taintUpdates(tc.obj, devicetaintrule.Strategy).PrepareForUpdate(context.Background(), tc.obj, tc.old)
			}
			if diff := cmp.Diff(at(tc.want), tc.obj.Spec.Taint.TimeAdded); diff != "" {
				t.Errorf("timeAdded (-want +got):\n%s", diff)
			}
		})
	}
}
