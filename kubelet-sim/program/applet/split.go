package applet

import (
	"bytes"
	"io"
	"math"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// splitting is one run of split.
type splitting struct {
	*Call
	prefix string
	// digits are those of the suffix, length how many it has.
	digits string
	length int
	// n is how many lines, or bytes if bytewise, a piece has; left what this one lacks.
	n, left  int64
	bytewise bool
	pieces   int
	w        io.WriteCloser
}

func split(c *Call) int {
	spec := "a:b:l:"
	if c.style == GNU {
		spec += "d"
	}
	o, ok := c.parse(spec, map[string]byte{"suffix-length": 'a', "bytes": 'b', "lines": 'l', "numeric-suffixes": 'd'}, "[OPTIONS] [INPUT [PREFIX]]")
	if !ok {
		return 1
	}
	s := &splitting{Call: c, prefix: "x", digits: "abcdefghijklmnopqrstuvwxyz", length: 2, n: 1000, bytewise: o.has('b')}
	if o.has('d') {
		s.digits = "0123456789"
	}
	length := int64(s.length)
	for _, number := range [...]struct {
		flag byte
		into *int64
		most int64
	}{{'l', &s.n, math.MaxInt64}, {'b', &s.n, math.MaxInt64}, {'a', &length, 255}} {
		if !o.has(number.flag) {
			continue
		}
		n, _, ok := count(o.value(number.flag))
		if !ok || n <= 0 || n > number.most {
			return c.notSplit(number.flag, o.value(number.flag))
		}
		*number.into = n
	}
	s.length = int(length)
	if len(o.rest) > 1 {
		s.prefix = o.rest[1]
	}
	return s.run(o.rest[:min(1, len(o.rest))])
}

// notSplit says which number is none.
func (c *Call) notSplit(flag byte, value string) int {
	if c.style == Busybox {
		return c.fail("invalid number '%s'", value)
	}
	what := map[byte]string{'l': "number of lines", 'b': "number of bytes", 'a': "suffix length"}[flag]
	if value == "0" {
		value += "': Numerical result out of range"
	} else {
		value += "'"
	}
	return c.fail("invalid %s: '%s", what, value)
}

func (s *splitting) run(names []string) int {
	var failed error
	code := s.inputs(names, func(_ string, r io.Reader) error {
		buf := make([]byte, 8192)
		for {
			n, err := r.Read(buf)
			s.StepBytes(n)
			for rest := buf[:n]; len(rest) > 0; {
				done, werr := s.put(rest)
				if failed = werr; werr != nil {
					return nil
				}
				rest = rest[done:]
			}
			if err != nil {
				return err
			}
		}
	})
	if s.w != nil {
		_ = s.w.Close() // a simulated file loses nothing by that
	}
	if failed != nil {
		return s.fail("%v", failed)
	}
	return code
}

// put writes as much of data as this piece takes.
func (s *splitting) put(data []byte) (int, error) {
	if s.left == 0 {
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	end := len(data)
	if s.bytewise {
		end = int(min(int64(end), s.left))
		s.left -= int64(end)
	} else {
		for at := 0; s.left > 0 && at < len(data); {
			i := bytes.IndexByte(data[at:], '\n')
			if i < 0 {
				break
			}
			at += i + 1
			if s.left--; s.left == 0 {
				end = at
			}
		}
	}
	return s.w.Write(data[:end])
}

// errSuffixes is why there is no next piece.
type errSuffixes struct{ gnu bool }

func (e errSuffixes) Error() string {
	if e.gnu {
		return "output file suffixes exhausted"
	}
	return "suffixes exhausted"
}

// next begins a piece.
func (s *splitting) next() error {
	if s.w != nil {
		_ = s.w.Close() // as in run
	}
	suffix, rest := make([]byte, s.length), s.pieces
	for i := s.length - 1; i >= 0; i-- {
		suffix[i] = s.digits[rest%len(s.digits)]
		rest /= len(s.digits)
	}
	if rest > 0 {
		return errSuffixes{s.style == GNU}
	}
	s.pieces++
	s.left = s.n
	var err error
	s.w, err = s.create(s.prefix+string(suffix), vfs.Truncate)
	return err
}
