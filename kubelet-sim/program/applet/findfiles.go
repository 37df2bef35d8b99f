package applet

import (
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/match"
)

func findFamily(name string) Func {
	if name == "find" {
		return find
	}
	return nil
}

// finder is one run of find: a list of tests and actions for each file.
type finder struct {
	c                  *Call
	terms              [][]term // any of these lists, each true as a whole
	minDepth, maxDepth int
	depthFirst         bool
	acts               bool
	code               int
	batch              map[int][]string // arguments of -exec … +
	sizes              map[int]int      // of these, in bytes
	globs              map[int]*match.Glob
}

// term is one test or action; not inverts it.
type term struct {
	name string
	args []string
	not  bool
	id   int
}

func find(c *Call) int {
	args := c.Args
	var roots []string
	for len(args) > 0 && (args[0] == "" || !strings.ContainsRune("-(!", rune(args[0][0]))) {
		roots, args = append(roots, args[0]), args[1:]
	}
	if len(roots) == 0 {
		roots = []string{"."}
	}
	f := &finder{c: c, maxDepth: 1 << 30, batch: make(map[int][]string), sizes: make(map[int]int), globs: make(map[int]*match.Glob)}
	if !f.parse(args) {
		return 1
	}
	for _, root := range roots {
		in, err := c.Lstat(root)
		if err != nil {
			if c.style == GNU {
				f.code = c.fail("'%s': %v", root, err)
			} else {
				f.code = c.fail("%s: %v", root, err)
			}
			continue
		}
		f.visit(root, in, 0)
	}
	f.runBatches()
	return f.code
}

// parse reads the expression. Parentheses are not known.
func (f *finder) parse(args []string) bool {
	f.terms = [][]term{nil}
	not := false
	for i := 0; i < len(args); i++ {
		a := args[i]
		n := 0
		switch a {
		case "-name", "-iname", "-path", "-type", "-size", "-mtime", "-mmin", "-newer", "-user", "-group", "-perm", "-maxdepth", "-mindepth", "-wholename", "-printf", "-links", "-regex":
			n = 1
		case "-exec", "-ok", "-execdir":
			for i+1+n < len(args) && args[i+1+n] != ";" && !(args[i+1+n] == "+" && n > 0 && args[i+n] == "{}") {
				n++
			}
			n++
		case "-print", "-print0", "-delete", "-empty", "-prune", "-true", "-false", "-depth", "-quit", "-ls", "-executable", "-readable", "-writable":
		case "!", "-not":
			not = !not
			continue
		case "-o", "-or":
			f.terms = append(f.terms, nil)
			continue
		case "-a", "-and", "-follow", "-xdev", "-mount":
			continue
		case "(", ")":
			continue
		default:
			if f.c.style == GNU {
				f.c.fail("unknown predicate '%s'", a)
			} else {
				f.c.fail("unrecognized: %s", a)
			}
			return false
		}
		if i+n >= len(args) {
			f.c.fail("missing argument to '%s'", a)
			return false
		}
		t := term{name: a, args: args[i+1 : i+1+n], not: not, id: i}
		i += n
		not = false
		f.take(t)
	}
	return true
}

func (f *finder) take(t term) {
	switch t.name {
	case "-maxdepth":
		f.maxDepth, _ = strconv.Atoi(t.args[0])
		return
	case "-mindepth":
		f.minDepth, _ = strconv.Atoi(t.args[0])
		return
	case "-depth":
		f.depthFirst = true
		return
	case "-delete":
		f.depthFirst = true
	}
	switch t.name {
	case "-print", "-print0", "-delete", "-exec", "-ok", "-execdir", "-ls", "-printf", "-quit":
		f.acts = true
	}
	last := len(f.terms) - 1
	f.terms[last] = append(f.terms[last], t)
}

func (f *finder) visit(name string, in fileInfo, depth int) {
	f.c.Step(1)
	descend := true
	if !f.depthFirst && depth >= f.minDepth {
		descend = f.evaluate(name, in)
	}
	if in.IsDir() && depth < f.maxDepth && descend {
		list, err := f.c.ReadDir(name)
		if err != nil {
			f.code = f.c.fail("%s: %v", name, err)
		}
		for _, e := range list {
			f.visit(strings.TrimSuffix(name, "/")+"/"+e.Name(), e, depth+1)
		}
	}
	if f.depthFirst && depth >= f.minDepth {
		f.evaluate(name, in)
	}
}

// evaluate runs the expression on a file and tells whether to go deeper.
func (f *finder) evaluate(name string, in fileInfo) bool {
	descend, found := true, false
	for _, list := range f.terms {
		ok := true
		for _, t := range list {
			f.c.Work(32)
			if t.name == "-prune" {
				descend = false
				continue
			}
			if ok = f.term(t, name, in) != t.not; !ok {
				break
			}
		}
		if ok {
			found = true
			break
		}
	}
	if found && !f.acts && (descend || len(f.terms) == 1) {
		f.c.print(name + "\n")
	}
	return descend
}

func (f *finder) term(t term, name string, in fileInfo) bool {
	arg := ""
	if len(t.args) > 0 {
		arg = t.args[0]
	}
	switch t.name {
	case "-name":
		return f.glob(t, arg, base(name))
	case "-iname":
		return f.glob(t, arg, base(name))
	case "-path", "-wholename":
		return f.glob(t, arg, name)
	case "-type":
		return strings.Contains(arg, fileType(in.Mode()))
	case "-size":
		return f.size(arg, in)
	case "-mtime":
		return numberTest(arg, int64(f.c.Now().Sub(in.ModTime())/(24*time.Hour)))
	case "-mmin":
		return numberTest(arg, int64(f.c.Now().Sub(in.ModTime())/time.Minute))
	case "-newer":
		other, err := f.c.Stat(arg)
		return err == nil && in.ModTime().After(other.ModTime())
	case "-empty":
		if in.IsDir() {
			list, err := f.c.ReadDir(name)
			return err == nil && len(list) == 0
		}
		return in.Mode().IsRegular() && in.Size() == 0
	case "-user":
		n, ok := f.c.lookupID("/etc/passwd", arg)
		return ok && uint32(n) == in.UID()
	case "-group":
		n, ok := f.c.lookupID("/etc/group", arg)
		return ok && uint32(n) == in.GID()
	case "-perm":
		n, err := strconv.ParseUint(strings.TrimLeft(arg, "-/"), 8, 12)
		have := uint64(octalMode(in.Mode()))
		switch {
		case strings.HasPrefix(arg, "-"):
			return err == nil && have&n == n
		case strings.HasPrefix(arg, "/"):
			return err == nil && have&n != 0
		}
		return err == nil && have == n
	case "-executable":
		return f.c.FS().Access(f.c.Abs(name), 1, f.c.User()) == nil
	case "-readable":
		return f.c.FS().Access(f.c.Abs(name), 4, f.c.User()) == nil
	case "-writable":
		return f.c.FS().Access(f.c.Abs(name), 2, f.c.User()) == nil
	case "-false":
		return false
	case "-true":
		return true
	}
	return f.action(t, name, in)
}

func (f *finder) action(t term, name string, in fileInfo) bool {
	switch t.name {
	case "-print":
		f.c.print(name + "\n")
	case "-print0":
		f.c.print(name + "\x00")
	case "-ls":
		f.c.printf("%7d %4d %s %3d %-8s %-8s %8d %s %s\n", in.Inode(), (in.Size()+1023)/1024, modeString(in.Mode()), in.Links(),
			f.c.idName("/etc/passwd", in.UID()), f.c.idName("/etc/group", in.GID()), in.Size(), in.ModTime().UTC().Format("Jan _2 15:04"), name)
	case "-printf":
		text, _ := unescape(t.args[0], false)
		f.c.Work(4 * len(text))
		_, _ = strings.NewReplacer("%p", name, "%f", base(name), "%s", strconv.FormatInt(in.Size(), 10), "%m", strconv.FormatUint(uint64(octalMode(in.Mode())), 8), "%%", "%").WriteString(f.c, text)
	case "-delete":
		if err := f.c.FS().Remove(f.c.Abs(name), f.c.User()); err != nil && name != "." {
			f.code = f.c.cannot("remove", name, err)
			return false
		}
	case "-quit":
		f.runBatches()
		f.c.flush()
		f.c.Exit(f.code)
	case "-exec", "-ok", "-execdir":
		return f.exec(t, name)
	}
	return true
}

func (f *finder) exec(t term, name string) bool {
	command := t.args[:len(t.args)-1]
	if t.args[len(t.args)-1] == "+" {
		f.batch[t.id] = append(f.batch[t.id], name)
		if f.sizes[t.id] += len(name) + 1; f.sizes[t.id] > xargsMax {
			f.runBatch(t)
		}
		return true
	}
	args := make([]string, len(command))
	for i, a := range command {
		var ok bool
		if args[i], ok = f.c.filled(a, "{}", name); !ok {
			f.code = f.c.fail("%s: %v", command[0], kernel.E2BIG)
			return false
		}
	}
	return len(args) > 0 && f.c.execute(args, nil) == 0
}

func (f *finder) runBatches() {
	for _, list := range f.terms {
		for _, t := range list {
			if t.name == "-exec" && len(f.batch[t.id]) > 0 {
				f.runBatch(t)
			}
		}
	}
}

// runBatch runs the command of -exec … + with the files that were found so far.
func (f *finder) runBatch(t term) {
	args := append([]string{}, t.args[:len(t.args)-2]...)
	names := f.batch[t.id]
	delete(f.batch, t.id)
	f.sizes[t.id] = 0
	if f.c.execute(append(args, names...), nil) != 0 {
		f.code = 1
	}
}

// glob tells whether a test's pattern matches s.
func (f *finder) glob(t term, pattern, s string) bool {
	g, ok := f.globs[t.id]
	if !ok {
		g, _ = match.CompileGlob(f.c, pattern, t.name == "-iname") // nil matches nothing
		f.globs[t.id] = g
	}
	return g != nil && g.Match(f.c, s)
}

func fileType(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "d"
	case m&fs.ModeSymlink != 0:
		return "l"
	case m&fs.ModeCharDevice != 0:
		return "c"
	case m&fs.ModeNamedPipe != 0:
		return "p"
	}
	return "f"
}

// numberTest is N, +N or -N.
func numberTest(arg string, have int64) bool {
	n, err := strconv.ParseInt(strings.TrimLeft(arg, "+-"), 10, 64)
	switch {
	case err != nil:
		return false
	case strings.HasPrefix(arg, "+"):
		return have > n
	case strings.HasPrefix(arg, "-"):
		return have < n
	}
	return have == n
}

func (f *finder) size(arg string, in fileInfo) bool {
	unit := int64(512)
	if arg != "" {
		if u, ok := map[byte]int64{'c': 1, 'b': 512, 'w': 2, 'k': 1 << 10, 'M': 1 << 20, 'G': 1 << 30}[arg[len(arg)-1]]; ok {
			unit, arg = u, arg[:len(arg)-1]
		}
	}
	return numberTest(arg, (in.Size()+unit-1)/unit)
}
