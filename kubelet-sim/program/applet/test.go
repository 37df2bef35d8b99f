package applet

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// test is test(1) and [.
func test(c *Call) int {
	args := c.Args
	if c.Name == "[" || c.Name == "[[" {
		want := "]" + strings.Repeat("]", len(c.Name)-1)
		if len(args) == 0 || args[len(args)-1] != want {
			c.fail("missing %s", want)
			return 2
		}
		args = args[:len(args)-1]
	}
	t := tester{p: c.Proc, args: args}
	ok, err := t.all()
	if err != nil {
		c.fail("%v", err)
		return 2
	}
	if ok {
		return 0
	}
	return 1
}

// tester evaluates the words of test by precedence, as POSIX says for up to
// four words and busybox for more.
type tester struct {
	p    *kernel.Proc
	args []string
}

func (t *tester) all() (bool, error) {
	switch len(t.args) {
	case 0:
		return false, nil
	case 1:
		return t.args[0] != "", nil
	case 2:
		if t.args[0] == "!" {
			return t.args[1] == "", nil
		}
	case 3:
		if ok, known, err := t.three(); known {
			return ok, err
		}
	case 4:
		if t.args[0] == "!" {
			inner := tester{t.p, t.args[1:]}
			ok, err := inner.all()
			return !ok, err
		}
	}
	ok, err := t.or()
	if err == nil && len(t.args) > 0 {
		return false, fmt.Errorf("%s: unknown operand", t.args[0])
	}
	return ok, err
}

func (t *tester) three() (ok, known bool, err error) {
	a := t.args
	if isBinary(a[1]) {
		ok, err = BinaryTest(t.p, a[0], a[1], a[2])
		return ok, true, err
	}
	switch {
	case a[1] == "-a":
		return a[0] != "" && a[2] != "", true, nil
	case a[1] == "-o":
		return a[0] != "" || a[2] != "", true, nil
	case a[0] == "!":
		inner := tester{t.p, a[1:]}
		ok, err = inner.all()
		return !ok, true, err
	case a[0] == "(" && a[2] == ")":
		return a[1] != "", true, nil
	}
	return false, false, nil
}

func (t *tester) or() (bool, error) {
	ok, err := t.and()
	for err == nil && len(t.args) > 0 && t.args[0] == "-o" {
		t.args = t.args[1:]
		var right bool
		right, err = t.and()
		ok = ok || right
	}
	return ok, err
}

func (t *tester) and() (bool, error) {
	ok, err := t.not()
	for err == nil && len(t.args) > 0 && t.args[0] == "-a" {
		t.args = t.args[1:]
		var right bool
		right, err = t.not()
		ok = ok && right
	}
	return ok, err
}

func (t *tester) not() (bool, error) {
	negate := false
	for len(t.args) > 1 && t.args[0] == "!" {
		negate = !negate
		t.args = t.args[1:]
	}
	ok, err := t.primary()
	return ok != negate, err
}

func (t *tester) primary() (bool, error) {
	a := t.args
	if len(a) == 0 {
		return false, fmt.Errorf("argument expected")
	}
	if len(a) >= 3 && isBinary(a[1]) {
		t.args = a[3:]
		return BinaryTest(t.p, a[0], a[1], a[2])
	}
	if a[0] == "(" {
		return t.group()
	}
	if len(a) >= 2 && isUnary(a[0]) {
		t.args = a[2:]
		return UnaryTest(t.p, a[0], a[1])
	}
	t.args = a[1:]
	return a[0] != "", nil
}

// groupsMax bounds nested parentheses.
const groupsMax = 100

func (t *tester) group() (bool, error) {
	if strings.Count(strings.Join(t.args, " "), "(") > groupsMax {
		return false, fmt.Errorf("too many parentheses")
	}
	t.args = t.args[1:]
	ok, err := t.or()
	if err != nil {
		return false, err
	}
	if len(t.args) == 0 || t.args[0] != ")" {
		return false, fmt.Errorf("closing paren expected")
	}
	t.args = t.args[1:]
	return ok, nil
}

func isBinary(op string) bool {
	switch op {
	case "=", "==", "!=", "<", ">", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef":
		return true
	}
	return false
}

func isUnary(op string) bool {
	return len(op) == 2 && op[0] == '-' && strings.IndexByte("abcdefghknoprstuvwxzGLNOSR", op[1]) >= 0 && op != "-a" && op != "-o"
}

// BinaryTest evaluates LEFT OP RIGHT of test.
func BinaryTest(p *kernel.Proc, left, op, right string) (bool, error) {
	switch op {
	case "=", "==":
		return left == right, nil
	case "!=":
		return left != right, nil
	case "<":
		return left < right, nil
	case ">":
		return left > right, nil
	case "-nt", "-ot", "-ef":
		return compareFiles(p, left, op, right), nil
	}
	a, err := testNumber(left)
	if err != nil {
		return false, err
	}
	b, err := testNumber(right)
	if err != nil {
		return false, err
	}
	switch op {
	case "-eq":
		return a == b, nil
	case "-ne":
		return a != b, nil
	case "-lt":
		return a < b, nil
	case "-le":
		return a <= b, nil
	case "-gt":
		return a > b, nil
	case "-ge":
		return a >= b, nil
	}
	return false, fmt.Errorf("%s: unknown operand", op)
}

func testNumber(s string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: bad number", s)
	}
	return n, nil
}

func compareFiles(p *kernel.Proc, left, op, right string) bool {
	a, errA := p.Stat(left)
	b, errB := p.Stat(right)
	switch op {
	case "-ot":
		a, b, errA, errB = b, a, errB, errA
	case "-ef":
		return errA == nil && errB == nil && a.Same(b)
	}
	return errA == nil && (errB != nil || a.ModTime().After(b.ModTime()))
}

// UnaryTest evaluates OP OPERAND of test.
func UnaryTest(p *kernel.Proc, op, s string) (bool, error) {
	switch op {
	case "-z":
		return s == "", nil
	case "-n":
		return s != "", nil
	case "-t":
		fd, err := strconv.Atoi(s)
		return err == nil && p.IsTTY(fd), nil
	case "-r":
		return s != "" && p.FS().Access(p.Abs(s), 4, p.User()) == nil, nil
	case "-w":
		return s != "" && p.FS().Access(p.Abs(s), 2, p.User()) == nil, nil
	case "-x":
		return s != "" && p.FS().Access(p.Abs(s), 1, p.User()) == nil, nil
	case "-L", "-h":
		in, err := p.Lstat(s)
		return err == nil && in.Mode()&fs.ModeSymlink != 0, nil
	}
	in, err := p.Stat(s)
	if err != nil {
		return false, nil
	}
	mode := in.Mode()
	switch op {
	case "-e", "-a":
		return true, nil
	case "-f":
		return mode.IsRegular(), nil
	case "-d":
		return in.IsDir(), nil
	case "-s":
		return in.Size() > 0, nil
	case "-c":
		return mode&fs.ModeCharDevice != 0, nil
	case "-p":
		return mode&fs.ModeNamedPipe != 0, nil
	case "-u":
		return mode&fs.ModeSetuid != 0, nil
	case "-g":
		return mode&fs.ModeSetgid != 0, nil
	case "-k":
		return mode&fs.ModeSticky != 0, nil
	case "-O":
		return in.UID() == p.UID, nil
	case "-G":
		return in.GID() == p.GID, nil
	case "-b", "-S", "-N":
		return false, nil
	}
	return false, fmt.Errorf("%s: unknown operand", op)
}
