package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	celref "github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"
	"github.com/google/cel-go/parser"
	"k8s.io/apiserver/pkg/cel/environment"
)

// celCondition is an expression about an object or a list.
type celCondition struct {
	target  target
	text    string
	ast     *cel.Ast
	program cel.Program
	// timely: it asks what time it is.
	timely bool
}

// celCostMax bounds what one evaluation costs, in CEL's own units. Source: PerCallLimit
// of k8s.io/apiserver/pkg/apis/cel v1.37.2, times ten: lists are long here.
const celCostMax = 10_000_000

// newCELEnv has Kubernetes' own functions, as admission policies have them.
func newCELEnv() (*cel.Env, error) {
	set, err := environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()).Extend(environment.VersionedOptions{
		IntroducedVersion: environment.DefaultCompatibilityVersion(),
		EnvOptions: []cel.EnvOption{
			cel.Variable("object", cel.DynType), cel.Variable("objects", cel.ListType(cel.DynType)),
			cel.Variable(nowVariable, cel.TimestampType), cel.Variable("start", cel.TimestampType), cel.Variable(elapsedVariable, cel.DurationType),
		},
	})
	if err != nil {
		return nil, err
	}
	return set.NewExpressionsEnv(), nil
}

func newCEL(env *cel.Env, t target, text string) (*celCondition, error) {
	checked, issues := env.Compile(text)
	if err := issues.Err(); err != nil {
		return nil, errors.New(strings.TrimPrefix(strings.ReplaceAll(err.Error(), "<input>", "expression"), "ERROR: "))
	}
	if out := checked.OutputType(); !out.IsExactType(cel.BoolType) && !out.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("it is of type %s: want true or false", out)
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptTrackState), cel.CostLimit(celCostMax))
	if err != nil {
		return nil, err
	}
	timely := len(ast.MatchDescendants(ast.NavigateAST(checked.NativeRep()), asksForTime)) > 0
	return &celCondition{target: t, text: text, ast: checked, program: program, timely: timely}, nil
}

// asksForTime reports whether e is a variable that goes with time.
func asksForTime(e ast.NavigableExpr) bool {
	return e.Kind() == ast.IdentKind && slices.Contains([]string{nowVariable, elapsedVariable}, e.AsIdent())
}

// The variables of an expression that go with time.
const (
	nowVariable     = "now"
	elapsedVariable = "elapsed"
)

func (c *celCondition) check(w *World) error { return checkRef(w, c.target.ref) }

// version is that of everything where time matters: then it is looked at whenever
// anything happens.
func (c *celCondition) version(w *World) int64 {
	if c.timely {
		return w.changes
	}
	return w.version(c.target.ref)
}

// evaluate returns the value, and those of all parts.
func (c *celCondition) evaluate(w *World, t moment) (celref.Val, *cel.EvalDetails, error) {
	one, all, err := c.target.find(w)
	if err != nil {
		return nil, nil, err
	}
	input := map[string]any{nowVariable: t.now, "start": t.start, elapsedVariable: t.now.Sub(t.start), "objects": all, "object": nil}
	if one != nil {
		input["object"] = one
	}
	return c.program.Eval(input)
}

func (c *celCondition) holds(w *World, t moment) bool {
	value, _, err := c.evaluate(w, t)
	return err == nil && value == types.True
}

func (c *celCondition) explain(w *World, t moment) detail {
	d := c.target.detail(w)
	d.Expected = c.text
	value, details, err := c.evaluate(w, t)
	var parts []string
	if details != nil && details.State() != nil {
		parts = c.parts(details.State())
	}
	switch {
	case err != nil:
		parts = append(parts, err.Error())
	case len(parts) == 0 || value != types.False:
		parts = append(parts, fmt.Sprintf("it is %v", value.Value()))
	}
	if one, _, err := c.target.find(w); err == nil && one == nil && c.target.one {
		parts = []string{"there is no " + c.target.ref.text}
	}
	d.Actual = strings.Join(parts, "\n")
	return d
}

// partsMax bounds how many values of an expression's parts are told.
const partsMax = 12

// parts are the values of an expression's longest paths, such as object.status.failed,
// and of its calls of methods, such as size().
func (c *celCondition) parts(state interpreter.EvalState) []string {
	var parts []string
	seen := map[string]bool{}
	add := func(e ast.Expr) {
		text, err := parser.Unparse(e, c.ast.NativeRep().SourceInfo())
		value, ok := state.Value(e.ID())
		if err != nil || !ok || seen[text] || len(parts) >= partsMax || types.IsUnknownOrError(value) {
			return
		}
		seen[text] = true
		parts = append(parts, text+" = "+shown(value))
	}
	root := ast.NavigateAST(c.ast.NativeRep())
	for _, e := range ast.MatchDescendants(root, worthTelling) {
		add(e)
	}
	return parts
}

// worthTelling reports whether e is the end of a path.
func worthTelling(e ast.NavigableExpr) bool {
	for p, ok := e.Parent(); ok; p, ok = p.Parent() {
		if p.Kind() == ast.ComprehensionKind {
			return false // it has a value for each item
		}
	}
	if p, ok := e.Parent(); ok && (p.Kind() == ast.SelectKind || p.Kind() == ast.CallKind && p.AsCall().IsMemberFunction() && p.AsCall().Target().ID() == e.ID()) {
		return false
	}
	switch e.Kind() {
	case ast.SelectKind:
		return true
	case ast.CallKind:
		return e.AsCall().IsMemberFunction() || e.AsCall().FunctionName() == "size"
	}
	return false
}

// valueMax bounds how much of a value is told. Unit: bytes.
const valueMax = 200

func shown(v celref.Val) string {
	var text string
	switch value := v.Value().(type) {
	case string:
		text = fmt.Sprintf("%q", value)
	default:
		text = string(compactJSON(native(v)))
	}
	if len(text) > valueMax {
		text = strings.ToValidUTF8(text[:valueMax], "") + "…"
	}
	return text
}
