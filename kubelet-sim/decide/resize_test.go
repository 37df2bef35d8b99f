package decide

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

func TestDecideResize(t *testing.T) {
	pending := podstate.ResizeCondition(corev1.PodResizePending, nil, corev1.PodReasonDeferred, "", 2, noon)
	begun := podstate.ResizeCondition(corev1.PodResizeInProgress, nil, "", "", 2, noon)
	failed := podstate.ResizeCondition(corev1.PodResizeInProgress, nil, corev1.PodReasonError, "", 2, noon)
	later := noon.Add(time.Minute)
	for name, tc := range map[string]struct {
		resize *podstate.Resizing
		want   Plan
	}{
		"nothing to resize":                          {nil, Plan{}},
		"a new one is judged":                        {&podstate.Resizing{Judge: true}, do(Allocate, -1)},
		"one that waits is judged after a while":     {&podstate.Resizing{Pending: pending, RetryAt: noon}, do(Allocate, -1)},
		"until then it is no reason to move time":    {&podstate.Resizing{Pending: pending, RetryAt: later}, at(later, engine.Poll)},
		"what was allocated is carried out":          {&podstate.Resizing{InProgress: begun, LookAt: noon}, do(Actuate, -1)},
		"the runtime's answer is work":               {&podstate.Resizing{InProgress: begun, LookAt: later, Told: true}, at(later, engine.Progress)},
		"what cannot be done moves no time":          {&podstate.Resizing{InProgress: failed, LookAt: later}, at(later, engine.Poll)},
		"a newer one is judged before the last ends": {&podstate.Resizing{Judge: true, InProgress: begun, LookAt: noon}, do(Allocate, -1)},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, resize(&podstate.State{Resize: tc.resize}, noon)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}
