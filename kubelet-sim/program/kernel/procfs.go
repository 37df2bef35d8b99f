package kernel

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// MountProc mounts /proc, built anew from the processes whenever a path
// enters it.
func (m *Machine) MountProc() error {
	return m.cfg.Root.MountGenerated("/proc", "proc", m.procFS, m.boot)
}

// procFS builds /proc as the running process sees it. Nothing of the host is
// in it; what the simulator does not model reads as on a small node.
func (m *Machine) procFS() *vfs.FS {
	f := vfs.New("proc", m.now)
	if m.current != nil && len(m.current.procs) > 0 {
		m.current.procs[0].Owe(procWork * (1 + len(m.procs)))
	}
	text := func(name, s string) { _ = f.WriteFile(name, []byte(s), 0o444, m.now) }
	uptime := m.now.Sub(m.boot).Seconds()
	text("/uptime", fmt.Sprintf("%.2f %.2f\n", uptime, uptime))
	text("/loadavg", fmt.Sprintf("0.00 0.00 0.00 1/%d %d\n", len(m.procs), m.lastPID))
	text("/version", "Linux version "+KernelRelease+" (kubesim) #1 SMP\n")
	text("/cpuinfo", "processor\t: 0\nmodel name\t: kubesim\n\nprocessor\t: 1\nmodel name\t: kubesim\n\n")
	text("/meminfo", "MemTotal:        8146348 kB\nMemFree:         4073174 kB\nMemAvailable:    6109761 kB\n")
	text("/stat", "cpu  0 0 0 0 0 0 0 0 0 0\n")
	text("/filesystems", "nodev\tproc\nnodev\ttmpfs\nnodev\toverlay\n")
	text("/mounts", m.mountTable())
	text("/sys/kernel/hostname", m.cfg.Hostname+"\n")
	text("/sys/kernel/ostype", "Linux\n")
	text("/sys/kernel/osrelease", KernelRelease+"\n")
	text("/sys/kernel/pid_max", "32768\n")
	text("/sys/net/core/somaxconn", "4096\n")
	text("/net/dev", "Inter-|   Receive\n    lo: 0 0\n  eth0: 0 0\n")
	for _, p := range m.procs {
		p.procDir(f)
	}
	if m.current != nil && len(m.current.procs) > 0 {
		self := strconv.Itoa(m.current.procs[len(m.current.procs)-1].PID)
		_ = f.Symlink(self, "/self", vfs.User{Now: m.now})
	}
	return f
}

// procWork is what it costs to build the directory of one process, see Proc.Work.
const procWork = 4 << 10

// shownMax bounds the arguments and the environment of a process that /proc shows.
// Unit: bytes. Deviation: Linux shows all of them.
const shownMax = 32 << 10

// shown are strings as /proc shows them, each with its end.
func shown(list []string) string {
	var s strings.Builder
	for _, item := range list {
		if s.Len()+len(item) > shownMax {
			item = item[:max(shownMax-s.Len(), 0)]
		}
		s.WriteString(item)
		s.WriteByte(0)
		if s.Len() > shownMax {
			break
		}
	}
	if len(list) == 0 {
		return "\x00"
	}
	return s.String()
}

// KernelRelease is the kernel that containers believe to run on, their Node's.
const KernelRelease = "6.8.0-kubesim"

func (m *Machine) mountTable() string {
	var s strings.Builder
	mode := "rw"
	if m.cfg.ReadOnlyRoot {
		mode = "ro"
	}
	fmt.Fprintf(&s, "overlay / overlay %s,relatime 0 0\n", mode)
	for _, mount := range m.cfg.Root.Mounts() {
		mode := "rw"
		if mount.ReadOnly {
			mode = "ro"
		}
		if mount.Type == "proc" {
			mode = "rw,nosuid,nodev,noexec"
		}
		fmt.Fprintf(&s, "%s %s %s %s,relatime 0 0\n", mount.Type, mount.Path, mount.Type, mode)
	}
	return s.String()
}

func (p *Proc) procDir(f *vfs.FS) {
	dir := "/" + strconv.Itoa(p.PID)
	u := vfs.User{UID: 0, Now: p.Started}
	text := func(name, s string, mode fs.FileMode) { _ = f.WriteFile(dir+name, []byte(s), mode, p.Started) }
	name := p.Name()
	text("/cmdline", shown(p.Args), 0o444)
	text("/comm", name+"\n", 0o644)
	text("/environ", shown(p.Env), 0o400)
	text("/status", fmt.Sprintf("Name:\t%s\nState:\tS (sleeping)\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\nUid:\t%d\t%d\t%d\t%d\nGid:\t%d\t%d\t%d\t%d\nThreads:\t1\n",
		name, p.PID, p.PID, p.PPID, p.UID, p.UID, p.UID, p.UID, p.GID, p.GID, p.GID, p.GID), 0o444)
	text("/stat", fmt.Sprintf("%d (%s) S %d %d %d 0 -1 0\n", p.PID, name, p.PPID, p.PGID, p.PGID), 0o444)
	text("/cgroup", "0::/\n", 0o444)
	text("/mounts", p.m.mountTable(), 0o444)
	_ = f.Symlink(p.Cwd, dir+"/cwd", u)
	_ = f.Symlink("/", dir+"/root", u)
	if p.Exe != "" {
		_ = f.Symlink(p.Abs(p.Exe), dir+"/exe", u)
	}
	_ = f.Mkdir(dir+"/fd", 0o500, u)
	for n, o := range p.fds {
		if o != nil {
			_ = f.Device(fmt.Sprintf("fd:%d:%d", p.PID, n), dir+"/fd/"+strconv.Itoa(n), 0o700, u)
		}
	}
	_ = f.Chown(dir, int64(p.UID), int64(p.GID), vfs.User{})
	_ = f.Chown(dir+"/fd", int64(p.UID), int64(p.GID), vfs.User{})
	_ = f.Chown(dir+"/environ", int64(p.UID), int64(p.GID), vfs.User{})
	for n := range p.fds {
		_ = f.Chown(dir+"/fd/"+strconv.Itoa(n), int64(p.UID), int64(p.GID), vfs.User{})
	}
}

// Name is the last part of p's first argument.
func (p *Proc) Name() string {
	if len(p.Args) == 0 {
		return ""
	}
	return p.Args[0][strings.LastIndexByte(p.Args[0], '/')+1:]
}
