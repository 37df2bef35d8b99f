package awk

import "strings"

// cell is a variable: a scalar or an array.
type cell struct {
	v   value
	arr *array
	// from is where an array goes that a function makes of a parameter which was
	// nothing yet.
	from *cell
}

// array is an associative array that keeps the order in which it was filled.
type array struct {
	values map[string]*value
	order  []string
	gone   int // in order, but removed
}

// cellSize is what an element costs beside its strings. Unit: bytes.
const cellSize = 128

func (in *interp) array(c *cell) *array {
	if c.arr == nil {
		if c.from != nil {
			c.arr = in.array(c.from)
			return c.arr
		}
		c.arr = &array{values: map[string]*value{}}
	}
	return c.arr
}

func (a *array) get(in *interp, key string) value {
	if v, ok := a.values[key]; ok {
		return *v
	}
	a.put(in, key, value{})
	return value{}
}

func (a *array) put(in *interp, key string, v value) {
	if old, ok := a.values[key]; ok {
		in.host.Charge(int64(len(v.s) - len(old.s)))
		*old = v
		return
	}
	in.host.Charge(int64(cellSize + 2*len(key) + len(v.s)))
	a.values[key] = &v
	a.order = append(a.order, key)
}

func (a *array) remove(in *interp, key string) {
	old, ok := a.values[key]
	if !ok {
		return
	}
	in.host.Charge(-int64(cellSize + len(key) + len(old.s)))
	delete(a.values, key)
	a.gone++
	if a.gone > 32 && a.gone > len(a.values) {
		a.compact(in)
	}
}

// compact forgets the order of what was removed.
func (a *array) compact(in *interp) {
	seen := map[string]bool{}
	kept := a.order[:0:0]
	for i := len(a.order) - 1; i >= 0; i-- { // what was put again counts from then
		key := a.order[i]
		if _, ok := a.values[key]; ok && !seen[key] {
			seen[key] = true
			kept = append(kept, key)
		} else {
			in.host.Charge(-int64(len(key)))
		}
	}
	for i, j := 0, len(kept)-1; i < j; i, j = i+1, j-1 {
		kept[i], kept[j] = kept[j], kept[i]
	}
	a.order, a.gone = kept, 0
	in.host.Step(len(kept) / 16)
}

// keys are those of the array, each once, in the order in which they came.
func (a *array) keys() []string {
	if a.gone == 0 {
		return a.order
	}
	seen := map[string]bool{}
	var out []string
	for _, key := range a.order {
		if _, ok := a.values[key]; ok && !seen[key] {
			seen[key] = true
			out = append(out, key)
		}
	}
	return out
}

func (a *array) clear(in *interp) {
	in.host.Step(len(a.order) / 16)
	for key, v := range a.values {
		in.host.Charge(-int64(cellSize + len(key) + len(v.s)))
	}
	for _, key := range a.order {
		in.host.Charge(-int64(len(key)))
	}
	a.values, a.order, a.gone = map[string]*value{}, nil, 0
}

// key is the index that expressions make.
func (in *interp) key(list []*node) string {
	if len(list) == 1 {
		key := in.toStr(list[0].eval(in))
		in.host.Step(len(key) / 64)
		return key
	}
	parts := make([]string, len(list))
	size := 0
	for i, n := range list {
		parts[i] = in.toStr(n.eval(in))
		size += len(parts[i])
	}
	in.grow(size)
	return strings.Join(parts, in.text(vSUBSEP))
}

// load returns the value of a variable; NF may have to be counted first.
func (in *interp) load(c *cell) value {
	if c == in.globals[vNF] {
		in.splitRecord()
	}
	return c.v
}

// store sets a variable. Setting NF changes the record.
func (in *interp) store(c *cell, v value) {
	if c.arr != nil {
		panic(runtimeError("array used as a variable"))
	}
	in.host.Charge(int64(len(v.s) - len(c.v.s)))
	c.v = v
	if c == in.globals[vNF] {
		in.setNF(int(v.num()))
	}
}
