package awk

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/match"
)

// Host is what a program runs on. Charge and Step may panic to end it.
type Host interface {
	io.Writer // standard output
	// Step accounts for n units of work.
	Step(n int)
	// Charge accounts for n more bytes of memory, or fewer if n is negative.
	Charge(n int64)
	// Now is the time, Random a random number.
	Now() time.Time
	Random() uint64
	// Open and Create open files by name.
	Open(name string) (io.ReadCloser, error)
	Create(name string, appending bool) (io.WriteCloser, error)
	// Shell runs a command and returns its exit code. Output, where it is not nil,
	// takes what it prints, at most limit bytes.
	Shell(command string, input []byte, output *[]byte, limit int) int
}

// Config says what a program starts with.
type Config struct {
	Args    []string    // ARGV: the name, then files and assignments
	Vars    [][2]string // assigned before BEGIN, escapes and all
	Environ []string    // NAME=value
}

// runtimeError ends a program.
type runtimeError string

func (e runtimeError) Error() string { return string(e) }

// flow says how a statement ended.
type flow uint8

const (
	goesOn flow = iota
	breaks
	continues
	nexts
	nextFiles
	exits
	returns
)

type stmt func(*interp) flow

// specials are the variables that the interpreter knows, in the order of their
// cells.
func specials() [vARGV + 1]string {
	return [...]string{"NF", "NR", "FNR", "FS", "OFS", "ORS", "RS", "FILENAME", "SUBSEP", "RSTART", "RLENGTH", "CONVFMT", "OFMT", "ENVIRON", "ARGC", "ARGV"}
}

const (
	vNF = iota
	vNR
	vFNR
	vFS
	vOFS
	vORS
	vRS
	vFILENAME
	vSUBSEP
	vRSTART
	vRLENGTH
	vCONVFMT
	vOFMT
	vENVIRON
	vARGC
	vARGV
)

// interp runs one program.
type interp struct {
	host    Host
	prog    *Program
	globals []*cell
	frame   []*cell // of the function that runs
	calls   int
	temp    int64 // what the present statement has made

	record string
	fields []string
	split  bool // fields and NF go with record
	stale  bool // record has to be made of fields

	in      []bool // ranges that are under way, by rule
	code    int
	result  value // of a function
	regexes map[string]*match.Regexp
	files
	random, seed uint64
}

// Run runs a program and returns its exit code.
func Run(prog *Program, cfg Config, host Host) (code int, err error) {
	in := &interp{host: host, prog: prog, in: make([]bool, len(prog.rules)), regexes: map[string]*match.Regexp{}, split: true}
	for range prog.globals {
		in.globals = append(in.globals, &cell{})
	}
	for i, s := range map[int]string{vFS: " ", vOFS: " ", vORS: "\n", vRS: "\n", vSUBSEP: "\x1c", vCONVFMT: "%.6g", vOFMT: "%.6g"} {
		in.globals[i].v = str(s)
	}
	for _, i := range [...]int{vNF, vNR, vFNR, vRSTART} {
		in.globals[i].v = num(0)
	}
	in.globals[vRLENGTH].v = num(-1)
	defer func() {
		r := recover()
		var failed runtimeError
		if e, ok := r.(error); ok && errors.As(e, &failed) {
			code, err = 2, failed
		} else if r != nil {
			panic(r)
		}
	}()
	in.start(cfg)
	in.main()
	in.closeAll()
	return in.code, nil
}

func (in *interp) start(cfg Config) {
	environ := in.array(in.globals[vENVIRON])
	for _, e := range cfg.Environ {
		name, v, _ := strings.Cut(e, "=")
		environ.put(in, name, input(v))
	}
	argv := in.array(in.globals[vARGV])
	for i, a := range cfg.Args {
		argv.put(in, strconv.Itoa(i), input(a))
	}
	in.globals[vARGC].v = num(float64(len(cfg.Args)))
	for _, v := range cfg.Vars {
		in.assign(v[0], v[1])
	}
}

// assign sets a global variable from outside.
func (in *interp) assign(name, text string) {
	i, ok := in.prog.globals[name]
	if !ok {
		return // the program does not read it
	}
	in.store(in.globals[i], input(unescape(text)))
}

func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	return strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t", `\r`, "\r", `\"`, `"`, `\/`, "/").Replace(s)
}

func (in *interp) main() {
	for _, s := range in.prog.begin {
		if in.guard(s) == exits {
			in.finish()
			return
		}
	}
	if len(in.prog.rules)+len(in.prog.end) > 0 {
		for in.nextRecord() {
			switch in.guard((*interp).rules) {
			case exits:
				in.finish()
				return
			case nextFiles:
				in.skipFile()
			}
		}
	}
	in.finish()
}

// finish runs END, also after an exit.
func (in *interp) finish() {
	for _, s := range in.prog.end {
		if in.guard(s) == exits {
			return
		}
	}
}

// rules lets every rule look at the record.
func (in *interp) rules() flow {
	for i := range in.prog.rules {
		r := &in.prog.rules[i]
		in.host.Step(1)
		if !in.matches(r, i) {
			continue
		}
		if r.action == nil {
			in.print(in.line() + in.text(vORS))
			continue
		}
		switch f := r.action(in); f {
		case nexts:
			return goesOn
		case exits, nextFiles:
			return f
		}
	}
	return goesOn
}

func (in *interp) matches(r *rule, i int) bool {
	mark := in.temp
	defer in.release(mark)
	switch {
	case r.pattern == nil:
		return true
	case r.until == nil:
		return in.patternHolds(r.pattern)
	case !in.in[i] && !in.patternHolds(r.pattern):
		return false
	}
	in.in[i] = !in.patternHolds(r.until)
	return true
}

func (in *interp) patternHolds(n *node) bool {
	in.line()
	return n.eval(in).truth()
}

// once is a statement of which nothing stays but what is stored.
func once(s stmt) stmt {
	return func(in *interp) flow {
		in.host.Step(1)
		mark := in.temp
		f := s(in)
		in.release(mark)
		return f
	}
}

func sequence(list []stmt) stmt {
	if len(list) == 1 {
		return list[0]
	}
	return func(in *interp) flow {
		for _, s := range list {
			if f := s(in); f != goesOn {
				return f
			}
		}
		return goesOn
	}
}

// holds evaluates a condition; none is true.
func (in *interp) holds(cond *node) bool {
	in.host.Step(1)
	if cond == nil {
		return true
	}
	mark := in.temp
	ok := cond.eval(in).truth()
	in.release(mark)
	return ok
}

func choice(cond *node, yes, no stmt) stmt {
	return func(in *interp) flow {
		switch {
		case in.holds(cond):
			return yes(in)
		case no != nil:
			return no(in)
		}
		return goesOn
	}
}

func loop(cond *node, after, body stmt, bodyFirst bool) stmt {
	return func(in *interp) flow {
		for bodyFirst || in.holds(cond) {
			switch f := body(in); f {
			case goesOn, continues:
			case breaks:
				return goesOn
			default:
				return f
			}
			if after != nil {
				after(in)
			}
			if bodyFirst && !in.holds(cond) {
				return goesOn
			}
		}
		return goesOn
	}
}

func forIn(v, array func(*interp) *cell, body stmt) stmt {
	return func(in *interp) flow {
		a := in.array(array(in))
		keys := append([]string{}, a.keys()...)
		in.host.Charge(int64(16 * len(keys)))
		in.host.Step(len(keys) / 16)
		defer in.host.Charge(int64(-16 * len(keys)))
		for _, key := range keys {
			in.host.Step(1)
			if _, ok := a.values[key]; !ok {
				continue
			}
			in.store(v(in), input(key))
			switch f := body(in); f {
			case goesOn, continues:
			case breaks:
				return goesOn
			default:
				return f
			}
		}
		return goesOn
	}
}

func exitStatement(e *node) stmt {
	return func(in *interp) flow {
		if e != nil {
			in.code = int(e.eval(in).num()) & 0xff
		}
		return exits
	}
}

func returnStatement(e *node) stmt {
	return func(in *interp) flow {
		in.result = value{}
		if e != nil {
			in.result = e.eval(in)
		}
		return returns
	}
}
