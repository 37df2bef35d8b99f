package image

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// built is the time of last change of every file of an image.
func built() time.Time { return time.Date(2025, time.November, 18, 4, 12, 7, 0, time.UTC) }

// builder lays out a base tree and keeps the first error.
type builder struct {
	*vfs.FS
	err error
}

// Build makes the image's base tree.
func (im *Image) Build() (*vfs.FS, error) {
	b := &builder{FS: vfs.New("overlay", built())}
	b.skeleton(im.Distro)
	switch im.Distro {
	case Busybox, Alpine:
		b.busybox(im.Distro, im.Tag)
	case Debian, Ubuntu, Unknown:
		b.debian()
	}
	if im.Distro != Bare {
		b.text("/etc/passwd", im.passwd())
		b.text("/etc/group", im.group())
		b.text("/etc/os-release", im.osRelease())
	}
	for _, p := range im.Programs {
		b.program(p.Path, p.Name)
	}
	b.contents(im)
	if b.err != nil {
		return nil, fmt.Errorf("image %s: base tree: %w", im.Name, b.err)
	}
	return b.FS, nil
}

func (b *builder) do(err error) {
	if err != nil && b.err == nil {
		b.err = err
	}
}

func (b *builder) dir(path string, mode fs.FileMode) {
	b.do(b.MkdirAll(path, 0o755, vfs.User{Now: built()}))
	b.do(b.Chmod(path, mode, vfs.User{Now: built()}))
}

func (b *builder) text(path, text string) { b.do(b.WriteFile(path, []byte(text), 0o644, built())) }

func (b *builder) program(path, name string) {
	if _, err := b.Lstat(path, vfs.User{}); err == nil {
		b.do(b.Remove(path, vfs.User{Now: built()}))
	}
	b.do(b.WriteFile(path, kernel.Executable(name), 0o755, built()))
}

func (b *builder) link(target, path string) {
	if _, err := b.Lstat(path, vfs.User{}); err == nil {
		return
	}
	b.do(b.Symlink(target, path, vfs.User{Now: built()}))
}

func (b *builder) skeleton(d Distro) {
	b.dir("/dev", 0o755)
	for _, name := range [...]string{"null", "zero", "full", "random", "urandom", "tty"} {
		b.do(b.Device(name, "/dev/"+name, 0o666, vfs.User{Now: built()}))
	}
	b.link("/proc/self/fd", "/dev/fd")
	b.link("/proc/self/fd/0", "/dev/stdin")
	b.link("/proc/self/fd/1", "/dev/stdout")
	b.link("/proc/self/fd/2", "/dev/stderr")
	b.dir("/dev/shm", 0o777|fs.ModeSticky)
	b.dir("/dev/pts", 0o755)
	for _, dir := range [...]string{"/proc", "/sys", "/etc"} {
		b.dir(dir, 0o755)
	}
	b.link("/proc/mounts", "/etc/mtab")
	b.text("/etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
	b.text("/etc/resolv.conf", "")
	if d == Bare {
		return
	}
	b.dir("/tmp", 0o777|fs.ModeSticky)
	b.dir("/root", 0o700)
	for _, dir := range [...]string{"/home", "/var/log", "/var/run", "/var/tmp", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/bin", "/sbin", "/lib"} {
		if _, err := b.Lstat(dir, vfs.User{}); err != nil {
			b.dir(dir, 0o755)
		}
	}
	b.dir("/var/tmp", 0o777|fs.ModeSticky)
}

// busyboxApplets are the commands of the busybox and alpine images.
// TestEveryCommandOfAnImageIsThere compares them with what there is.
//
// Deviation: what nobody has written is not found: vi, mkfifo, mknod, umount, logger …
const busyboxApplets = "[ [[ arch ash awk base64 basename busybox cat chgrp chmod chown clear cmp cp cut date dd df " +
	"diff dirname dmesg du echo egrep env expr factor false fgrep find fold free getent getopt grep groups gunzip gzip " +
	"head hexdump hostname httpd id ifconfig install ip kill killall less link ln logname ls lsof md5sum mkdir " +
	"mktemp more mount mv nc netstat nice nl nohup nproc nslookup od paste pgrep pidof ping pkill printenv printf ps " +
	"pwd readlink realpath reset rev rm rmdir sed seq sh sha1sum sha256sum sha512sum shuf sleep sort split stat strings stty " +
	"su sum sync tac tail tar tee telnet test time timeout top touch tr traceroute true truncate tty uname uniq " +
	"unlink uptime usleep watch wc wget which who whoami xargs xxd yes zcat"

// busyboxProgram is the program of a busybox image; that of the old ones has
// another nslookup, for which courses choose them.
func busyboxProgram(d Distro, tag string) string {
	version, _, _ := strings.Cut(strings.TrimPrefix(tag, "1."), ".")
	if n, err := strconv.Atoi(version); d == Busybox && err == nil && strings.HasPrefix(tag, "1.") && n <= 28 {
		return "busybox-1.28"
	}
	return "busybox"
}

func (b *builder) busybox(d Distro, tag string) {
	b.do(b.WriteFile("/bin/busybox", kernel.Executable(busyboxProgram(d, tag)), 0o755, built()))
	for name := range strings.FieldsSeq(busyboxApplets) {
		if name == "busybox" {
			continue
		}
		if d == Alpine {
			b.link("/bin/busybox", "/bin/"+name)
		} else {
			b.do(b.Link("/bin/busybox", "/bin/"+name, vfs.User{Now: built()}))
		}
	}
	b.dir("/usr/bin", 0o755)
	if d == Busybox {
		b.link("../../bin/env", "/usr/bin/env")
		return
	}
	for name := range strings.FieldsSeq("env id awk find wc head tail sort uniq cut tr tee xargs seq expr printf test which whoami du yes md5sum sha256sum nproc timeout nc nslookup less top") {
		b.link("/bin/busybox", "/usr/bin/"+name)
	}
}

// debianTools are the commands of the debian and ubuntu images.
//
// Deviation: ps, awk's mawk and the like stand where slim images lack them.
const debianTools = "[ arch awk base64 basename cat chgrp chmod chown clear cmp cp cut date dd df diff dirname dmesg du echo egrep env expr " +
	"factor false fgrep find fold free getent grep groups gunzip gzip head hostname id install kill link ln logname ls md5sum mkdir " +
	"mktemp more mount mv nice nl nohup nproc od paste pgrep pidof pkill printenv printf ps pwd readlink realpath rev rm " +
	"rmdir sed seq sha1sum sha256sum sha512sum shuf sleep sort split stat stty su sum sync tac tail tar tee test timeout " +
	"touch tr true truncate tty uname uniq unlink uptime wc which who whoami xargs yes zcat"

func (b *builder) debian() {
	for name := range strings.FieldsSeq(debianTools) {
		b.program("/usr/bin/"+name, "gnu-"+name)
	}
	b.program("/usr/bin/bash", "bash")
	b.program("/usr/bin/dash", "dash")
	b.link("dash", "/usr/bin/sh")
	b.do(b.Remove("/bin", vfs.User{}))
	b.link("usr/bin", "/bin")
	b.do(b.Remove("/sbin", vfs.User{}))
	b.link("usr/sbin", "/sbin")
}
