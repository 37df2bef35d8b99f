package scenario

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/google/cel-go/common/types"
	celref "github.com/google/cel-go/common/types/ref"
	"google.golang.org/protobuf/types/known/structpb"
)

// target is what a condition looks at.
type target struct {
	ref ref
	// one: a single object; else the list of those that ref means.
	one bool
}

// find returns the object, nil if there is none, and the list.
func (t target) find(w *World) (one map[string]any, all []any, err error) {
	objects, err := w.find(t.ref)
	if err != nil {
		return nil, nil, err
	}
	all = make([]any, len(objects))
	for i, o := range objects {
		all[i] = o
	}
	if t.one && len(objects) > 0 {
		one = objects[0]
	}
	return one, all, nil
}

// objectsShown is how many objects an explanation shows.
const objectsShown = 3

// detail says which objects there are.
func (t target) detail(w *World) (d detail) {
	objects, err := w.find(t.ref)
	if err != nil {
		return d
	}
	for i, o := range objects {
		meta, _ := o["metadata"].(map[string]any)
		name, _ := meta["name"].(string)
		d.About = append(d.About, name)
		if i < objectsShown {
			d.Objects = append(d.Objects, relevant(o))
		}
	}
	if len(objects) == 0 && t.ref.Name != "" {
		d.About = []string{t.ref.Name}
	}
	return d
}

// relevant leaves out what a reader of a failure does not look for.
func relevant(o map[string]any) map[string]any {
	short := map[string]any{}
	for _, field := range []string{"apiVersion", "kind", "status"} {
		if v, ok := o[field]; ok {
			short[field] = v
		}
	}
	if meta, ok := o["metadata"].(map[string]any); ok {
		keep := map[string]any{}
		for _, field := range []string{"name", "namespace", "deletionTimestamp", "finalizers"} {
			if v, ok := meta[field]; ok {
				keep[field] = v
			}
		}
		short["metadata"] = keep
	}
	if _, ok := short["status"]; !ok {
		for name, v := range o {
			if name != "metadata" {
				short[name] = v
			}
		}
	}
	return short
}

func compactJSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Appendf(nil, "%v", v)
	}
	return data
}

// native is a CEL value as encoding/json takes it.
func native(v celref.Val) any {
	switch v.Type() {
	case types.TimestampType, types.DurationType:
		return fmt.Sprint(v.Value())
	case types.ListType, types.MapType:
		if s, err := v.ConvertToNative(reflect.TypeFor[*structpb.Value]()); err == nil {
			return s.(*structpb.Value).AsInterface()
		}
	}
	return v.Value()
}

// sameJSON reports whether two values are equal as JSON, where 1 and 1.0 are, and a
// number is equal to the string that says it.
func sameJSON(a, b any) bool {
	if text, ok := a.(string); ok {
		if _, both := b.(string); !both {
			return text == string(compactJSON(b))
		}
	}
	if _, ok := b.(string); ok {
		if _, both := a.(string); !both {
			return sameJSON(b, a)
		}
	}
	var x, y any
	if json.Unmarshal(compactJSON(a), &x) != nil || json.Unmarshal(compactJSON(b), &y) != nil {
		return false
	}
	return reflect.DeepEqual(x, y)
}

// lacks returns the fields of want that got does not have so, with their paths. Lists
// of want are compared item by item, from the first.
func lacks(path string, want, got any) []string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return []string{missing(path, want, got)}
		}
		var all []string
		for _, name := range sortedKeys(w) {
			all = slices.Concat(all, lacks(join(path, name), w[name], g[name]))
		}
		return all
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) < len(w) {
			return []string{missing(path, want, got)}
		}
		var all []string
		for i := range w {
			all = slices.Concat(all, lacks(fmt.Sprintf("%s[%d]", path, i), w[i], g[i]))
		}
		return all
	}
	if sameJSON(want, got) {
		return nil
	}
	return []string{missing(path, want, got)}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func missing(path string, want, got any) string {
	if got == nil {
		return fmt.Sprintf("%s is not set, want %s", path, compactJSON(want))
	}
	return fmt.Sprintf("%s is %s, want %s", path, compactJSON(got), compactJSON(want))
}

// merged is got with what want says.
func merged(want, got any) any {
	w, ok := want.(map[string]any)
	if !ok {
		return want
	}
	out := map[string]any{}
	if g, ok := got.(map[string]any); ok {
		for name, v := range g {
			out[name] = v
		}
	}
	for name, v := range w {
		out[name] = merged(v, out[name])
	}
	return out
}

// narrowed is what got has of the fields of want.
func narrowed(want, got any) any {
	w, ok := want.(map[string]any)
	g, both := got.(map[string]any)
	if !ok || !both {
		return got
	}
	out := map[string]any{}
	for name, v := range w {
		if there, ok := g[name]; ok {
			out[name] = narrowed(v, there)
		}
	}
	return out
}
