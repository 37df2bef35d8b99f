package program

import (
	"fmt"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// What a program uses that nothing is known of. Units: thousandths of a core,
// bytes.
const (
	simulatedMilliCPU = 5
	simulatedMemory   = 24 << 20
)

// simulated stands for a program that nothing is known of: it says so, and
// succeeds after Spec.UnknownRuntime or runs until it is told to stop.
func (p *Process) simulated(argv []string) kernel.Main {
	what := strings.Join(argv, " ")
	if what == "" {
		what = p.spec.Image
	}
	return func(c *kernel.Proc) int {
		c.Handle(kernel.SIGTERM, kernel.SIGINT)
		fmt.Fprintf(c.Stdout(), "kubesim: simulated %q\n", what)
		wait := p.spec.UnknownRuntime
		c.Idle(simulatedMilliCPU, simulatedMemory)
		if p.spec.RunsOn && c.PID == 1 {
			wait = -1
		}
		if c.Sleep(wait) {
			return 0
		}
		return 128 + int(c.Pending())
	}
}
