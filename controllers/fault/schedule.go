package fault

import (
	"math"
	"time"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// moment is where a Fault is in its schedule.
type moment struct {
	State v1alpha1.FaultState
	// Activations is how often it has become active, Since when it last did.
	Activations int32
	Since       time.Time
	// Next is when State changes; zero for never.
	Next time.Time
}

// schedule returns where f is at now, by its times alone. It reads nothing but its
// arguments.
func schedule(f *v1alpha1.Fault, now time.Time) moment {
	s := &f.Spec
	begin := engine.After(f.CreationTimestamp.Time, v1alpha1.Duration(s.After))
	if s.At != nil {
		begin = engine.Within(s.At.UTC())
	}
	if now.Before(begin) {
		return moment{State: v1alpha1.FaultPending, Next: begin}
	}
	every, times := time.Duration(0), int64(1)
	if s.Repeat != nil {
		every = v1alpha1.Duration(&s.Repeat.Every)
		times = math.MaxInt32
		if s.Repeat.Times != nil {
			times = int64(*s.Repeat.Times)
		}
	}
	n := int64(0)
	if every > 0 {
		n = min(int64(now.Sub(begin)/every), times-1)
	}
	m := moment{State: v1alpha1.FaultActive, Activations: int32(n + 1), Since: engine.After(begin, time.Duration(n)*every)}
	m.Next = engine.After(m.Since, v1alpha1.Duration(s.Duration))
	switch {
	case s.Duration == nil && s.DropWatch == nil: // forever
		m.Next = time.Time{}
	case now.Before(m.Next):
	case n+1 < times:
		m.State, m.Next = v1alpha1.FaultPending, engine.After(m.Since, every)
	default:
		m.State, m.Next = v1alpha1.FaultEnded, time.Time{}
	}
	return m
}
