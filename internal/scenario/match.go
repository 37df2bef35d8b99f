package scenario

import (
	"bytes"
	"fmt"
	"strings"

	"k8s.io/client-go/util/jsonpath"
)

// matchCondition wants a part of an object to be so, or of each object of a list that
// is not empty.
type matchCondition struct {
	target target
	want   map[string]any
}

func (c matchCondition) check(w *World) error { return checkRef(w, c.target.ref) }

func (c matchCondition) version(w *World) int64 { return w.version(c.target.ref) }

func (c matchCondition) wrong(w *World) []string {
	_, all, err := c.target.find(w)
	if err != nil {
		return []string{err.Error()}
	}
	if len(all) == 0 {
		return []string{"there is no " + c.target.ref.text}
	}
	var wrong []string
	for _, o := range all {
		lines := lacks("", c.want, o)
		for _, line := range lines {
			if !c.target.one {
				line = fmt.Sprintf("%s: %s", nameOf(o), line)
			}
			wrong = append(wrong, line)
		}
	}
	return wrong
}

func nameOf(o any) string {
	fields, _ := o.(map[string]any)
	meta, _ := fields["metadata"].(map[string]any)
	name, _ := meta["name"].(string)
	return name
}

func (c matchCondition) holds(w *World, _ moment) bool { return len(c.wrong(w)) == 0 }

func (c matchCondition) explain(w *World, _ moment) detail {
	d := c.target.detail(w)
	d.Expected = c.target.ref.text + " with " + string(compactJSON(c.want))
	d.Actual = strings.Join(c.wrong(w), "\n")
	if one, _, err := c.target.find(w); err == nil && one != nil {
		got := relevant(one)
		for _, name := range sortedKeys(c.want) {
			if _, there := got[name]; !there {
				got[name] = narrowed(c.want[name], one[name])
			}
		}
		if meta, ok := c.want["metadata"]; ok {
			got["metadata"] = merged(narrowed(meta, one["metadata"]), got["metadata"])
		}
		d.Objects = []map[string]any{got}
		d.Want, _ = merged(c.want, got).(map[string]any)
	}
	return d
}

// pathCondition wants a JSONPath to give a value.
type pathCondition struct {
	target target
	text   string
	path   *jsonpath.JSONPath
	want   any
}

func newJSONPath(t target, text string, want any) (*pathCondition, error) {
	path := jsonpath.New("expectation").AllowMissingKeys(true)
	if !strings.Contains(text, "{") {
		return nil, fmt.Errorf("%q: want it in braces, for example {.status.failed}", text)
	}
	if err := path.Parse(text); err != nil {
		return nil, err
	}
	return &pathCondition{target: t, text: text, path: path, want: want}, nil
}

func (c *pathCondition) check(w *World) error { return checkRef(w, c.target.ref) }

func (c *pathCondition) version(w *World) int64 { return w.version(c.target.ref) }

// got is what the path gives; several values are a list. An error is told as such.
func (c *pathCondition) got(w *World) (any, error) {
	one, all, err := c.target.find(w)
	if err != nil {
		return nil, err
	}
	var data any = map[string]any{"apiVersion": "v1", "kind": "List", "items": all}
	if c.target.one {
		if one == nil {
			return nil, fmt.Errorf("there is no %s", c.target.ref.text)
		}
		data = one
	}
	results, err := c.path.FindResults(data)
	if err != nil {
		return nil, err
	}
	if len(results) == 1 {
		switch len(results[0]) {
		case 0:
			return nil, nil
		case 1:
			return results[0][0].Interface(), nil
		}
	}
	// Several values, or text between them, as kubectl prints it.
	var buf bytes.Buffer
	for _, values := range results {
		if err := c.path.PrintResults(&buf, values); err != nil {
			return nil, err
		}
	}
	return buf.String(), nil
}

func (c *pathCondition) holds(w *World, _ moment) bool {
	got, err := c.got(w)
	return err == nil && sameJSON(c.want, got)
}

func (c *pathCondition) explain(w *World, _ moment) detail {
	d := c.target.detail(w)
	d.Expected = fmt.Sprintf("%s of %s is %s", c.text, c.target.ref.text, compactJSON(c.want))
	got, err := c.got(w)
	switch {
	case err != nil:
		d.Actual = err.Error()
	case got == nil:
		d.Actual = "it is not set"
	default:
		d.Actual = string(compactJSON(got))
	}
	return d
}
