package awk

import (
	"math"
	"strconv"
	"strings"
)

// kind is what a value is known to be.
type kind uint8

const (
	unset  kind = iota // never assigned: "" and 0
	number             // a number
	text               // a string
	strnum             // input that looks like a number
)

// value is a scalar.
type value struct {
	kind kind
	n    float64
	s    string
}

func num(n float64) value { return value{kind: number, n: n} }
func str(s string) value  { return value{kind: text, s: s} }

func boolean(b bool) value {
	if b {
		return num(1)
	}
	return num(0)
}

// input is a value that was read: a field, an element of split.
func input(s string) value {
	if n, ok := looksNumeric(s); ok {
		return value{kind: strnum, n: n, s: s}
	}
	return str(s)
}

// numeralMax bounds how much of a string is looked at for a number: it may happen
// wherever a value is used. Unit: bytes.
const numeralMax = 1024

// looksNumeric tells whether all of s but blanks is a number.
func looksNumeric(s string) (float64, bool) {
	if len(s) > numeralMax {
		return 0, false
	}
	s = strings.TrimSpace(s)
	if s == "" || numberPrefix(s) != len(s) {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil || !math.IsNaN(n)
}

// numberPrefix is how much of s is a decimal number.
func numberPrefix(s string) int {
	i := 0
	digits := func() (n int) {
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
			n++
		}
		return n
	}
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	n := digits()
	if i < len(s) && s[i] == '.' {
		i++
		n += digits()
	}
	if n == 0 {
		return 0
	}
	end := i
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if digits() > 0 {
			end = i
		}
	}
	return end
}

// num is the value as a number.
func (v value) num() float64 {
	switch v.kind {
	case number, strnum:
		return v.n
	case unset:
		return 0
	}
	s := strings.TrimLeft(v.s[:min(len(v.s), numeralMax)], " \t\n\r\f\v")
	n, _ := strconv.ParseFloat(s[:numberPrefix(s)], 64)
	return n
}

// str is the value as a string; format is CONVFMT or OFMT.
func (v value) str(format string) string {
	if v.kind != number {
		return v.s
	}
	if v.n == math.Trunc(v.n) && math.Abs(v.n) < 1e16 {
		return strconv.FormatInt(int64(v.n), 10)
	}
	switch {
	case math.IsNaN(v.n):
		return "nan"
	case math.IsInf(v.n, 1):
		return "inf"
	case math.IsInf(v.n, -1):
		return "-inf"
	}
	return string(appendNumber(nil, parseVerb(format), v.n))
}

// truth is the value as a condition.
func (v value) truth() bool {
	switch v.kind {
	case number, strnum:
		return v.n != 0
	case unset:
		return false
	}
	return v.s != ""
}

// compare orders two values: as numbers if both may be, else as strings.
func (in *interp) compare(a, b value) int {
	if a.kind != text && b.kind != text {
		switch x, y := a.num(), b.num(); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	return strings.Compare(in.toStr(a), in.toStr(b))
}
