package awk

import (
	"iter"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/match"
)

// fieldsMax bounds the fields of a record.
const fieldsMax = 100_000

// setRecord makes s the present record.
func (in *interp) setRecord(s string) {
	in.host.Charge(int64(len(s) - len(in.record)))
	in.record, in.split, in.stale = s, false, false
}

// line is the record as text.
func (in *interp) line() string {
	if in.stale {
		in.host.Step(len(in.fields) / 16)
		s := strings.Join(in.fields, in.text(vOFS))
		in.host.Charge(int64(len(s) - len(in.record)))
		in.record, in.stale = s, false
	}
	return in.record
}

// splitRecord makes the fields of the record.
func (in *interp) splitRecord() {
	if in.split {
		return
	}
	in.split = true
	in.host.Charge(-int64(16 * len(in.fields)))
	in.fields = in.fields[:0]
	in.fields = in.splitText(in.fields, in.record, in.text(vFS), nil)
	in.host.Charge(int64(16 * len(in.fields)))
	in.globals[vNF].v = num(float64(len(in.fields)))
}

// splitText splits s by a separator, as FS is understood; re is used where it is
// not nil.
func (in *interp) splitText(out []string, s, fs string, re *match.Regexp) []string {
	in.host.Step(len(s) / 64)
	switch {
	case s == "":
		return out
	case re == nil && fs == " ":
		return in.collect(out, strings.FieldsFuncSeq(s, func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' }))
	case re == nil && fs == "":
		return in.collect(out, func(yield func(string) bool) {
			for _, r := range s {
				if !yield(string(r)) {
					return
				}
			}
		})
	case re == nil && len(fs) == 1:
		return in.collect(out, strings.SplitSeq(s, fs))
	case re == nil:
		re = in.dynamic(fs)
	}
	rest := 0
	re.All(in.host, s, 0, func(at []int) bool {
		if at[0] == at[1] { // it separates nothing
			return true
		}
		in.host.Step(1)
		out = append(out, s[rest:at[0]])
		rest = at[1]
		return len(out) <= fieldsMax
	})
	return in.bounded(append(out, s[rest:]))
}

// collect adds fields one by one.
func (in *interp) collect(out []string, fields iter.Seq[string]) []string {
	for f := range fields {
		if out = append(out, f); len(out)&1023 == 0 {
			in.host.Step(64)
			in.bounded(out)
		}
	}
	return in.bounded(out)
}

func (in *interp) bounded(fields []string) []string {
	if len(fields) > fieldsMax {
		panic(runtimeError("too many fields"))
	}
	return fields
}

func (in *interp) field(i int) value {
	switch {
	case i < 0:
		panic(runtimeError("attempt to access field " + num(float64(i)).str("")))
	case i == 0:
		return input(in.line())
	}
	in.splitRecord()
	if i > len(in.fields) {
		return value{}
	}
	return input(in.fields[i-1])
}

func (in *interp) setField(i int, s string) {
	if i == 0 {
		in.setRecord(s)
		return
	}
	if i < 0 || i > fieldsMax {
		panic(runtimeError("attempt to access field " + num(float64(i)).str("")))
	}
	in.splitRecord()
	if i > len(in.fields) {
		in.setNF(i)
	}
	in.host.Charge(int64(len(s))) // until the record is replaced
	in.fields[i-1] = s
	in.stale = true
}

// setNF cuts the fields, or adds empty ones.
func (in *interp) setNF(n int) {
	n = max(n, 0)
	if n > fieldsMax {
		panic(runtimeError("too many fields"))
	}
	in.splitRecord()
	in.host.Step(max(n-len(in.fields), 0) / 16)
	in.host.Charge(int64(16 * (n - len(in.fields))))
	for len(in.fields) < n {
		in.fields = append(in.fields, "")
	}
	in.fields = in.fields[:n]
	in.globals[vNF].v = num(float64(n))
	in.stale = true
}
