package awk

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// verb is one conversion of a format.
type verb struct {
	minus, plus, space, alt, zero bool
	width, prec                   int // prec -1: none
	starWidth, starPrec           bool
	conv                          byte
}

// widthMax bounds the width and precision of a conversion.
const widthMax = 1 << 20

// parseVerb reads a format that is one conversion, as CONVFMT is.
func parseVerb(s string) verb {
	i := strings.IndexByte(s, '%')
	if i < 0 {
		return verb{prec: 6, conv: 'g'}
	}
	v, _ := nextVerb(s[i+1:])
	return v
}

// nextVerb reads a conversion after its % and returns how long it is.
func nextVerb(s string) (v verb, n int) {
	v.prec = -1
	for ; n < len(s) && strings.IndexByte("-+ #0", s[n]) >= 0; n++ {
		switch s[n] {
		case '-':
			v.minus = true
		case '+':
			v.plus = true
		case ' ':
			v.space = true
		case '#':
			v.alt = true
		case '0':
			v.zero = true
		}
	}
	read := func() (value int, star bool) {
		if n < len(s) && s[n] == '*' {
			n++
			return 0, true
		}
		for ; n < len(s) && s[n] >= '0' && s[n] <= '9'; n++ {
			value = min(value*10+int(s[n]-'0'), widthMax)
		}
		return value, false
	}
	v.width, v.starWidth = read()
	if n < len(s) && s[n] == '.' {
		n++
		v.prec, v.starPrec = read()
	}
	for n < len(s) && strings.IndexByte("hlLqjzt", s[n]) >= 0 {
		n++
	}
	if n < len(s) {
		v.conv = s[n]
		n++
	}
	return v, n
}

// appendNumber appends n as one of the conversions of numbers.
func appendNumber(out []byte, v verb, n float64) []byte {
	var s string
	switch v.conv {
	case 'd', 'i':
		s = strconv.FormatInt(int64(n), 10)
	case 'o':
		s = strconv.FormatUint(uint64(int64(n)), 8)
	case 'x':
		s = strconv.FormatUint(uint64(int64(n)), 16)
	case 'X':
		s = strings.ToUpper(strconv.FormatUint(uint64(int64(n)), 16))
	case 'u':
		s = strconv.FormatUint(uint64(int64(n)), 10)
	default:
		prec := v.prec
		if prec < 0 {
			prec = 6
		}
		if v.conv == 'g' || v.conv == 'G' {
			s = formatG(n, max(prec, 1))
		} else {
			s = strconv.FormatFloat(n, v.conv|0x20, prec, 64)
		}
		if v.conv < 'a' {
			s = strings.ToUpper(s)
		}
		return appendSigned(out, v, s, v.zero && !v.minus)
	}
	if digits := strings.TrimPrefix(s, "-"); v.prec > len(digits) {
		s = s[:len(s)-len(digits)] + strings.Repeat("0", v.prec-len(digits)) + digits
	}
	if v.alt && (v.conv == 'x' || v.conv == 'X') && n != 0 {
		s = "0" + string(v.conv) + s
	}
	return appendSigned(out, v, s, v.zero && !v.minus && v.prec < 0)
}

// formatG is C's %g.
func formatG(n float64, prec int) string {
	s := strconv.FormatFloat(n, 'e', prec-1, 64)
	mantissa, exponent, found := strings.Cut(s, "e")
	exp, _ := strconv.Atoi(exponent)
	if found && exp >= -4 && exp < prec {
		mantissa, found = strconv.FormatFloat(n, 'f', prec-1-exp, 64), false
	}
	if strings.Contains(mantissa, ".") {
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
	}
	if found {
		return mantissa + "e" + exponent
	}
	return mantissa
}

func appendSigned(out []byte, v verb, s string, zeros bool) []byte {
	if s[0] != '-' {
		switch {
		case v.plus:
			s = "+" + s
		case v.space:
			s = " " + s
		}
	}
	if zeros && len(s) < v.width {
		sign := 0
		if s[0] == '-' || s[0] == '+' || s[0] == ' ' {
			sign = 1
		}
		s = s[:sign] + strings.Repeat("0", v.width-len(s)) + s[sign:]
	}
	return appendPadded(out, v, s)
}

func appendPadded(out []byte, v verb, s string) []byte {
	pad := strings.Repeat(" ", max(v.width-utf8.RuneCountInString(s), 0))
	if v.minus {
		return append(append(out, s...), pad...)
	}
	return append(append(out, pad...), s...)
}

// sprintf formats args; it may grow by what the format asks for.
func (in *interp) sprintf(format string, args []value) string {
	var out []byte
	next := func() value {
		if len(args) == 0 {
			return value{}
		}
		v := args[0]
		args = args[1:]
		return v
	}
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			out = append(out, format[i])
			continue
		}
		v, n := nextVerb(format[i+1:])
		i += n
		if v.starWidth {
			if v.width = max(min(int(next().num()), widthMax), -widthMax); v.width < 0 {
				v.minus, v.width = true, -v.width
			}
		}
		if v.starPrec {
			v.prec = min(int(next().num()), widthMax)
		}
		before := len(out)
		in.grow(v.width + max(v.prec, 0))
		switch v.conv {
		case '%':
			out = append(out, '%')
		case 's':
			s := in.toStr(next())
			if v.prec >= 0 {
				s = cut(s, 0, v.prec)
			}
			in.grow(len(s))
			out = appendPadded(out, v, s)
		case 'c':
			a := next()
			s := cut(a.s, 0, 1)
			if a.kind == number {
				s = string(rune(a.n))
			}
			out = appendPadded(out, v, s)
		case 'd', 'i', 'o', 'x', 'X', 'u', 'e', 'E', 'f', 'F', 'g', 'G':
			out = appendNumber(out, v, next().num())
		default:
			out = append(out, format[i-n:i+1]...)
		}
		in.host.Step((len(out) - before) / 256)
	}
	in.grow(len(out))
	return string(out)
}

// cut is the part of s of n characters from character i on.
func cut(s string, i, n int) string {
	start := len(s)
	for at := range s {
		if i == 0 {
			start = at
			break
		}
		i--
	}
	for at := range s[start:] {
		if n == 0 {
			return s[start : start+at]
		}
		n--
	}
	return s[start:]
}
