package applet

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

func systemFamily(name string) Func {
	switch name {
	case "hostname":
		return hostname
	case "uname":
		return uname
	case "arch":
		return func(c *Call) int { c.print("x86_64\n"); return 0 }
	case "nproc":
		return func(c *Call) int { c.print("2\n"); return 0 }
	case "whoami":
		return whoami
	case "who":
		return who
	case "id":
		return id
	case "groups":
		return func(c *Call) int { c.Args = []string{"-Gn"}; return id(c) }
	case "ps":
		return ps
	case "kill":
		return killApplet
	case "killall", "pkill", "pgrep", "pidof":
		return byName
	case "free":
		return free
	case "uptime":
		return uptime
	case "usleep":
		return func(c *Call) int {
			n, _ := strconv.Atoi(strings.Join(c.Args[:min(1, len(c.Args))], ""))
			c.Sleep(engine.Span(float64(max(n, 0)), time.Microsecond))
			return 0
		}
	case "dmesg", "ifconfig", "netstat", "ip", "lsof", "top", "strings":
		return func(c *Call) int { return c.fail("not simulated") }
	}
	return nil
}

func uname(c *Call) int {
	o, ok := c.parse("amnrspvio", map[string]byte{"all": 'a'}, "[-amnrspvio]")
	if !ok {
		return 1
	}
	var parts []string
	for _, p := range [...]struct {
		flag byte
		text string
	}{
		{'s', "Linux"}, {'n', c.Hostname()}, {'r', kernel.KernelRelease}, {'v', "#1 SMP"}, {'m', "x86_64"}, {'o', "GNU/Linux"},
	} {
		if o.has(p.flag) || o.has('a') || p.flag == 's' && len(o.set) == 0 {
			parts = append(parts, p.text)
		}
	}
	c.print(strings.Join(parts, " ") + "\n")
	return 0
}

// who lists nobody: no container keeps a record of who has logged in.
func who(c *Call) int {
	o, ok := c.parse("aH", map[string]byte{"all": 'a', "heading": 'H'}, "[-aH]")
	if !ok {
		return 1
	}
	switch {
	case c.style == GNU && o.has('H'):
		c.print("NAME     LINE         TIME             COMMENT\n")
	case c.style == Busybox && o.has('H'):
		c.print("USER\t\tTTY\t\tIDLE\tTIME\t\t HOST\n")
	}
	return 0
}

func whoami(c *Call) int {
	name := c.idName("/etc/passwd", c.UID)
	if name == strconv.Itoa(int(c.UID)) {
		if c.style == GNU {
			return c.fail("cannot find name for user ID %s", name)
		}
		return c.fail("unknown uid %s", name)
	}
	c.print(name + "\n")
	return 0
}

// hostname prints the host's name; with -f the first one that /etc/hosts has for
// it, with -i its address there, with -d and -s the domain and what is before it.
func hostname(c *Call) int {
	o, ok := c.parse("fisd", map[string]byte{"fqdn": 'f', "ip-address": 'i', "short": 's', "domain": 'd'}, "[-sidf] [HOSTNAME | -F FILE]")
	if !ok {
		return 1
	}
	full, address := c.Hostname(), ""
	data, _ := c.ReadFile("/etc/hosts", 64<<10)
	for line := range strings.Lines(string(data)) {
		if words := strings.Fields(line); len(words) > 1 && slices.Contains(words[1:], c.Hostname()) {
			address, full = words[0], words[1]
			break
		}
	}
	short, domain, _ := strings.Cut(full, ".")
	switch {
	case o.has('f'):
		c.print(full + "\n")
	case o.has('i'):
		c.print(address + "\n")
	case o.has('d'):
		c.print(domain + "\n")
	case o.has('s'):
		c.print(short + "\n")
	default:
		c.print(c.Hostname() + "\n")
	}
	return 0
}

func id(c *Call) int {
	o, ok := c.parse("ugGnr", nil, "[-ugGnr] [USER]")
	if !ok {
		return 1
	}
	uid, gid, groups := c.UID, c.GID, c.Groups
	if len(o.rest) > 0 {
		n, ok := c.lookupID("/etc/passwd", o.rest[0])
		if !ok {
			if c.style == GNU {
				return c.fail("'%s': no such user", o.rest[0])
			}
			return c.fail("unknown user %s", o.rest[0])
		}
		uid, gid, groups = uint32(n), uint32(n), nil
	}
	user := func(n uint32) string { return c.idName("/etc/passwd", n) }
	group := func(n uint32) string { return c.idName("/etc/group", n) }
	if !o.has('n') && len(o.set) > 0 {
		user = func(n uint32) string { return strconv.Itoa(int(n)) }
		group = user
	}
	all := groups
	if c.style == GNU || len(all) == 0 { // it names the primary one first
		all = append([]uint32{gid}, slices.DeleteFunc(slices.Clone(groups), func(g uint32) bool { return g == gid })...)
	}
	switch {
	case o.has('u'):
		c.print(user(uid) + "\n")
	case o.has('g'):
		c.print(group(gid) + "\n")
	case o.has('G'):
		list := make([]string, len(all))
		for i, g := range all {
			list[i] = group(g)
		}
		c.print(strings.Join(list, " ") + "\n")
	default:
		named := func(n uint32, name string) string {
			if strconv.Itoa(int(n)) == name {
				return name
			}
			return fmt.Sprintf("%d(%s)", n, name)
		}
		list := make([]string, len(all))
		for i, g := range all {
			list[i] = named(g, group(g))
		}
		c.printf("uid=%s gid=%s groups=%s\n", named(uid, user(uid)), named(gid, group(gid)), strings.Join(list, ","))
	}
	return 0
}

func ps(c *Call) int {
	if c.style == GNU {
		c.print("    PID TTY          TIME CMD\n")
	} else {
		c.print("PID   USER     TIME  COMMAND\n")
	}
	for _, p := range c.Machine().Processes() {
		text := strings.Join(p.Args, " ")
		if c.style == GNU {
			c.printf("%7d ?        00:00:00 %s\n", p.PID, p.Name())
			continue
		}
		c.printf("%5d %-8s %5s %s\n", p.PID, c.idName("/etc/passwd", p.UID), "0:00", text)
	}
	return 0
}

func killApplet(c *Call) int {
	args := c.Args
	sig := kernel.SIGTERM
	if len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && args[0] != "--" {
		name := args[0][1:]
		args = args[1:]
		switch {
		case name == "l" || name == "L":
			return killList(c, args)
		case name == "s" && len(args) > 0:
			name, args = args[0], args[1:]
		}
		var ok bool
		if sig, ok = kernel.ParseSignal(name); !ok {
			return c.fail("bad signal name '%s'", name)
		}
	}
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return c.fail("you need to specify whom to kill")
	}
	code := 0
	for _, a := range args {
		c.Work(512) // to find the process among all
		pid, err := strconv.Atoi(a)
		if err != nil {
			code = c.fail("invalid number '%s'", a)
			continue
		}
		if !c.killOne(pid, sig) {
			code = 1
		}
	}
	return code
}

func (c *Call) killOne(pid int, sig kernel.Signal) bool {
	if pid == 0 {
		pid = c.PID
	}
	if pid < -1 {
		pid = -pid
	}
	if pid == -1 {
		for _, p := range c.Machine().Processes() {
			if p.PID != 1 && p.PID != c.PID {
				c.Signal(p, sig)
			}
		}
		return true
	}
	p := c.Machine().Find(pid)
	switch {
	case p == nil && c.style == GNU:
		c.fail("(%d) - No such process", pid)
	case p == nil:
		c.fail("can't kill pid %d: No such process", pid)
	case c.UID != 0 && c.UID != p.UID:
		c.fail("can't kill pid %d: Operation not permitted", pid)
	default:
		c.flush()
		c.Signal(p, sig)
		return true
	}
	return false
}

func killList(c *Call, args []string) int {
	for _, a := range args {
		s, ok := kernel.ParseSignal(a)
		switch {
		case !ok:
			return c.fail("unknown signal '%s'", a)
		case a[0] >= '0' && a[0] <= '9':
			if s > 128 {
				s -= 128
			}
			c.print(s.Name() + "\n")
		default:
			c.printf("%d\n", s)
		}
	}
	if len(args) == 0 {
		for s := kernel.Signal(1); s < 32; s++ {
			c.printf("%2d) %s\n", s, s.Name())
		}
	}
	return 0
}

// byName is killall, pkill, pgrep and pidof.
func byName(c *Call) int {
	sig := kernel.SIGTERM
	full, quiet := false, false
	var names []string
	for _, a := range c.Args {
		switch {
		case a == "-f":
			full = true
		case a == "-q":
			quiet = true
		case len(a) > 1 && a[0] == '-':
			if s, ok := kernel.ParseSignal(a[1:]); ok {
				sig = s
			}
		default:
			names = append(names, a)
		}
	}
	code := 1
	var pids []string
	for _, p := range c.Machine().Processes() {
		own, all := p.Name(), ""
		if full {
			all = strings.Join(p.Args, " ")
			c.Work(2 * len(all))
		}
		for _, name := range names {
			c.Work(32 + len(own) + len(all))
			match := own == name
			if c.Name == "pkill" || c.Name == "pgrep" {
				match = strings.Contains(own, name) || full && strings.Contains(all, name)
			}
			if !match || p.PID == c.PID {
				continue
			}
			code = 0
			if c.Name == "pgrep" || c.Name == "pidof" {
				pids = append(pids, strconv.Itoa(p.PID))
				continue
			}
			c.Signal(p, sig)
		}
	}
	switch {
	case c.Name == "pidof" && len(pids) > 0:
		c.print(strings.Join(pids, " ") + "\n")
	case len(pids) > 0:
		c.print(strings.Join(pids, "\n") + "\n")
	case code != 0 && c.Name == "killall" && !quiet:
		return c.fail("%s: no process killed", strings.Join(names, " "))
	}
	return code
}

func free(c *Call) int {
	o, ok := c.parse("bkmgh", nil, "[-bkmgh]")
	if !ok {
		return 1
	}
	show := func(kib int64) string {
		switch {
		case o.has('b'):
			return strconv.FormatInt(kib<<10, 10)
		case o.has('m'):
			return strconv.FormatInt(kib>>10, 10)
		case o.has('g'):
			return strconv.FormatInt(kib>>20, 10)
		case o.has('h'):
			return human(kib << 10)
		}
		return strconv.FormatInt(kib, 10)
	}
	c.printf("              total        used        free      shared  buff/cache   available\n")
	c.printf("Mem:    %11s %11s %11s %11s %11s %11s\n", show(8146348), show(2036587), show(4073174), show(0), show(2036587), show(6109761))
	c.printf("Swap:   %11s %11s %11s\n", show(0), show(0), show(0))
	return 0
}

func uptime(c *Call) int {
	up := c.Now().Sub(c.Machine().Boot())
	c.printf(" %s up %d min,  load average: 0.00, 0.00, 0.00\n", c.Now().UTC().Format("15:04:05"), int(up.Minutes()))
	return 0
}
