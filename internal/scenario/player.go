package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Cluster is the cluster on which a scenario is played. All calls return when it is at
// rest.
type Cluster interface {
	// Now returns the present instant. Next returns the instant of the next timer that
	// is worth a stop, or zero if there is none. Working reports whether work is under
	// way.
	Now() time.Time
	Next() time.Time
	Working() bool
	// Until advances the clock, through every timer in between.
	Until(ctx context.Context, t time.Time) error
	// Hold says how far mode auto may advance the clock after the next action. Zero
	// means no limit.
	Hold(until time.Time)
	// Clock carries out a command of 'kubesim clock'.
	Clock(ctx context.Context, c ClockCommand) error
	// Do sends a request and returns the answer's status and body.
	Do(ctx context.Context, r Request) (status int, body []byte, err error)
	// Exec starts a command in a container.
	Exec(ctx context.Context, e ExecRequest) (Execution, error)
}

// ExecRequest is a command for a container of a Pod.
type ExecRequest struct {
	Namespace, Pod, Container string
	Command                   []string
	Stdin                     string
}

// Execution is a running command.
type Execution interface {
	// Ended reports whether it has ended, and what it has printed.
	Ended(ctx context.Context) (ended bool, code int32, output string, err error)
}

// Player plays one scenario.
type Player struct {
	scenario *Scenario
	cluster  Cluster
	world    *World
	timeline *Timeline

	trackers []*tracker
	drains   []*drain
	// next is the index of the next step, due when it is.
	next int
	due  time.Time
}

// NewPlayer returns a player that has not started.
func NewPlayer(s *Scenario, c Cluster, w *World, t *Timeline) *Player {
	p := &Player{scenario: s, cluster: c, world: w, timeline: t}
	for i := range s.expect {
		p.trackers = append(p.trackers, &tracker{expectation: &s.expect[i], state: Pending})
	}
	return p
}

// Play plays to the end. It returns a result even if it fails. The error says why the
// run could not continue; a failed expectation is not an error.
func (p *Player) Play(ctx context.Context) (*Result, error) {
	err := p.check()
	if err == nil {
		err = p.play(ctx)
	}
	if err == nil {
		p.finish()
	}
	return p.result(err), err
}

// check returns an error that names the kinds that the server does not have.
func (p *Player) check() error {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	var lines []string
	at := func(path, text string) {
		lines = append(lines, fmt.Sprintf("%s: %s: %s", p.scenario.document.At(path), path, text))
	}
	for _, st := range p.scenario.steps {
		if st.target.Type != "" {
			if err := checkRef(p.world, st.target); err != nil {
				at(st.path.Child(st.action).String(), err.Error())
			}
		}
	}
	for _, t := range p.trackers {
		if err := t.condition.check(p.world); err != nil {
			at(t.path.String(), err.Error())
		}
	}
	if len(lines) > 0 {
		return errors.New(strings.Join(lines, "\n"))
	}
	return nil
}

func (p *Player) play(ctx context.Context) error {
	for _, t := range p.trackers {
		if t.After == "" {
			t.begin(p.scenario.Start)
		}
	}
	for i := range p.scenario.Manifests {
		if err := p.applyManifest(ctx, p.scenario.Manifests[i]); err != nil {
			return err
		}
	}
	p.plan(p.scenario.Start)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		p.look()
		done, err := p.act(ctx)
		if err != nil {
			return err
		}
		if done {
			continue // things have happened at this instant
		}
		to, more := p.target()
		if !more {
			return p.reached()
		}
		if err := p.cluster.Until(ctx, to); err != nil {
			return err
		}
	}
}

// reached returns an error if a step is left for which no time remains.
func (p *Player) reached() error {
	if p.next == len(p.scenario.steps) || !p.due.After(engine.TimeMax()) {
		return nil
	}
	return p.located(&p.scenario.steps[p.next], engine.CheckTime(p.due))
}

// plan sets when the next step is due, given the instant at which the previous one was
// done.
func (p *Player) plan(last time.Time) {
	if p.next == len(p.scenario.steps) {
		return
	}
	st := p.scenario.steps[p.next]
	p.due = last.Add(st.after)
	if st.timed {
		p.due = p.scenario.Start.Add(st.at)
	}
}

// act does what is due now, and reports whether there was anything.
func (p *Player) act(ctx context.Context) (bool, error) {
	now := p.cluster.Now()
	if did, err := p.goOnDraining(ctx, now); did || err != nil {
		return did, err
	}
	if p.next == len(p.scenario.steps) || now.Before(p.due) {
		return false, nil
	}
	st := &p.scenario.steps[p.next]
	if err := st.inTime(p.scenario, now); err != nil {
		return false, p.located(st, err)
	}
	p.next++
	p.cluster.Hold(p.interruption())
	if err := p.do(ctx, st); err != nil {
		return false, p.located(st, err)
	}
	now = p.cluster.Now()
	for _, t := range p.trackers {
		if st.Name != "" && t.After == st.Name {
			t.begin(now)
		}
	}
	// The duration that advance names passes before the next step.
	p.plan(now.Add(st.advance))
	return true, nil
}

// interruption returns the instant at which the next step stops mode auto, or zero if
// it does not.
func (p *Player) interruption() time.Time {
	for _, st := range p.scenario.steps[p.next:] {
		if st.Early {
			return st.instant
		}
		if st.action != "note" { // with a note nothing happens
			break
		}
	}
	return time.Time{}
}

// inTime returns an error if the step's instant has passed, which happens in clock mode
// auto.
func (s *step) inTime(of *Scenario, now time.Time) error {
	if !s.instant.IsZero() && !s.instant.Equal(now) {
		return fmt.Errorf("the run has left the recording: this was at %s, and now it is %s",
			s.instant.UTC().Format(time.RFC3339Nano), now.UTC().Format(time.RFC3339Nano))
	}
	if s.timed && now.After(of.Start.Add(s.at)) {
		return fmt.Errorf("it is %s after the start already, and the step is at %s: in clock mode auto time moves on while work is under way", now.Sub(of.Start), s.at)
	}
	return nil
}

// located adds file and line to an error of a step.
func (p *Player) located(st *step, err error) error {
	path := st.path.Child(st.action).String()
	return fmt.Errorf("%s: %s: %w", p.scenario.document.At(path), path, err)
}

// target returns how far the clock may advance before somebody has to look, and whether
// there is a reason to advance it at all.
func (p *Player) target() (to time.Time, more bool) {
	end := p.scenario.Start.Add(p.scenario.Length)
	if p.scenario.Length == 0 {
		end = engine.Within(p.scenario.Start.Add(lengthMax))
	}
	now := p.cluster.Now()
	if p.scenario.Spec.EndsWithSteps && p.next == len(p.scenario.steps) && len(p.drains) == 0 {
		return now, false
	}
	more = p.cluster.Working() || p.scenario.Length > 0 || p.next < len(p.scenario.steps) || len(p.drains) > 0
	to = end
	sooner := func(t time.Time) {
		if !t.IsZero() && t.Before(to) {
			to = t
		}
	}
	sooner(p.cluster.Next())
	if p.next < len(p.scenario.steps) {
		sooner(p.due)
		end = later(end, engine.Within(p.due))
	}
	for _, d := range p.drains {
		sooner(d.again)
	}
	for _, t := range p.trackers {
		sooner(t.deadline())
		more = more || t.open()
		end = later(end, engine.Within(t.deadline()))
	}
	return to, more && now.Before(end)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// look judges what is expected at this instant.
func (p *Player) look() {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	m := p.moment()
	for _, t := range p.trackers {
		if t.look(p.world, m) {
			p.tell(t)
		}
	}
}

// finish judges what is expected at the end.
func (p *Player) finish() {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	m := p.moment()
	for _, t := range p.trackers {
		if t.end(p.world, m) {
			p.tell(t)
		}
	}
}

func (p *Player) moment() moment { return moment{start: p.scenario.Start, now: p.cluster.Now()} }

func (p *Player) tell(t *tracker) {
	who := whoHeld
	if t.state == Failed {
		who = whoFailed
	}
	p.timeline.Add(t.decided, who, t.title())
}

// This is the timeline's name for the scenario itself.
const (
	whoStep   = "step"
	whoHeld   = "ok"
	whoFailed = "FAILED"
)

func (p *Player) result(err error) *Result {
	s := p.scenario
	r := &Result{Scenario: s.Name, File: s.File, Seed: s.Seed(), Start: s.Start, End: p.cluster.Now().UTC(), Outcomes: []Outcome{}, Timeline: p.timeline.All()}
	if err != nil {
		r.Error = err.Error()
	}
	for _, t := range p.trackers {
		o := Outcome{Name: t.title(), State: t.state, Where: s.document.At(t.path.String())}
		switch t.state {
		case Pending:
			o.State = Skipped
		case Failed:
			o.Expected, o.Actual, o.Objects, o.Want = t.detail.Expected, t.detail.Actual, t.detail.Objects, t.detail.Want
			o.Events = lastAbout(r.Timeline, t.detail.About, t.decided)
			fallthrough
		default:
			o.Time = t.decided.UTC()
		}
		r.Outcomes = append(r.Outcomes, o)
	}
	r.Passed = err == nil && r.Failed() == 0
	return r
}

// eventsShown is how many lines of the timeline a failure shows.
const eventsShown = 8

// lastAbout returns the last lines up to an instant about objects, or about what they
// own, whose names begin with theirs. If there are no such lines, it returns the last
// lines of all.
func lastAbout(all []Entry, names []string, until time.Time) []Entry {
	var some, any []Entry
	for _, e := range all {
		if e.Time.After(until) || e.Who == whoHeld || e.Who == whoFailed {
			continue
		}
		any = append(any, e)
		if e.Who == whoStep || slices.ContainsFunc(names, func(name string) bool { return about(e.Who, name) }) {
			some = append(some, e)
		}
	}
	if len(some) == 0 || len(names) == 0 {
		some = any
	}
	return some[max(0, len(some)-eventsShown):]
}

// about reports whether who, such as pod/pi-x2f4k/main, is name or owned by it.
func about(who, name string) bool {
	for part := range strings.SplitSeq(who, "/") {
		if part == name || strings.HasPrefix(part, name+"-") {
			return true
		}
	}
	return false
}

// Timeline has the lines of a run. They may come from any goroutine.
type Timeline struct {
	mu   sync.Mutex
	all  []Entry
	show func(Entry)
}

// NewTimeline returns a timeline that shows each line, if show is not nil.
func NewTimeline(show func(Entry)) *Timeline { return &Timeline{show: show} }

// Add adds a line.
func (t *Timeline) Add(at time.Time, who, what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := Entry{Time: at.UTC(), Who: who, What: what}
	t.all = append(t.all, e)
	if t.show != nil {
		t.show(e)
	}
}

// All returns the lines so far.
func (t *Timeline) All() []Entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.all)
}
