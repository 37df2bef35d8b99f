package script

import (
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// A course is followed in so many steps from one point to the next, but not more often than
// once a courseStepMin. Unit: virtual time.
const (
	courseSteps   = 60
	courseStepMin = time.Second
)

// use says what the container uses from now on. A course is followed by a process beside the
// script's, until it is over or another usage takes its place.
func use(u *v1alpha1.Usage, c *kernel.Proc, e *Effects) (code int, ended bool) {
	e.set(u, c)
	e.steps++
	own := e.steps
	if len(u.Course) == 0 {
		return 0, false
	}
	follower, ok := c.Fork([]string{"usage"})
	if !ok {
		write(c.Stderr(), "usage: cannot follow the course: "+kernel.EAGAIN.Error()+"\n")
		return 2, true
	}
	c.Machine().Start(follower, func(f *kernel.Proc) int {
		begin := f.Now()
		from := point{cpu: u.CPU, memory: u.Memory}
		for i := range u.Course {
			to := point{duration(u.Course[i].After), u.Course[i].CPU, u.Course[i].Memory}
			step := max((to.after-from.after)/courseSteps, courseStepMin)
			for at := from.after; at < to.after; {
				at = min(at+step, to.after)
				f.Sleep(at - f.Now().Sub(begin))
				if e.steps != own {
					return 0
				}
				e.set(from.toward(to, at), c)
			}
			from = to
		}
		return 0
	})
	return 0, false
}

// set takes a usage over, for the script's process.
func (e *Effects) set(u *v1alpha1.Usage, c *kernel.Proc) {
	e.Usage = u
	c.Use(value(u.CPU, (*resource.Quantity).MilliValue), value(u.Memory, (*resource.Quantity).Value))
}

func value(q *resource.Quantity, read func(*resource.Quantity) int64) int64 {
	if q == nil {
		return 0
	}
	return read(q)
}

// point is one of a course.
type point struct {
	after       time.Duration
	cpu, memory *resource.Quantity
}

// toward is the usage on the way from one point to the next.
func (p point) toward(to point, at time.Duration) *v1alpha1.Usage {
	part := float64(at-p.after) / float64(to.after-p.after)
	between := func(from, to *resource.Quantity, read func(*resource.Quantity) int64, make func(int64) *resource.Quantity) *resource.Quantity {
		if from == nil || to == nil {
			return nil
		}
		a, b := read(from), read(to)
		return make(a + int64(part*float64(b-a)))
	}
	return &v1alpha1.Usage{
		CPU: between(p.cpu, to.cpu, (*resource.Quantity).MilliValue, func(n int64) *resource.Quantity {
			return resource.NewMilliQuantity(n, resource.DecimalSI)
		}),
		Memory: between(p.memory, to.memory, (*resource.Quantity).Value, func(n int64) *resource.Quantity {
			return resource.NewQuantity(n, resource.BinarySI)
		}),
	}
}
