package shell

import (
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

const (
	readFlag   = vfs.Read
	writeFlag  = vfs.Write | vfs.Create | vfs.Truncate
	appendFlag = vfs.Write | vfs.Create | vfs.Append
)

// savedFD is a descriptor as it was before a redirection.
type savedFD struct {
	fd   int
	open *kernel.Open
}

// redirect applies redirections in order. undo takes them back; ok is false,
// after a message, if one failed.
func (sh *Shell) redirect(list []*syntax.Redirect) (undo func(), ok bool) {
	if len(list) == 0 {
		return func() {}, true
	}
	var saved []savedFD
	done := false
	undo = func() {
		if done {
			return
		}
		done = true
		for i := len(saved) - 1; i >= 0; i-- {
			sh.p.RestoreFD(saved[i].fd, saved[i].open)
		}
	}
	for _, r := range list {
		fds, open, ok := sh.openRedirect(r)
		if !ok {
			return undo, false
		}
		for _, fd := range fds {
			saved = append(saved, savedFD{fd, sh.p.SaveFD(fd)})
			if open == nil {
				sh.p.CloseFD(fd)
				continue
			}
			if err := sh.p.SetFD(fd, open); err != nil {
				sh.errorf("%d: %v", fd, err)
				return undo, false
			}
		}
	}
	return undo, true
}

// openRedirect returns the descriptors that a redirection sets and the file
// that they get; nil: they are closed.
func (sh *Shell) openRedirect(r *syntax.Redirect) (fds []int, open *kernel.Open, ok bool) {
	fd := 1
	sh.p.Work(32)
	switch r.Op {
	case syntax.RdrIn, syntax.RdrInOut, syntax.DplIn, syntax.Hdoc, syntax.DashHdoc, syntax.WordHdoc:
		fd = 0
	}
	fds = []int{fd}
	if r.N != nil {
		n, err := strconv.Atoi(r.N.Value)
		if err != nil {
			sh.errorf("%s: bad file descriptor", r.N.Value)
			return nil, nil, false
		}
		fds[0] = n
	}
	switch r.Op {
	case syntax.Hdoc, syntax.DashHdoc:
		return fds, sh.hereDocument(r), sh.leaving == stay
	}
	word := sh.literal(r.Word)
	if sh.leaving != stay {
		return nil, nil, false
	}
	switch r.Op {
	case syntax.WordHdoc:
		return fds, sh.p.Text(word + "\n"), true
	case syntax.DplIn, syntax.DplOut:
		return sh.duplicate(fds, r, word)
	case syntax.RdrAll, syntax.AppAll:
		fds = []int{1, 2}
	}
	open, ok = sh.openFile(r.Op, word)
	return fds, open, ok
}

func (sh *Shell) openFile(op syntax.RedirOperator, name string) (*kernel.Open, bool) {
	flag, create := writeFlag, true
	switch op {
	case syntax.RdrIn:
		flag, create = readFlag, false
	case syntax.RdrInOut:
		flag = vfs.Read | vfs.Write | vfs.Create
	case syntax.AppOut, syntax.AppAll:
		flag = appendFlag
	case syntax.RdrOut, syntax.RdrAll:
		if sh.opts.noclobber {
			if in, err := sh.p.Stat(name); err == nil && in.Mode().IsRegular() {
				sh.cannotOpen(name, true, vfs.EEXIST)
				return nil, false
			}
		}
	}
	open, err := sh.p.OpenFile(name, flag, 0o666)
	if err != nil {
		sh.cannotOpen(name, create, err)
		return nil, false
	}
	return open, true
}

func (sh *Shell) duplicate(fds []int, r *syntax.Redirect, word string) ([]int, *kernel.Open, bool) {
	if word == "-" {
		return fds, nil, true
	}
	n, err := strconv.Atoi(strings.TrimSuffix(word, "-"))
	if err != nil {
		if r.Op == syntax.DplOut && r.N == nil { // >&file
			open, ok := sh.openFile(syntax.RdrAll, word)
			return []int{1, 2}, open, ok
		}
		sh.errorf("%s: bad file descriptor", word)
		return nil, nil, false
	}
	open := sh.p.FD(n)
	if open == nil {
		if sh.dialect == Bash {
			sh.errorf("%d: Bad file descriptor", n)
		} else {
			sh.errorf("dup2(%d,%d): Bad file descriptor", n, fds[0])
		}
		return nil, nil, false
	}
	return fds, open, true
}

// hereDocument returns the text between <<END and END.
func (sh *Shell) hereDocument(r *syntax.Redirect) *kernel.Open {
	if r.Hdoc == nil {
		return sh.p.Text("")
	}
	quoted := false
	for _, part := range r.Word.Parts {
		switch part := part.(type) {
		case *syntax.SglQuoted, *syntax.DblQuoted:
			quoted = true
		case *syntax.Lit:
			quoted = quoted || strings.Contains(part.Value, `\`)
		}
	}
	var text string
	if lit := r.Hdoc.Lit(); quoted && (lit != "" || len(r.Hdoc.Parts) == 0) {
		text = lit
	} else {
		text = sh.document(r.Hdoc)
	}
	if r.Op == syntax.DashHdoc {
		sh.large(len(text))
		lines := strings.SplitAfter(text, "\n")
		for i := range lines {
			lines[i] = strings.TrimLeft(lines[i], "\t")
		}
		text = strings.Join(lines, "")
	}
	return sh.p.Text(text)
}
