package server

import (
	"io"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// digitsMax bounds the digits of π that perl prints.
const digitsMax = 10_000

// piWork is what a step is worth of the square of the digits of π, which is what
// they cost.
const piWork = 2000

// perl knows bpi of bignum, and programs of print, sleep and exit.
func perl(p *kernel.Proc) int {
	code, newline, found := "", "", false
	for i := 1; i < len(p.Args); i++ {
		a := p.Args[i]
		if len(a) < 2 || a[0] != '-' || a[1] == 'M' {
			continue
		}
		if a == "-v" {
			outf(p, "\nThis is perl 5, version 42, subversion 0 (v5.42.0) built for x86_64-linux-gnu\n")
			return 0
		}
		if strings.ContainsAny(a[1:], "l") {
			newline = "\n"
		}
		if strings.HasSuffix(a, "e") || strings.HasSuffix(a, "E") {
			found = i+1 < len(p.Args)
			if found {
				code = p.Args[i+1]
			}
		}
		if a == "-de0" {
			return 0
		}
	}
	if !found {
		return 0
	}
	if m := regexp.MustCompile(`bpi\((\d+)\)`).FindStringSubmatch(code); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil || n < 1 || n > digitsMax {
			n = digitsMax
		}
		p.Step(1 + n/8 + n*n/piWork)
		p.Sleep(time.Duration(n) * 2500 * time.Microsecond)
		outf(p, "%s%s", pi(n), newline)
		return 0
	}
	r := interpreter{p: p, newline: newline, quote: `"'`}
	for statement := range strings.SplitSeq(code, ";") {
		p.Work(64 + 64*len(statement))
		if done, exit := r.perl(strings.TrimSpace(statement)); done {
			return exit
		}
	}
	return 0
}

// pi returns π with n significant digits, cut by rounding as bignum does, by
// Machin's formula.
func pi(n int) string {
	const guard = 10
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n-1+guard)), nil)
	arctan := func(x int64) *big.Int {
		sum, term := new(big.Int), new(big.Int).Div(scale, big.NewInt(x))
		square := big.NewInt(x * x)
		for k := int64(1); term.Sign() != 0; k += 2 {
			part := new(big.Int).Div(term, big.NewInt(k))
			if k%4 == 1 {
				sum.Add(sum, part)
			} else {
				sum.Sub(sum, part)
			}
			term.Div(term, square)
		}
		return sum
	}
	v := arctan(5)
	v.Mul(v, big.NewInt(16)).Sub(v, new(big.Int).Mul(arctan(239), big.NewInt(4)))
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(guard), nil)
	v.Add(v, new(big.Int).Div(unit, big.NewInt(2))).Div(v, unit)
	s := v.String()
	if len(s) == 1 {
		return s
	}
	return s[:1] + "." + s[1:]
}

// interpreter runs the few statements that exercises use.
type interpreter struct {
	p       *kernel.Proc
	newline string
	quote   string
}

// literal returns a quoted string or a number.
func (r *interpreter) literal(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if len(s) > 1 && strings.IndexByte(r.quote, s[0]) >= 0 && s[len(s)-1] == s[0] && strings.Count(s, s[:1]) == 2 {
		return strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\\`, `\`).Replace(s[1 : len(s)-1]), true
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return s, true
	}
	return "", false
}

func (r *interpreter) perl(s string) (done bool, code int) {
	word, rest, _ := strings.Cut(s, " ")
	switch word {
	case "print", "say":
		if text, ok := r.literal(rest); ok {
			if word == "say" {
				text += "\n"
			}
			outf(r.p, "%s%s", text, r.newline)
		}
	case "sleep":
		n, _ := strconv.Atoi(strings.TrimSpace(rest))
		r.p.Sleep(secondsOf(int64(n)))
	case "exit", "die":
		n, _ := strconv.Atoi(strings.TrimSpace(rest))
		return true, n
	}
	return false, 0
}

// dialect is a language of which script knows a little.
type dialect struct {
	name, flag, quote string
	print             *regexp.Regexp
	sleep             *regexp.Regexp
	exit              *regexp.Regexp
	ignore            *regexp.Regexp
	version           string
}

// python is Python 3.
func python() dialect {
	return dialect{
		name: "python", flag: "-c", quote: `"'`, version: "Python 3.13.7",
		print:  regexp.MustCompile(`^print\((.*)\)$`),
		sleep:  regexp.MustCompile(`^(?:time\.)?sleep\(([0-9.]+)\)$`),
		exit:   regexp.MustCompile(`^(?:sys\.)?exit\((\d*)\)$`),
		ignore: regexp.MustCompile(`^(?:import [\w, ]+|from \w+ import \w+|sys\.stdout\.flush\(\))$`),
	}
}

// node is Node.js.
func node() dialect {
	return dialect{
		name: "node", flag: "-e", quote: "\"'`", version: "v22.20.0",
		print:  regexp.MustCompile(`^console\.log\((.*)\)$`),
		sleep:  regexp.MustCompile(`^setTimeout\(\(\) ?=> ?\{\}, ?([0-9]+)\)$`),
		exit:   regexp.MustCompile(`^process\.exit\((\d*)\)$`),
		ignore: regexp.MustCompile(`^(?:const|var|let) \w+ ?= ?require\(.*\)$`),
	}
}

// script runs a program given on the command line if it knows every statement
// of it; else it is simulated.
func script(p *kernel.Proc, d dialect, unknown func(argv []string) kernel.Main) int {
	args := p.Args[1:]
	for len(args) > 0 && args[0] == "-u" {
		args = args[1:]
	}
	switch {
	case len(args) == 0:
		// The program comes from standard input, which is empty or unknown.
		data, _ := io.ReadAll(io.LimitReader(p.Stdin(), 1<<20))
		if strings.TrimSpace(string(data)) == "" {
			return 0
		}
		return unknown(p.Args)(p)
	case args[0] == "--version" || args[0] == "-V" || args[0] == "-v":
		outf(p, "%s\n", d.version)
		return 0
	case d.name == "python" && args[0] == "-m" && len(args) > 1 && args[1] == "http.server":
		return pythonServer(p, args[2:])
	}
	if args[0] != d.flag && args[0] != "--eval" || len(args) < 2 {
		return unknown(p.Args)(p)
	}
	statements := strings.FieldsFunc(args[1], func(r rune) bool { return r == ';' || r == '\n' })
	for _, s := range statements {
		p.Work(64 + 64*len(s))
		s = strings.TrimSpace(s)
		if !d.knows(s) {
			return unknown(p.Args)(p)
		}
	}
	r := interpreter{p: p, quote: d.quote}
	for _, s := range statements {
		p.Work(64 + 64*len(s))
		if done, code := d.run(r, strings.TrimSpace(s)); done {
			return code
		}
	}
	return 0
}

func (d dialect) knows(s string) bool {
	r := interpreter{quote: d.quote}
	if m := d.print.FindStringSubmatch(s); m != nil {
		_, ok := r.literal(m[1])
		return ok || m[1] == ""
	}
	return s == "" || d.sleep.MatchString(s) || d.exit.MatchString(s) || d.ignore.MatchString(s)
}

func (d dialect) run(r interpreter, s string) (done bool, code int) {
	if m := d.print.FindStringSubmatch(s); m != nil {
		text, _ := r.literal(m[1])
		outf(r.p, "%s\n", text)
	}
	if m := d.sleep.FindStringSubmatch(s); m != nil {
		f, _ := strconv.ParseFloat(m[1], 64)
		if d.name == "node" {
			f /= 1000
		}
		r.p.Sleep(engine.Span(f, time.Second))
	}
	if m := d.exit.FindStringSubmatch(s); m != nil {
		n, _ := strconv.Atoi(m[1])
		return true, n
	}
	return false, 0
}

func pythonServer(p *kernel.Proc, args []string) int {
	port := int32(8000)
	if len(args) > 0 {
		if n, err := strconv.Atoi(args[0]); err == nil && n > 0 && n < 1<<16 {
			port = int32(n)
		}
	}
	dir := p.Cwd
	p.Listen(port, func(req kernel.Request) kernel.Response {
		return files(p, dir, req.Path, "SimpleHTTP/0.6 Python/3.13.7")
	})
	outf(p, "Serving HTTP on 0.0.0.0 port %d (http://0.0.0.0:%d/) ...\n", port, port)
	p.Sleep(-1)
	return 0
}
