package applet

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

const ncUsage = "[-iN] [-wN] [-l] [-p PORT] [-f FILE|IPADDR PORT] [-e PROG]"

// nc is busybox's, with -z, -v, -n and -k of other versions.
func nc(c *Call) int {
	o, ok := c.parse("+zvw:lkp:ne:ui:s:q:N", nil, ncUsage)
	if !ok {
		return 1
	}
	if o.has('l') {
		return c.ncListen(o)
	}
	if len(o.rest) < 2 {
		return c.usage(ncUsage)
	}
	host := o.rest[0]
	ip, ok := c.lookup(host)
	if !ok {
		return c.fail("bad address '%s'", host)
	}
	first, last, ok := ncPorts(o.rest[1])
	if !ok {
		return c.fail("bad port '%s'", o.rest[1])
	}
	code := 0
	for port := first; port <= last; port++ {
		if code = c.ncConnect(o, host, netip.AddrPortFrom(ip, uint16(port))); !o.has('z') {
			return code
		}
	}
	return code
}

// ncPorts reads 80 or 80-90.
func ncPorts(s string) (first, last int, ok bool) {
	from, to, ranged := strings.Cut(s, "-")
	first, err := strconv.Atoi(from)
	last = first
	if ranged && err == nil {
		last, err = strconv.Atoi(to)
	}
	return first, last, err == nil && first > 0 && last < 1<<16 && last-first < 1000
}

func (c *Call) ncConnect(o *options, host string, to netip.AddrPort) int {
	c.flush()
	conn, err := c.Connect(to, o.seconds('w'))
	switch {
	case err == kernel.ETIME && o.has('v'):
		return c.fail("%s (%s): Connection timed out", host, to)
	case err == kernel.ETIME:
		return c.fail("timed out")
	case err != nil && o.has('v'):
		return c.fail("%s (%s): %v", host, to, err)
	case err != nil && o.has('z'):
		return 1
	case err != nil:
		return c.fail("can't connect to remote host (%s): %v", to.Addr(), err)
	}
	if o.has('v') {
		_, _ = fmt.Fprintf(c.Stderr(), "%s (%s) open\n", host, to)
	}
	if o.has('z') {
		_ = c.ReaderOf(conn).Close()
		return 0
	}
	return c.relay(conn)
}

// ncListen answers one connection, or one after the other.
func (c *Call) ncListen(o *options) int {
	text := o.value('p')
	if text == "" && len(o.rest) > 0 {
		text = o.rest[len(o.rest)-1]
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil && text != "" {
		return c.fail("bad port '%s'", text)
	}
	l := c.ListenStream(int32(port))
	if l == nil {
		return c.fail("bind: %v", kernel.EADDRINUSE)
	}
	for {
		conn := c.Accept(l, o.seconds('w'))
		if conn == nil {
			return c.fail("timed out")
		}
		again := o.has('k') || o.set['l'] > 1
		if !again {
			c.Unlisten(l)
		}
		code := 0
		switch {
		case o.has('e'):
			code = c.ncRun(conn, append([]string{o.value('e')}, o.rest...))
		default:
			code = c.relay(conn)
		}
		if !again {
			return code
		}
	}
}

// ncRun gives a connection to a program.
func (c *Call) ncRun(conn *kernel.Open, args []string) int {
	r := c.ReaderOf(conn)
	defer func() { _ = r.Close() }()
	status, err := c.Command(args, func(p *kernel.Proc) {
		for fd := range 3 {
			_ = p.SetFD(fd, conn)
		}
	})
	if err != nil {
		return c.fail("can't execute '%s': %v", args[0], err)
	}
	return status.ExitCode()
}

// telnet is busybox's.
func telnet(c *Call) int {
	o, ok := c.parse("+ael:", nil, "[-a] [-l USER] HOST [PORT]")
	if !ok {
		return 1
	}
	if len(o.rest) == 0 {
		return c.usage("[-a] [-l USER] HOST [PORT]")
	}
	port := uint64(23)
	if len(o.rest) > 1 {
		n, err := strconv.ParseUint(o.rest[1], 10, 16)
		if err != nil {
			return c.fail("bad port '%s'", o.rest[1])
		}
		port = n
	}
	ip, ok := c.lookup(o.rest[0])
	if !ok {
		return c.fail("bad address '%s'", o.rest[0])
	}
	conn, err := c.Connect(netip.AddrPortFrom(ip, uint16(port)), -1)
	if err != nil {
		return c.fail("can't connect to remote host (%s): %v", ip, err)
	}
	c.printf("Connected to %s\n", o.rest[0])
	c.flush()
	c.relay(conn)
	_, _ = fmt.Fprint(c.Stderr(), "Connection closed by foreign host\r\n")
	return 1
}

// pingLocal and pingRemote are how long an answer takes. Unit: virtual time.
const (
	pingLocal  = 50 * time.Microsecond
	pingRemote = 120 * time.Microsecond
)

func ping(c *Call) int {
	o, ok := c.parse("c:W:w:i:q46s:I:t:n", nil, "[OPTIONS] HOST")
	if !ok {
		return 1
	}
	if len(o.rest) == 0 {
		return c.usage("[OPTIONS] HOST")
	}
	host := o.rest[0]
	ip, ok := c.lookup(host)
	if !ok {
		if c.style == GNU {
			_, _ = fmt.Fprintf(c.Stderr(), "ping: %s: Name or service not known\n", host)
			return 2
		}
		return c.fail("bad address '%s'", host)
	}
	n := -1
	if v, err := strconv.Atoi(o.value('c')); err == nil {
		n = v
	}
	every, end := o.seconds('i'), time.Time{}
	if every < 0 {
		every = time.Second
	}
	every = max(every, time.Millisecond)
	if w := o.seconds('w'); w >= 0 {
		end = c.Now().Add(w)
	}
	rtt, alive := pingLocal, ip.IsLoopback()
	if network := c.Network(); !alive && network != nil {
		rtt, alive = pingRemote, network.Alive(ip)
	}
	c.Handle(kernel.SIGINT)
	c.printf("PING %s (%s): 56 data bytes\n", host, ip)
	ms := fmt.Sprintf("%.3f", float64(rtt)/float64(time.Millisecond))
	sent, got := 0, 0
	for n < 0 || sent < n {
		if alive {
			if !o.has('q') {
				c.printf("64 bytes from %s: seq=%d ttl=64 time=%s ms\n", ip, sent, ms)
			}
			got++
		}
		sent++
		c.flush()
		if sent == n && alive || !end.IsZero() && !c.Now().Add(every).Before(end) {
			break
		}
		if sent == n {
			every = max(o.seconds('W'), every)
		}
		if !c.Sleep(every) {
			break
		}
	}
	c.printf("\n--- %s ping statistics ---\n%d packets transmitted, %d packets received, %d%% packet loss\n", host, sent, got, 100*(sent-got)/max(sent, 1))
	if got == 0 {
		return 1
	}
	c.printf("round-trip min/avg/max = %s/%s/%s ms\n", ms, ms, ms)
	return 0
}

// traceroute knows one hop.
func traceroute(c *Call) int {
	o, ok := c.parse("nm:q:w:I", nil, "[OPTIONS] HOST")
	if !ok {
		return 1
	}
	if len(o.rest) == 0 {
		return c.usage("[OPTIONS] HOST")
	}
	ip, ok := c.lookup(o.rest[0])
	if !ok {
		return c.fail("bad address '%s'", o.rest[0])
	}
	c.printf("traceroute to %s (%s), 30 hops max, 46 byte packets\n", o.rest[0], ip)
	if network := c.Network(); ip.IsLoopback() || network != nil && network.Alive(ip) {
		c.printf(" 1  %s (%s)  0.006 ms  0.004 ms  0.003 ms\n", o.rest[0], ip)
		return 0
	}
	for hop := 1; hop <= 30; hop++ {
		c.printf("%2d  *  *  *\n", hop)
		c.flush()
		if !c.Sleep(15 * time.Second) {
			break
		}
	}
	return 0
}
