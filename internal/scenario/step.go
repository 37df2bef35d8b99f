package scenario

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// step is a Step that was found valid.
type step struct {
	Step
	path *field.Path
	// action is the name of the one that is set.
	action string
	// at is since the start, after since the step before; timed: it is at.
	at, after, advance time.Duration
	timed              bool
	instant            time.Time
	target             ref
}

// compileSteps reads the steps.
func (s *Scenario) compileSteps(p *problems, list *field.Path) {
	var last time.Duration
	names := map[string]bool{}
	for i, one := range s.Spec.Steps {
		before := len(p.ErrorList)
		st := newStep(p, list.Index(i), one)
		switch {
		case len(p.ErrorList) > before: // its time may be none
		case st.timed && st.at < last:
			p.add(st.path.Child("at"), one.At, "the step before is at %s: put the steps in order", last)
		case st.timed:
			last = st.at
		}
		for _, d := range [...]time.Duration{st.after, st.advance} {
			if last += min(d, p.left); last > p.left {
				p.add(st.path, field.OmitValueType{}, "it ends after virtual time does (%v)", engine.ErrOutOfTime)
				last = p.left
			}
		}
		if one.Name != "" && names[one.Name] {
			p.add(st.path.Child("name"), one.Name, "another step is called so")
		}
		names[one.Name] = true
		s.steps = append(s.steps, st)
	}
	if s.Length > 0 && last > s.Length {
		p.add(field.NewPath("spec", "for"), s.Spec.For, "the last step is after %s", last)
	}
}

// newStep judges one.
func newStep(p *problems, path *field.Path, one Step) step {
	if one.Namespace == "" {
		one.Namespace = "default"
	}
	st := step{Step: one, path: path}
	if one.At != "" && one.After != "" {
		p.add(path.Child("after"), one.After, "at is set as well: want one of them")
	}
	st.timed = one.At != ""
	st.at, st.after = p.duration(path.Child("at"), one.At), p.duration(path.Child("after"), one.After)
	st.advance = p.duration(path.Child("advance"), one.Advance)
	if one.Instant != "" {
		var err error
		if st.instant, err = time.Parse(time.RFC3339Nano, one.Instant); err != nil {
			p.add(path.Child("instant"), one.Instant, "want RFC 3339")
		}
	}
	set := one.set()
	for _, a := range actions() {
		if set[a.name] {
			if st.action != "" {
				p.add(path.Child(a.name), field.OmitValueType{}, "%s is set as well: want one action in a step", st.action)
				continue
			}
			st.action = a.name
			st.judge(p, a, set)
		}
	}
	if st.action == "" {
		p.add(path, field.OmitValueType{}, "there is no action: want one of %s", strings.Join(actionNames(), ", "))
	}
	return st
}

// set returns the fields that are.
func (s Step) set() map[string]bool {
	data, err := json.Marshal(s)
	fields := map[string]any{}
	if err == nil {
		err = json.Unmarshal(data, &fields)
	}
	set := map[string]bool{}
	if err != nil {
		return set
	}
	for name := range fields {
		set[name] = true
	}
	return set
}

// action is one thing that a step can do.
type action struct {
	name string
	// kind is the type of what it names, if it needs no type.
	kind string
	// ref: its value names objects; many: perhaps several.
	ref, many bool
	// needs and may are the fields beside it.
	needs, may []string
}

func actions() []action {
	return []action{
		{name: "apply"}, {name: "create"},
		{name: "delete", ref: true, many: true, may: []string{"gracePeriodSeconds", "propagationPolicy"}},
		{name: "patch", ref: true, many: true, needs: []string{"with"}, may: []string{"type", "subresource"}},
		{name: "scale", ref: true, needs: []string{"replicas"}},
		{name: "suspend", ref: true, many: true}, {name: "resume", ref: true, many: true},
		{name: "setImage", ref: true, many: true, needs: []string{"images"}},
		{name: "restart", ref: true, many: true}, {name: "undo", ref: true, may: []string{"toRevision"}}, {name: "pause", ref: true, many: true},
		{name: "autoscale", ref: true, needs: []string{"maxReplicas", "cpu"}, may: []string{"minReplicas"}},
		{name: "cordon", kind: "nodes", ref: true, many: true}, {name: "uncordon", kind: "nodes", ref: true, many: true},
		{name: "drain", kind: "nodes", ref: true, may: []string{"gracePeriodSeconds"}},
		{name: "evict", kind: "pods", ref: true, many: true, may: []string{"gracePeriodSeconds"}},
		{name: "exec", kind: "pods", ref: true, many: true, needs: []string{"command"}, may: []string{"container", "stdin", "exitCode", "output"}},
		{name: "advance"}, {name: "clock", may: []string{"early"}}, {name: "request"}, {name: "note"},
	}
}

func actionNames() []string {
	var names []string
	for _, a := range actions() {
		names = append(names, a.name)
	}
	return names
}

// common are the fields that go with every action.
func common() []string {
	return []string{"name", "at", "after", "instant", "namespace", "fails"}
}

// judge looks at the fields beside the action a.
func (s *step) judge(p *problems, a action, set map[string]bool) {
	for _, need := range a.needs {
		if !set[need] {
			p.ErrorList = append(p.ErrorList, field.Required(s.path.Child(need), a.name+" needs it"))
		}
	}
	known := slices.Concat([]string{a.name}, common(), a.needs, a.may, actionNames())
	for _, name := range sortedKeys(set) {
		if !slices.Contains(known, name) {
			p.add(s.path.Child(name), field.OmitValueType{}, "%s has no such field", a.name)
		}
	}
	if a.ref {
		s.judgeTarget(p, a)
	}
	switch a.name {
	case "apply", "create":
		object := map[string]map[string]any{"apply": s.Apply, "create": s.Create}[a.name]
		if object["kind"] == nil || object["apiVersion"] == nil {
			p.add(s.path.Child(a.name), field.OmitValueType{}, "apiVersion or kind is missing: want a manifest")
		}
	case "patch":
		if !slices.Contains([]string{"", "strategic", "merge", "json"}, s.Type) {
			p.add(s.path.Child("type"), s.Type, "want strategic, the default, merge or json")
		}
	case "undo":
		if s.ToRevision < 0 {
			p.add(s.path.Child("toRevision"), s.ToRevision, "want 1 or more, or leave it out for the revision before")
		}
	case "clock":
		if _, err := ParseClock(s.Clock); err != nil {
			p.add(s.path.Child("clock"), s.Clock, "%s", err)
		}
	case "request":
		if !strings.HasPrefix(s.Request.Path, "/") || s.Request.Method == "" {
			p.add(s.path.Child("request"), field.OmitValueType{}, "want a method, and a path that begins with /")
		}
		if !slices.Contains([]string{"", "judged", "delayed"}, s.Request.Phase) {
			p.add(s.path.Child("request", "phase"), s.Request.Phase, "want judged or delayed, or leave it out")
		}
	}
}

func (s *step) judgeTarget(p *problems, a action) {
	value := map[string]string{
		"delete": s.Delete, "patch": s.Patch, "scale": s.Scale, "suspend": s.Suspend, "resume": s.Resume,
		"setImage": s.SetImage, "restart": s.Restart, "undo": s.Undo, "pause": s.Pause, "autoscale": s.Autoscale, "cordon": s.Cordon,
		"uncordon": s.Uncordon, "drain": s.Drain, "evict": s.Evict, "exec": s.Exec,
	}[a.name]
	path := s.path.Child(a.name)
	s.target = p.ref(path, value, a.kind, s.Namespace)
	if s.target.Type == "" {
		return
	}
	switch {
	case !a.many && s.target.one() != nil:
		p.add(path, field.OmitValueType{}, "%s", s.target.one())
	case s.target.Name == "" && s.target.Selector == nil:
		p.add(path, field.OmitValueType{}, "%q: want TYPE/NAME, such as job/pi, or TYPE -l SELECTOR", value)
	}
}

// ClockCommand is what moves the clock, as 'kubesim clock' has it.
type ClockCommand struct {
	// Action is advance, until, next, pause, resume or mode.
	Action   string
	Duration time.Duration
	Time     time.Time
	Mode     string
}

// ParseClock reads one.
func ParseClock(text string) (c ClockCommand, err error) {
	words := strings.Fields(text)
	wrong := fmt.Errorf(`want "advance DURATION", "until TIME", "next", "pause", "resume", "mode auto" or "mode manual"`)
	if len(words) == 0 {
		return c, wrong
	}
	c.Action = words[0]
	switch {
	case len(words) == 1 && slices.Contains([]string{"next", "pause", "resume"}, c.Action):
		return c, nil
	case len(words) == 2 && c.Action == "advance":
		c.Duration, err = time.ParseDuration(words[1])
	case len(words) == 2 && c.Action == "until":
		c.Time, err = time.Parse(time.RFC3339Nano, words[1])
	case len(words) == 2 && c.Action == "mode" && (words[1] == "auto" || words[1] == "manual"):
		c.Mode = words[1]
	default:
		return c, wrong
	}
	if err != nil || c.Duration < 0 {
		return c, wrong
	}
	return c, nil
}

// String is the inverse of ParseClock.
func (c ClockCommand) String() string {
	switch c.Action {
	case "advance":
		return c.Action + " " + c.Duration.String()
	case "until":
		return c.Action + " " + c.Time.UTC().Format(time.RFC3339Nano)
	case "mode":
		return c.Action + " " + c.Mode
	}
	return c.Action
}
