package scenario

import (
	"cmp"
	"fmt"
	"regexp"
	"time"

	"github.com/google/cel-go/cel"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// expectation is an Expectation that is valid.
type expectation struct {
	Expectation
	path       *field.Path
	condition  condition
	within, at time.Duration
	timed      bool // at is set
	// since is from when on events count. The player sets it when the step After is
	// done.
	since *time.Time
}

// title is the name that a report uses.
func (x *expectation) title() string {
	if x.Name != "" {
		return x.Name
	}
	var text string
	switch {
	case x.CEL != "":
		text = x.CEL
	case x.JSONPath != "":
		text = x.JSONPath + " is " + string(compactJSON(x.Value)) + " of " + x.Object + x.Objects
	case x.Match != nil:
		text = x.Object + x.Objects + " has " + string(compactJSON(x.Match))
	case x.Event != "":
		text = "Event " + x.Event
		if x.Regarding != "" {
			text += " regarding " + x.Regarding
		}
	case x.Rollout != "":
		text = x.Rollout + " is rolled out"
	case x.Log != "":
		text = "log of " + x.Log + ": " + cmp.Or(x.Contains, x.Matches)
	case x.Exactly != nil:
		text = fmt.Sprintf("exactly %d %s", *x.Exactly, x.Objects)
	case x.Count != nil:
		text = fmt.Sprintf("at least %d %s", *x.Count, x.Objects)
	case x.Exists != nil && !*x.Exists:
		text = "no " + x.Object + x.Objects
	default:
		text = x.Object + x.Objects + " exists"
	}
	switch {
	case x.Never && x.Within != "":
		text = "not within " + x.Within + ": " + text
	case x.Never:
		text = "never: " + text
	case x.Within != "":
		text += ", within " + x.Within
	case x.At != "":
		text += ", at " + x.At
	}
	return text
}

func (s *Scenario) compileExpectations(p *problems, list *field.Path) {
	var env *cel.Env
	for i, one := range s.Spec.Expect {
		x := expectation{Expectation: one, path: list.Index(i)}
		if x.Namespace == "" {
			x.Namespace = "default"
		}
		if one.CEL != "" && env == nil {
			var err error
			if env, err = newCELEnv(); err != nil {
				p.add(x.path.Child("cel"), field.OmitValueType{}, "%s", err)
				return
			}
		}
		x.compile(p, env)
		s.compileTime(p, &x)
		s.expect = append(s.expect, x)
	}
}

// compileTime reads when x must hold.
func (s *Scenario) compileTime(p *problems, x *expectation) {
	x.within, x.at = p.duration(x.path.Child("within"), x.Within), p.duration(x.path.Child("at"), x.At)
	x.timed = x.At != ""
	if x.timed && (x.Within != "" || x.Never) {
		p.add(x.path.Child("at"), x.At, "within or never is set as well: want one of them")
	}
	if x.After != "" {
		known := false
		for _, st := range s.Spec.Steps {
			known = known || st.Name == x.After
		}
		if !known {
			p.add(x.path.Child("after"), x.After, "no step has this name")
		}
	}
	if s.Length > 0 && max(x.within, x.at) > s.Length {
		p.add(x.path, field.OmitValueType{}, "it looks further than spec.for, %s", s.Length)
	}
}

// compile makes the condition.
func (x *expectation) compile(p *problems, env *cel.Env) {
	x.since = new(time.Time)
	kinds := 0
	for _, text := range []string{x.Object, x.Objects, x.Rollout, x.Event, x.Log} {
		if text != "" {
			kinds++
		}
	}
	if kinds != 1 {
		p.add(x.path, field.OmitValueType{}, "want exactly one of object, objects, rollout, event and log")
		return
	}
	x.refuse(p)
	switch {
	case x.Event != "":
		x.compileEvent(p)
	case x.Rollout != "":
		t := target{one: true, ref: p.ref(x.path.Child("rollout"), x.Rollout, "", x.Namespace)}
		if t.ref.Type != "" && t.ref.one() != nil {
			p.add(x.path.Child("rollout"), field.OmitValueType{}, "%s", t.ref.one())
		}
		x.condition = rolloutCondition{t}
	case x.Log != "":
		least, exact := x.numbers(p)
		x.condition = logCondition{
			pods: p.ref(x.path.Child("log"), x.Log, "pods", x.Namespace), container: x.Container, line: x.textOf(p), least: least, exact: exact, since: x.since,
		}
	default:
		x.compileObject(p, env)
	}
}

// refuse names the fields that do not belong to what x looks at.
func (x *expectation) refuse(p *problems) {
	objects, told := x.Object != "" || x.Objects != "", x.Event != "" || x.Log != ""
	for _, f := range []struct {
		name    string
		set, ok bool
	}{
		{"cel", x.CEL != "", objects}, {"jsonPath", x.JSONPath != "", objects}, {"match", x.Match != nil, objects}, {"exists", x.Exists != nil, objects},
		{"value", x.Value != nil, x.JSONPath != ""}, {"regarding", x.Regarding != "", x.Event != ""}, {"type", x.Type != "", x.Event != ""},
		{"container", x.Container != "", x.Log != ""}, {"contains", x.Contains != "", told}, {"matches", x.Matches != "", told},
		{"count", x.Count != nil, told || x.Objects != ""}, {"exactly", x.Exactly != nil, told || x.Objects != ""},
	} {
		if f.set && !f.ok {
			p.add(x.path.Child(f.name), field.OmitValueType{}, "it does not belong to what the expectation looks at")
		}
	}
}

// numbers returns how many are wanted: at least, or exactly if that is not negative.
func (x *expectation) numbers(p *problems) (least, exact int64) {
	least, exact = 1, -1
	if x.Count != nil && x.Exactly != nil {
		p.add(x.path.Child("exactly"), *x.Exactly, "count is set as well: want one of them")
	}
	if x.Count != nil {
		least = *x.Count
	}
	if x.Exactly != nil {
		exact = *x.Exactly
	}
	if x.Count != nil && least < 0 || x.Exactly != nil && exact < 0 {
		p.add(x.path.Child("count"), least, "want 0 or more")
	}
	return least, exact
}

func (x *expectation) textOf(p *problems) text {
	t := text{contains: x.Contains}
	if x.Matches != "" {
		var err error
		if t.matches, err = regexp.Compile(x.Matches); err != nil {
			p.add(x.path.Child("matches"), x.Matches, "%s", err)
		}
	}
	return t
}

func (x *expectation) compileEvent(p *problems) {
	least, exact := x.numbers(p)
	c := eventCondition{reason: x.Event, kind: x.Type, message: x.textOf(p), least: least, exact: exact, since: x.since}
	if x.Type != "" && x.Type != "Normal" && x.Type != "Warning" {
		p.add(x.path.Child("type"), x.Type, "want Normal or Warning")
	}
	if x.Regarding != "" {
		r := p.ref(x.path.Child("regarding"), x.Regarding, "", x.Namespace)
		c.regarding = &r
	}
	x.condition = c
}

func (x *expectation) compileObject(p *problems, env *cel.Env) {
	t := target{one: x.Object != ""}
	if t.one {
		t.ref = p.ref(x.path.Child("object"), x.Object, "", x.Namespace)
		if t.ref.Type != "" && t.ref.one() != nil {
			p.add(x.path.Child("object"), field.OmitValueType{}, "%s", t.ref.one())
		}
	} else {
		t.ref = p.ref(x.path.Child("objects"), x.Objects, "", x.Namespace)
	}
	ways := 0
	for _, set := range []bool{x.CEL != "", x.JSONPath != "", x.Match != nil, x.Exists != nil, x.Count != nil || x.Exactly != nil} {
		if set {
			ways++
		}
	}
	if ways != 1 {
		p.add(x.path, field.OmitValueType{}, "want exactly one of cel, jsonPath, match and exists; of objects also count or exactly")
		return
	}
	var err error
	switch {
	case x.CEL != "":
		if x.condition, err = newCEL(env, t, x.CEL); err != nil {
			p.add(x.path.Child("cel"), field.OmitValueType{}, "%s", err)
		}
	case x.JSONPath != "":
		if x.condition, err = newJSONPath(t, x.JSONPath, x.Value); err != nil {
			p.add(x.path.Child("jsonPath"), field.OmitValueType{}, "%s", err)
		}
	case x.Match != nil:
		x.condition = matchCondition{target: t, want: x.Match}
	case x.Exists != nil:
		c := existsCondition{ref: t.ref, least: 1, exact: -1}
		if !*x.Exists {
			c.exact = 0
		}
		x.condition = c
	default:
		least, exact := x.numbers(p)
		x.condition = existsCondition{ref: t.ref, least: least, exact: exact}
	}
}
