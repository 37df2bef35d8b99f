package cluster

import (
	"context"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/kubesim-dev/kubesim/apiserver/webhook"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/session"
)

// calls are those that the API server makes to servers in Pods: to webhooks of admission
// and of conversion.
//
// A client's write waits for the answer on stage, and lends the stage to the engine. A
// step cannot wait. Most webhooks answer at once, so the call is over within the step. If
// not, the request has no effect, and the step ends as if its request were delayed
// (engine.Delay). It begins anew when the answer has come, and then finds the answer here.
//
// Deviation: the answer is for the request of the first attempt, whose generated name may
// be another. A call that is under way when the server stops is made again.
type calls struct {
	engine   *engine.Engine
	sessions *session.Sessions
	// ends is done when the server stops.
	ends context.Context

	// What follows belongs to the engine's goroutine.

	// running is the request that the running step makes, and asked are its calls so far,
	// of which the last may have no answer.
	running request
	asked   []*question
	// next is the place in asked of the next call. late says that one has no answer yet.
	next int
	late bool
	// waiting are the requests that are made again when there is an answer, by the step.
	waiting map[engine.Key]waiting
}

// request identifies what a step asks of the API server.
type request struct {
	verb            string
	resource        engine.Resource
	subresource     string
	namespace, name string
}

type waiting struct {
	request
	asked []*question
}

// question is a call of a step's request, and how it ended.
type question struct {
	// what is asked. id identifies a question that must be the same.
	what, id string
	exchange *session.Exchange
	answer   *webhook.Answer
	// at is when it ended. The answer is for a step at that instant.
	at time.Time
}

func (c *calls) begin(ends context.Context, e *engine.Engine, s *session.Sessions) {
	c.engine, c.sessions, c.ends, c.waiting = e, s, ends, map[engine.Key]waiting{}
}

// call is apiserver.Config.Call.
func (c *calls) call(ctx context.Context, call webhook.Call) error {
	to, err := netip.ParseAddrPort(call.Address)
	if err != nil {
		return err
	}
	if c.engine == nil || !c.engine.Started() { // the first objects are written before any Pod runs
		return &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(to), Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	out := session.Call{To: to, What: call.What, Timeout: call.Timeout, Talk: call.Talk}
	if c.engine.InStep(ctx) {
		return c.inStep(out, call.Question, call.Answer)
	}
	if call.OnStage {
		// Its context has a timeout of wall time, which must not decide.
		ctx = context.WithoutCancel(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ends, cancel)()
	return c.sessions.Make(ctx, out, call.OnStage)
}

// inStep makes a call of the request that the running step makes.
func (c *calls) inStep(call session.Call, id string, answer *webhook.Answer) error {
	if c.late {
		return webhook.ErrLater // it begins anew anyway
	}
	if c.next < len(c.asked) && c.asked[c.next].what == call.What && c.asked[c.next].id == id {
		q := c.asked[c.next]
		over, err := q.exchange.Over()
		if !over {
			return c.later()
		}
		c.next++
		*answer = *q.answer
		return err
	}
	q, key := &question{what: call.What, id: id, answer: answer}, c.engine.StepKey()
	q.exchange = c.sessions.MakeInStep(call, func() {
		q.at = c.engine.Now()
		c.engine.Poke(key)
	})
	c.asked = append(c.asked[:c.next], q)
	over, err := q.exchange.Over()
	if !over {
		return c.later()
	}
	q.at = c.engine.Now()
	c.next++
	return err
}

func (c *calls) later() error {
	c.late = true
	return webhook.ErrLater
}

// making is called before a step's request, and made after it.
func (c *calls) making(r request) {
	c.running, c.asked, c.next, c.late = r, nil, 0, false
	if len(c.waiting) == 0 {
		return
	}
	key := c.engine.StepKey()
	was, ok := c.waiting[key]
	delete(c.waiting, key)
	if ok && was.request == r && c.fresh(was.asked) {
		c.asked = was.asked
	}
}

// fresh reports whether the calls of an earlier attempt still count: the last one goes
// on, or has ended at this instant, which is why the step begins anew. A step that does
// something else then leaves its answers behind.
func (c *calls) fresh(asked []*question) bool {
	last := asked[len(asked)-1]
	over, _ := last.exchange.Over()
	return !over || last.at.Equal(c.engine.Now())
}

func (c *calls) made() {
	if !c.late {
		return
	}
	last := c.asked[len(c.asked)-1]
	c.waiting[c.engine.StepKey()] = waiting{c.running, c.asked}
	c.late = false
	c.engine.Delay(last.exchange.Deadline())
}
