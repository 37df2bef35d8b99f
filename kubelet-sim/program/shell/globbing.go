package shell

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/match"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// The bounds of pathname expansion: PATH_MAX, and how many files one pattern may
// find on its way.
const (
	globMax  = 4096
	foundMax = 1 << 16
)

// errFound says that a pattern finds too many files.
var errFound = errors.New("out of memory")

// paths expands a field that has patterns to the files that match, if any does.
func (sh *Shell) paths(field []piece) ([]string, error) {
	if !sh.isPattern(field) {
		return nil, nil
	}
	pattern, err := sh.join(slices.Clone(field), asPattern)
	if err != nil || !hasMeta(pattern) {
		return nil, err
	}
	found, err := sh.glob(pattern)
	if err != nil {
		return nil, err
	}
	slices.Sort(found)
	return found, nil
}

// isPattern tells whether a field may be one. A long one is none: no path is.
func (sh *Shell) isPattern(field []piece) bool {
	candidate, size := false, 0
	for _, p := range field {
		if size += len(p.text); size > globMax {
			return false
		}
		candidate = candidate || !p.quoted && strings.ContainsAny(p.text, "*?[")
	}
	return candidate && !sh.opts.noglob
}

// hasMeta tells whether a pattern may match more than one text.
func hasMeta(pattern string) bool {
	bracket := false
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			i++
		case '*', '?':
			return true
		case '[':
			bracket = true
		case ']':
			if bracket {
				return true
			}
		}
	}
	return false
}

// glob returns the files that match a pattern, in no order.
func (sh *Shell) glob(pattern string) ([]string, error) {
	found := []string{""}
	if strings.HasPrefix(pattern, "/") {
		found[0], pattern = "/", pattern[1:]
	}
	for more := true; more; {
		var part string
		part, pattern, more = strings.Cut(pattern, "/")
		var err error
		switch {
		case part == "" || part == "." || part == "..":
			for i := range found {
				found[i] = under(found[i], part)
			}
		case !hasMeta(part):
			found = sh.existing(found, unquoteMeta(part), more)
		case part == "**" && sh.opts.globstar:
			found, err = sh.below(found, more)
		default:
			found, err = sh.matching(found, part, more)
		}
		if err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(found, func(name string) bool { return name == "" }), nil
}

// under is the path of a name in a directory, as it was written.
func under(dir, name string) string {
	if dir == "" || strings.HasSuffix(dir, "/") {
		return dir + name
	}
	return dir + "/" + name
}

// existing are the files of a name in directories; those that are directories
// themselves if isDir is set.
func (sh *Shell) existing(dirs []string, name string, isDir bool) []string {
	var found []string
	for _, dir := range dirs {
		file := under(dir, name)
		in, err := sh.p.Stat(file)
		if err != nil && !isDir {
			in, err = sh.p.Lstat(file) // a link to nothing is there too
		}
		if err == nil && (!isDir || in.IsDir()) {
			found = append(found, file)
		}
	}
	return found
}

// matching are the files in directories whose names match.
func (sh *Shell) matching(dirs []string, part string, isDir bool) ([]string, error) {
	compile := func(s string) (match.Pattern, error) { return match.CompileGlob(sh.p, s, sh.opts.nocaseglob) }
	if sh.opts.extglob {
		compile = func(s string) (match.Pattern, error) { return match.CompileExtended(sh.p, s, sh.opts.nocaseglob) }
	}
	pattern, err := compile(part)
	if err != nil {
		return nil, nil // it matches nothing
	}
	dots := sh.opts.dotglob || strings.HasPrefix(part, ".") || strings.HasPrefix(part, `\.`)
	var found []string
	for _, dir := range dirs {
		list, err := sh.p.ReadDir(dirName(dir))
		if err != nil {
			continue
		}
		for _, in := range list {
			name := in.Name()
			sh.p.Work(32 + 4*len(name))
			if strings.HasPrefix(name, ".") && !dots || !pattern.Match(sh.p, name) || isDir && !sh.leadsToDir(dir, in) {
				continue
			}
			if found = append(found, under(dir, name)); len(found) > foundMax {
				return nil, errFound
			}
		}
	}
	return found, nil
}

func dirName(dir string) string {
	if dir == "" {
		return "."
	}
	return dir
}

// leadsToDir tells whether a file is a directory or a link to one.
func (sh *Shell) leadsToDir(dir string, in vfs.Info) bool {
	if in.Mode()&fs.ModeSymlink == 0 {
		return in.IsDir()
	}
	to, err := sh.p.Stat(under(dir, in.Name()))
	return err == nil && to.IsDir()
}

// below are directories and all that is in them, however deep; only directories if
// isDir is set. It is what ** means.
func (sh *Shell) below(dirs []string, isDir bool) ([]string, error) {
	var found, stack []string
	for _, dir := range slices.Backward(dirs) {
		stack = append(stack, under(dir, ""))
	}
	for len(stack) > 0 {
		dir := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if found = append(found, dir); len(found)+len(stack) > foundMax {
			return nil, errFound
		}
		list, err := sh.p.ReadDir(dirName(dir))
		if err != nil {
			continue
		}
		for _, in := range slices.Backward(list) {
			sh.p.Work(64)
			if strings.HasPrefix(in.Name(), ".") && !sh.opts.dotglob || isDir && !sh.leadsToDir(dir, in) {
				continue
			}
			stack = append(stack, under(dir, in.Name()))
		}
	}
	return found, nil
}
