package lifecycle

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/environment"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// TestNamesThatExpandWithoutEnd has variables, arguments, probes and paths of volumes that
// double themselves.
func TestNamesThatExpandWithoutEnd(t *testing.T) {
	doubling := func(c *corev1.Container) {
		c.Env = []corev1.EnvVar{{Name: "A0", Value: "xxxxxxxx"}}
		for i := 1; i < 200; i++ {
			c.Env = append(c.Env, corev1.EnvVar{Name: fmt.Sprintf("A%d", i), Value: fmt.Sprintf("$(A%d)$(A%[1]d)", i-1)})
		}
	}
	wide := func(c *corev1.Container) string {
		c.Env = []corev1.EnvVar{{Name: "A", Value: strings.Repeat("x", 100_000)}}
		return strings.Repeat("$(A)", 100_000)
	}
	for name, more := range map[string]func(*corev1.Container){
		"variables": doubling,
		"a command": func(c *corev1.Container) { c.Command = []string{"echo", wide(c)} },
		"arguments": func(c *corev1.Container) { c.Args = []string{wide(c)} },
		"a path": func(c *corev1.Container) {
			c.VolumeMounts = []corev1.VolumeMount{{Name: "v", MountPath: "/v", SubPathExpr: wide(c)}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, engine.Manual)
			c.create(engine.Pods, newPod("p", withVolume("v"), runs("hang"), func(p *corev1.Pod) { more(&p.Spec.Containers[0]) }))
			c.advance(10_000_000_000)
			waits := c.api.pod(t, "p").Status.ContainerStatuses[0].State.Waiting
			if waits == nil || waits.Reason != podstate.ReasonCreateConfigError || !strings.HasSuffix(waits.Message, "argument list too long") {
				t.Errorf("it waits for %+v, want %s: argument list too long", waits, podstate.ReasonCreateConfigError)
			}
		})
	}
	spec := &corev1.Container{}
	if list := []string{wide(spec)}; environment.ExpandStatic(list, spec)[0] != list[0] {
		t.Error("the command of a probe was expanded without end")
	}
}
