package applet

import (
	"errors"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// xargsMax bounds the words of one command. Unit: bytes.
const xargsMax = 128 << 10

func xargs(c *Call) int {
	o, ok := c.parse("+0rtpn:s:I:i:P:L:d:a:x", map[string]byte{"null": '0', "no-run-if-empty": 'r', "max-args": 'n', "delimiter": 'd', "max-procs": 'P', "verbose": 't'}, "[OPTIONS] [PROG ARGS]")
	if !ok {
		return 1
	}
	command := o.rest
	if len(command) == 0 {
		command = []string{"echo"}
	}
	words, err := c.xargsWords(o)
	if err != nil {
		return c.fail("%v", err)
	}
	if len(words) == 0 && (o.has('r') || o.has('I')) {
		return 0
	}
	if o.has('I') {
		return c.xargsReplace(o, command, words)
	}
	group := len(words)
	if n, err := strconv.Atoi(o.value('n')); err == nil && n > 0 {
		group = n
	}
	if n, err := strconv.Atoi(o.value('L')); err == nil && n > 0 {
		group = n
	}
	code := 0
	for first := true; first || len(words) > 0; first = false {
		n, size := 0, 0
		for n < min(group, len(words)) && size < xargsMax {
			size += len(words[n]) + 1
			n++
		}
		code = c.xargsRun(o, append(command[:len(command):len(command)], words[:n]...), code)
		words = words[n:]
		if code > 123 {
			return code
		}
	}
	return code
}

func (c *Call) xargsReplace(o *options, command, words []string) int {
	code := 0
	for _, w := range words {
		args := make([]string, len(command))
		for i, a := range command {
			var ok bool
			if args[i], ok = c.filled(a, o.value('I'), w); !ok {
				return c.fail("argument line too long")
			}
		}
		if code = c.xargsRun(o, args, code); code > 123 {
			return code
		}
	}
	return code
}

// argMax bounds what an argument may become, as the kernel does. Unit: bytes.
const argMax = 128 << 10

// filled is an argument with a word in the place of a mark. It is false if that
// would be longer than an argument may be.
func (c *Call) filled(arg, mark, word string) (string, bool) {
	n := strings.Count(arg, mark)
	size := len(arg) + n*(len(word)-len(mark))
	c.Work(len(arg) + max(size, 0))
	if size > argMax && n > 0 {
		return "", false
	}
	return strings.ReplaceAll(arg, mark, word), true
}

func (c *Call) xargsRun(o *options, args []string, code int) int {
	if o.has('t') {
		_, _ = io.WriteString(c.Stderr(), strings.Join(args, " ")+"\n")
	}
	switch status := c.execute(args, nil); {
	case status == 126 || status == 127 || status == 255:
		return max(status, 124)
	case status != 0:
		return 123
	}
	return code
}

func (c *Call) xargsWords(o *options) ([]string, error) {
	data, err := c.readAll(c.Stdin())
	if err != nil {
		return nil, err
	}
	text := string(data)
	separator := ""
	switch {
	case o.has('0'):
		separator = "\x00"
	case o.has('d'):
		separator, _ = unescape(o.value('d'), false)
	case o.has('I'):
		var lines []string
		for line := range strings.SplitSeq(text, "\n") {
			c.Work(16 + len(line))
			c.Charge(16)
			if line = strings.TrimLeft(line, " \t"); line != "" {
				lines = append(lines, line)
			}
		}
		return lines, nil
	default:
		return c.splitQuoted(text)
	}
	words := c.split(strings.TrimSuffix(text, separator), separator)
	if text == "" {
		words = nil
	}
	return words, nil
}

// splitQuoted splits at blanks as xargs does: quotes and backslashes keep
// words together.
func (c *Call) splitQuoted(s string) ([]string, error) {
	var words []string
	var word []byte
	in, quote := false, byte(0)
	for i := 0; i < len(s); i++ {
		b := s[i]
		switch {
		case quote != 0 && b == quote:
			quote = 0
		case quote != 0:
			if b == '\n' {
				return nil, errors.New("unmatched " + map[byte]string{'\'': "single", '"': "double"}[quote] + " quote")
			}
			word = append(word, b)
		case b == '\'' || b == '"':
			quote, in = b, true
		case b == '\\' && i+1 < len(s):
			i++
			word, in = append(word, s[i]), true
		case b == ' ' || b == '\t' || b == '\n':
			if in {
				c.Charge(24)
				c.Work(64 + 8*len(word))
				words = append(words, string(word))
			}
			word, in = nil, false
		default:
			word, in = append(word, b), true
		}
	}
	if quote != 0 {
		return nil, errors.New("unmatched " + map[byte]string{'\'': "single", '"': "double"}[quote] + " quote")
	}
	if in {
		words = append(words, string(word))
	}
	return words, nil
}

func timeout(c *Call) int {
	o, ok := c.parse("+s:k:t:", map[string]byte{"signal": 's', "kill-after": 'k', "preserve-status": 'p', "foreground": 'f'}, "[-s SIG] [-k KILL_SECS] SECS PROG ARGS")
	if !ok {
		return 125
	}
	if len(o.rest) < 2 {
		c.usage("[-s SIG] [-k KILL_SECS] SECS PROG ARGS")
		return 125
	}
	limit, ok := interval(o.rest[0])
	if !ok {
		c.fail("invalid number '%s'", o.rest[0])
		return 125
	}
	sig := kernel.SIGTERM
	if o.has('s') {
		if sig, ok = kernel.ParseSignal(o.value('s')); !ok {
			c.fail("unknown signal '%s'", o.value('s'))
			return 125
		}
	}
	p, main, err := c.Child(o.rest[1:], nil)
	if err != nil {
		c.cannotExecute(o.rest[1], err)
		if errors.Is(err, fs.ErrNotExist) {
			return 127
		}
		return 126
	}
	c.Machine().Start(p, main)
	if status, ended := c.WaitFor(p, limit); ended {
		return status.ExitCode()
	}
	c.Signal(p, sig)
	if o.has('k') {
		if after, ok := interval(o.value('k')); ok {
			if _, ended := c.WaitFor(p, after); !ended {
				c.Signal(p, kernel.SIGKILL)
			}
		}
	}
	status := c.WaitThrough(p)
	if c.style == GNU {
		if status.Signal == kernel.SIGKILL {
			return 137
		}
		return 124
	}
	if status.Signal != 0 {
		c.flush()
		c.Machine().Crash(c.Proc, status.Signal)
	}
	return status.ExitCode()
}

// wrapper is nohup, nice and their like: they run what follows their options.
func wrapper(c *Call) int {
	args := c.Args
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		if args[0] == "-n" && len(args) > 1 {
			args = args[1:]
		}
		args = args[1:]
	}
	if len(args) == 0 {
		return c.usage("PROG ARGS")
	}
	if c.Name == "nohup" {
		c.Proc.Ignore(kernel.SIGHUP)
	}
	return c.execute(args, nil)
}

func timeApplet(c *Call) int {
	args := c.Args
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		args = args[1:]
	}
	if len(args) == 0 {
		return c.usage("[-vpa] [-o FILE] PROG ARGS")
	}
	start := c.Now()
	code := c.execute(args, nil)
	took := c.Now().Sub(start)
	m := int(took.Minutes())
	_, _ = io.WriteString(c.Stderr(), "real\t"+strconv.Itoa(m)+"m "+strconv.FormatFloat(took.Seconds()-60*float64(m), 'f', 2, 64)+"s\nuser\t0m 0.00s\nsys\t0m 0.00s\n")
	return code
}

func watch(c *Call) int {
	o, ok := c.parse("+n:t", nil, "[-n SEC] [-t] PROG ARGS")
	if !ok || len(o.rest) == 0 {
		return 1
	}
	every := 2 * time.Second
	if d, ok := interval(o.value('n')); ok && d > 0 {
		every = d
	}
	for {
		c.print("\x1b[H\x1b[J")
		if !o.has('t') {
			c.printf("Every %.1fs: %s\n\n", every.Seconds(), strings.Join(o.rest, " "))
		}
		c.execute([]string{"sh", "-c", strings.Join(o.rest, " ")}, nil)
		c.Sleep(every)
	}
}

func which(c *Call) int {
	o, ok := c.parse("a", nil, "[-a] COMMAND...")
	if !ok {
		return 1
	}
	code := 0
	path := c.Getenv("PATH")
	for _, name := range o.rest {
		file, err := c.LookPath(name, path)
		if err == nil {
			if in, serr := c.Stat(file); serr != nil || in.IsDir() {
				err = fs.ErrNotExist
			}
		}
		if err != nil {
			code = 1
			continue
		}
		c.print(file + "\n")
	}
	return code
}
