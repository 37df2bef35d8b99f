package awk

import (
	"bufio"
	"bytes"
	"io"
	"strconv"
	"strings"

	"github.com/benhoyt/goawk/lexer"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/match"
)

// files are what a program reads and writes.
type files struct {
	source  *reader // the present file of the arguments
	arg     int     // of ARGV, next
	used    bool    // a file of the arguments, or standard input, was read
	readers map[string]*reader
	writers map[string]io.WriteCloser
	pipes   map[string]*bytes.Buffer
	order   []string // of pipes
}

// reader reads records.
type reader struct {
	*bufio.Reader
	io.Closer
}

// recordMax bounds a record, outputMax what a command may print for getline.
// Unit: bytes.
const (
	recordMax = 4 << 20
	outputMax = 4 << 20
)

func newReader(r io.ReadCloser) *reader { return &reader{bufio.NewReader(r), r} }

// nextRecord reads the next record of the input into $0.
func (in *interp) nextRecord() bool {
	in.host.Step(1)
	s, ok := in.nextInput()
	if ok {
		in.setRecord(s)
		in.count(vNR)
		in.count(vFNR)
	}
	return ok
}

func (in *interp) count(i int) { in.globals[i].v = num(in.globals[i].v.num() + 1) }

func (in *interp) nextInput() (string, bool) {
	for {
		if in.source == nil && !in.openNext() {
			return "", false
		}
		if s, ok := in.read(in.source); ok {
			return s, true
		}
		in.skipFile()
	}
}

func (in *interp) skipFile() {
	if in.source != nil {
		_ = in.source.Close()
		in.source = nil
	}
}

// openNext opens the next file of the arguments, or standard input if there is
// none. Assignments take place on the way.
func (in *interp) openNext() bool {
	argv := in.array(in.globals[vARGV])
	for {
		in.host.Step(1)
		in.arg++
		if in.arg >= int(in.globals[vARGC].v.num()) {
			if in.used {
				return false
			}
			in.used = true
			return in.open("-")
		}
		v, ok := argv.values[strconv.Itoa(in.arg)]
		if !ok || in.toStr(*v) == "" {
			continue
		}
		arg := in.toStr(*v)
		if name, text, ok := strings.Cut(arg, "="); ok && isName(name) {
			in.assign(name, text)
			continue
		}
		in.used = true
		in.globals[vFILENAME].v = str(arg)
		in.globals[vFNR].v = num(0)
		return in.open(arg)
	}
}

func isName(s string) bool {
	for i, c := range s {
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

func (in *interp) open(name string) bool {
	r, err := in.host.Open(name)
	if err != nil {
		panic(runtimeError(name + ": " + err.Error()))
	}
	in.source = newReader(r)
	return true
}

// read reads a record as RS says.
func (in *interp) read(r *reader) (string, bool) {
	rs := in.text(vRS)
	switch {
	case rs == "":
		return in.readParagraph(r)
	case len(rs) == 1:
		return in.readTo(r, rs[0])
	}
	return in.readToMatch(r, in.dynamic(rs))
}

func (in *interp) readTo(r *reader, end byte) (string, bool) {
	var record []byte
	for {
		part, err := r.ReadSlice(end)
		in.host.Step(1 + len(part)/256)
		in.host.Charge(int64(len(part)))
		record = append(record, part...)
		if err == bufio.ErrBufferFull && len(record) < recordMax {
			continue
		}
		in.host.Charge(-int64(len(record)))
		if err != nil && len(record) == 0 {
			return "", false
		}
		return string(bytes.TrimSuffix(record, []byte{end})), true
	}
}

func (in *interp) readParagraph(r *reader) (string, bool) {
	var lines []string
	size := 0
	for size < recordMax {
		line, ok := in.readTo(r, '\n')
		if !ok || line == "" && len(lines) > 0 {
			break
		}
		if line != "" {
			lines = append(lines, line)
			size += len(line)
		}
	}
	return strings.Join(lines, "\n"), len(lines) > 0
}

func (in *interp) readToMatch(r *reader, re *match.Regexp) (string, bool) {
	var record []byte
	for {
		part, err := r.ReadSlice('\n')
		record = append(record, part...)
		at := re.Find(in.host, string(record), 0, 0)
		in.host.Step(1 + len(record)/256)
		if at != nil && at[1] > at[0] && (at[1] < len(record) || err != nil) {
			rest := bytes.Clone(record[at[1]:])
			r.Reader = bufio.NewReader(io.MultiReader(bytes.NewReader(rest), r.Reader))
			return string(record[:at[0]]), true
		}
		if err == bufio.ErrBufferFull && len(record) < recordMax || err == nil && len(record) < recordMax {
			continue
		}
		if len(record) == 0 {
			return "", false
		}
		return strings.TrimSuffix(string(record), "\n"), true
	}
}

// getline is the expression: 1 for a record, 0 at the end, -1 for an error.
func (in *interp) getline(from *node, pipe bool, to *node) float64 {
	in.host.Step(1)
	var s string
	var ok bool
	if from == nil {
		s, ok = in.nextInput()
	} else {
		r, err := in.reader(in.toStr(from.eval(in)), pipe)
		if err != nil {
			return -1
		}
		s, ok = in.read(r)
	}
	if !ok {
		return 0
	}
	if from == nil {
		in.count(vNR)
		in.count(vFNR)
	}
	if to != nil {
		to.set(in, input(s))
	} else {
		in.setRecord(s)
	}
	return 1
}

// openMax bounds the files that a program has open.
const openMax = 100

func (in *interp) reader(name string, pipe bool) (*reader, error) {
	in.host.Step(len(name) / 64)
	key := "<" + name
	if pipe {
		key = "|" + name
	}
	if r := in.readers[key]; r != nil {
		return r, nil
	}
	in.limit()
	var source io.ReadCloser
	if pipe {
		in.flushPipes()
		var out []byte
		in.host.Shell(name, nil, &out, outputMax)
		source = io.NopCloser(bytes.NewReader(out))
	} else {
		var err error
		if source, err = in.host.Open(name); err != nil {
			return nil, err
		}
	}
	if in.readers == nil {
		in.readers = map[string]*reader{}
	}
	in.readers[key] = newReader(source)
	return in.readers[key], nil
}

func (in *interp) limit() {
	if len(in.readers)+len(in.writers)+len(in.pipes) >= openMax {
		panic(runtimeError("too many open files"))
	}
}

// print writes to standard output.
func (in *interp) print(s string) {
	if _, err := io.WriteString(in.host, s); err != nil {
		panic(exitPanic{})
	}
}

// printTo is print and printf.
func printTo(args []*node, formatted bool, how lexer.Token, to *node) stmt {
	return func(in *interp) flow {
		var s string
		switch list := values(in, args); {
		case formatted:
			s = in.sprintf(in.toStr(list[0]), list[1:])
		case len(list) == 0:
			s = in.line() + in.text(vORS)
		default:
			parts, size := make([]string, len(list)), 0
			for i, v := range list {
				parts[i] = v.str(in.text(vOFMT))
				size += len(parts[i])
			}
			in.grow(size)
			s = strings.Join(parts, in.text(vOFS)) + in.text(vORS)
		}
		in.grow(len(s))
		switch {
		case to == nil:
			in.print(s)
		case how == lexer.PIPE:
			in.toPipe(in.toStr(to.eval(in)), s)
		default:
			in.toFile(in.toStr(to.eval(in)), how == lexer.APPEND, s)
		}
		return goesOn
	}
}

func (in *interp) toFile(name string, appending bool, s string) {
	in.host.Step(len(name) / 64)
	w := in.writers[name]
	if w == nil {
		in.limit()
		var err error
		if w, err = in.host.Create(name, appending); err != nil {
			panic(runtimeError("can't open '" + name + "': " + err.Error()))
		}
		if in.writers == nil {
			in.writers = map[string]io.WriteCloser{}
		}
		in.writers[name] = w
		in.order = append(in.order, ">"+name)
	}
	if _, err := io.WriteString(w, s); err != nil {
		panic(runtimeError(name + ": " + err.Error()))
	}
}

// toPipe keeps what a command is to read until it is closed.
func (in *interp) toPipe(command, s string) {
	in.host.Step(len(command) / 64)
	b := in.pipes[command]
	if b == nil {
		in.limit()
		b = &bytes.Buffer{}
		if in.pipes == nil {
			in.pipes = map[string]*bytes.Buffer{}
		}
		in.pipes[command] = b
		in.order = append(in.order, "|"+command)
	}
	in.host.Charge(int64(len(s)))
	b.WriteString(s)
}

func (in *interp) flushPipes() {
	for _, key := range append([]string{}, in.order...) {
		if command, ok := strings.CutPrefix(key, "|"); ok {
			in.close(command)
		}
	}
}

// close closes whatever has a name; -1 if nothing has.
func (in *interp) close(name string) int {
	in.host.Step(len(name) / 64)
	code := -1
	for _, key := range [...]string{"<" + name, "|" + name} {
		if r := in.readers[key]; r != nil {
			_ = r.Close()
			delete(in.readers, key)
			code = 0
		}
	}
	if w := in.writers[name]; w != nil {
		_ = w.Close()
		delete(in.writers, name)
		in.forget(">" + name)
		code = 0
	}
	if b := in.pipes[name]; b != nil {
		delete(in.pipes, name)
		in.forget("|" + name)
		in.host.Charge(-int64(b.Len()))
		code = in.host.Shell(name, b.Bytes(), nil, 0)
	}
	return code
}

func (in *interp) forget(key string) {
	for i, k := range in.order {
		if k == key {
			in.order = append(in.order[:i], in.order[i+1:]...)
			return
		}
	}
}

// closeAll ends what is open, in the order in which it was opened.
func (in *interp) closeAll() {
	for len(in.order) > 0 {
		in.close(in.order[0][1:])
	}
	in.skipFile()
	for _, r := range in.readers {
		_ = r.Close()
	}
}
