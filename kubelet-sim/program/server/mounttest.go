package server

import (
	"io/fs"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// newFileText is what mounttest writes into a new file.
const newFileText = "mount-tester new file\n"

// overlayMagic is the number of statfs(2) for a file system that is no tmpfs.
const overlayMagic = "2035054128"

// mounttest creates files and prints what it finds, in the order in which
// upstream's does whatever the order of the flags.
// Source: test/images/agnhost/mounttest in k8s.io/kubernetes v1.37.2.
func mounttest(p *kernel.Proc) int {
	p.Umask = 0
	failed := 0
	run := func(flag string, do func(name string) bool) {
		if name, ok := flagValue(p.Args[2:], flag); ok && name != "" && !do(name) {
			failed = 1
		}
	}
	run("fs_type", func(name string) bool { return mountType(p, name) })
	for _, f := range [...]struct {
		flag string
		mode fs.FileMode
	}{{"new_file_0644", 0o644}, {"new_file_0666", 0o666}, {"new_file_0660", 0o660}, {"new_file_0777", 0o777}} {
		run(f.flag, func(name string) bool {
			if err := writeFile(p, name, newFileText, f.mode); err != nil {
				outf(p, "error writing new file %q: open %s: %s\n", name, name, goError(err))
				return false
			}
			return fileContent(p, name)
		})
	}
	run("file_mode", func(name string) bool {
		in, err := p.Stat(name)
		if err != nil {
			outf(p, "error from Stat(%q): stat %s: %s\n", name, name, goError(err))
			return false
		}
		outf(p, "mode of file %q: %v\n", name, in.Mode())
		return true
	})
	run("file_perm", func(name string) bool {
		in, err := p.Stat(name)
		if err != nil {
			outf(p, "error from Stat(%q): stat %s: %s\n", name, name, goError(err))
			return false
		}
		outf(p, "perms of file %q: %v\n", name, in.Mode().Perm())
		return true
	})
	run("file_owner", func(name string) bool {
		in, err := p.Stat(name)
		if err != nil {
			outf(p, "error from stat(%q): %s\n", name, goError(err))
			return false
		}
		outf(p, "owner UID of %q: %v\nowner GID of %q: %v\n", name, in.UID(), name, in.GID())
		return true
	})
	run("file_content", func(name string) bool { return fileContent(p, name) })
	run("file_content_in_loop", func(name string) bool { return contentInLoop(p, name) })
	return failed
}

func mountType(p *kernel.Proc, name string) bool {
	in, err := p.Stat(name)
	if err != nil {
		outf(p, "error from statfs(%q): %s\n", name, goError(err))
		return false
	}
	kind := overlayMagic
	if in.FSType() == "tmpfs" {
		kind = "tmpfs"
	}
	outf(p, "mount type of %q: %s\n", name, kind)
	return true
}

// readAll reads a file as os.ReadFile, whose errors it words alike.
func readAll(p *kernel.Proc, name string) ([]byte, string) {
	data, err := p.ReadFile(name, 4<<20)
	switch {
	case err == nil:
		return data, ""
	case err == vfs.EISDIR:
		return nil, "read " + name + ": is a directory"
	}
	return nil, "open " + name + ": " + goError(err)
}

func fileContent(p *kernel.Proc, name string) bool {
	data, problem := readAll(p, name)
	if problem != "" {
		outf(p, "error reading file content for %q: %s\n", name, problem)
		return false
	}
	outf(p, "content of file %q: %s\n", name, data)
	return true
}

func contentInLoop(p *kernel.Proc, name string) bool {
	limit := secondsOf(int64(flagInt(p.Args, "retry_time", 180)))
	expected := true
	if v, ok := flagValue(p.Args, "break_on_expected_content"); ok {
		expected = v != "false"
	}
	ok := true
	for start := p.Now(); p.Now().Sub(start) < limit; p.Sleep(2 * time.Second) {
		data, problem := readAll(p, name)
		ok = problem == ""
		if !ok {
			outf(p, "Error reading file %s: %s, retrying\n", name, problem)
			continue
		}
		outf(p, "content of file %q: %s\n", name, data)
		if !expected {
			continue
		}
		if string(data) == newFileText {
			break
		}
		outf(p, "Unexpected content. Expected: %s. Retrying\n", newFileText)
	}
	return ok
}
