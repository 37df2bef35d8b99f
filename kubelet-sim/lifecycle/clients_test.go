package lifecycle

import (
	"testing"
	"time"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/cri"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
)

// TestAClientComesTooLate: the step of a client may come before that in which the
// container's program ends at the same instant. The client has to be told, or it waits
// forever for what never began.
func TestAClientComesTooLate(t *testing.T) {
	for name, tc := range map[string]struct {
		after time.Duration
		want  bool
	}{
		"the program runs":      {time.Second, true},
		"its end has been due":  {time.Minute, false},
		"its end is just due":   {20 * time.Second, false},
		"its end is almost due": {20*time.Second - 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := restart(t, engine.Manual, nil, cri.Simulated())
			c.create(engine.Pods, newPod("p", shell("sleep 30")))
			c.advance(10 * time.Second)
			pod, err := c.kubelet.Container(stream.Target{Namespace: "default", Pod: "p", Container: "c"})
			if err != nil {
				t.Fatal(err)
			}
			end := pod.run.Containers[0].WakeAt
			began := false
			done := pod.During(end.Add(tc.after-20*time.Second), func() { began = true })
			if done != tc.want || began != tc.want {
				t.Errorf("done %t, began %t, want %t", done, began, tc.want)
			}
		})
	}
}
