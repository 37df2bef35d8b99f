package applet

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// dnsArgs are what nslookup and its like are asked.
type dnsArgs struct {
	types   []kernel.RecordType
	name    string
	servers []string
}

func (c *Call) dnsArgs() (dnsArgs, bool) {
	a := dnsArgs{servers: c.resolver().servers}
	var words []string
	for _, arg := range c.Args {
		lower := strings.ToLower(strings.TrimLeft(arg, "-"))
		switch {
		case !strings.HasPrefix(arg, "-"):
			words = append(words, arg)
		case strings.HasPrefix(lower, "type="), strings.HasPrefix(lower, "query="), strings.HasPrefix(lower, "q="):
			a.types = append(a.types, kernel.RecordType(strings.ToUpper(lower[strings.IndexByte(lower, '=')+1:])))
		}
	}
	if len(words) == 0 {
		return a, false
	}
	a.name = words[0]
	if len(words) > 1 {
		a.servers = words[1:2]
	}
	return a, true
}

// nslookup is busybox's since 1.29: it asks for addresses of both families, and
// where a name has no dot, in every search domain, and tells of each question.
func nslookup(c *Call) int {
	a, ok := c.dnsArgs()
	if !ok {
		return c.usage("[-type=QUERY_TYPE] [-debug] HOST [DNS_SERVER]")
	}
	if c.style == GNU {
		return c.nslookupBind(a)
	}
	if len(a.servers) == 0 || c.Network() == nil {
		c.print(";; connection timed out; no servers could be reached\n\n")
		return 1
	}
	server := a.servers[0]
	if ip, ok := c.lookup(server); ok {
		server = ip.String()
	}
	c.printf("Server:\t\t%s\nAddress:\t%s:53\n\n", a.servers[0], server)
	names := []string{strings.TrimSuffix(a.name, ".")}
	addr, err := netip.ParseAddr(a.name)
	switch {
	case err == nil:
		names, a.types = []string{reverseName(addr)}, []kernel.RecordType{kernel.PTR}
	case !strings.Contains(a.name, ".") && len(c.resolver().search) > 0:
		names = names[:0]
		for _, domain := range c.resolver().search {
			names = append(names, a.name+"."+domain)
		}
	}
	if len(a.types) == 0 {
		a.types = []kernel.RecordType{kernel.A, kernel.AAAA}
	}
	code := 0
	for _, t := range a.types {
		for _, name := range names {
			if answer := c.query(name, t); answer.Code != kernel.NOERROR {
				c.printf("** server can't find %s: %s\n\n", name, answer.Code)
				code = 1
			} else {
				c.records(answer)
			}
		}
	}
	return code
}

// records prints an answer as nslookup does.
func (c *Call) records(answer kernel.Answer) {
	for _, r := range answer.Records {
		switch r.Type {
		case kernel.A, kernel.AAAA:
			c.printf("Name:\t%s\nAddress: %s\n", r.Name, r.Value)
		case kernel.CNAME:
			c.printf("%s\tcanonical name = %s\n", r.Name, r.Value)
		case kernel.PTR:
			c.printf("%s\tname = %s\n", r.Name, r.Value)
		case kernel.SRV:
			c.printf("%s\tservice = %s\n", r.Name, r.Value)
		}
	}
	c.print("\n")
}

// nslookupBind is that of bind9-dnsutils, which stops at the first name that is
// there.
func (c *Call) nslookupBind(a dnsArgs) int {
	if len(a.servers) == 0 || c.Network() == nil {
		c.print(";; connection timed out; no servers could be reached\n\n")
		return 1
	}
	t := kernel.A
	if len(a.types) > 0 {
		t = a.types[0]
	}
	names := c.resolver().candidates(a.name)
	if addr, err := netip.ParseAddr(a.name); err == nil {
		names, t = []string{reverseName(addr)}, kernel.PTR
	} else {
		c.printf("Server:\t\t%s\nAddress:\t%s#53\n\n", a.servers[0], a.servers[0])
	}
	for _, name := range names {
		if answer := c.query(name, t); answer.Code == kernel.NOERROR {
			if len(answer.Records) == 0 {
				c.printf("*** Can't find %s: No answer\n\n", a.name)
				return 0
			}
			c.records(answer)
			return 0
		}
	}
	c.printf("** server can't find %s: NXDOMAIN\n\n", a.name)
	return 1
}

// nslookupOld is busybox's up to 1.28, which asks the C library.
func nslookupOld(c *Call) int {
	a, ok := c.dnsArgs()
	if !ok {
		return c.usage("[HOST] [SERVER]")
	}
	line := func(label string, addr netip.Addr) {
		answer := c.query(reverseName(addr), kernel.PTR)
		name := ""
		for _, r := range answer.Records[:min(len(answer.Records), 1)] {
			name = " " + r.Value
		}
		c.printf("%-10s %s%s\n", label, addr, name)
	}
	server := "0.0.0.0"
	if len(a.servers) > 0 {
		server = a.servers[0]
	}
	c.printf("%-10s %s\n", "Server:", server)
	if ip, ok := c.lookup(server); ok {
		line("Address 1:", ip)
	}
	c.print("\n")
	list, _ := c.resolve(a.name)
	if len(list) == 0 {
		return c.fail("can't resolve '%s'", a.name)
	}
	c.printf("%-10s %s\n", "Name:", a.name)
	for i, addr := range list {
		line(fmt.Sprintf("Address %d:", i+1), addr)
	}
	return 0
}

// dig prints answers as bind's does.
func dig(c *Call) int {
	var name string
	t, short, search := kernel.A, false, false
	server := ""
	if s := c.resolver().servers; len(s) > 0 {
		server = s[0]
	}
	for i := 0; i < len(c.Args); i++ {
		a := c.Args[i]
		switch upper := kernel.RecordType(strings.ToUpper(a)); {
		case a == "+short":
			short = true
		case a == "+search":
			search = true
		case strings.HasPrefix(a, "@"):
			server = a[1:]
		case a == "-x" && i+1 < len(c.Args):
			i++
			if addr, err := netip.ParseAddr(c.Args[i]); err == nil && addr.Is4() {
				name, t = reverseName(addr), kernel.PTR
			}
		case upper == kernel.A, upper == kernel.AAAA, upper == kernel.SRV, upper == kernel.CNAME, upper == kernel.PTR:
			t = upper
		case !strings.HasPrefix(a, "+") && !strings.HasPrefix(a, "-"):
			name = strings.TrimSuffix(a, ".")
		}
	}
	if c.Network() == nil || server == "" {
		c.print(";; communications error: timed out\n;; no servers could be reached\n")
		return 9
	}
	names := []string{name}
	if search {
		names = c.resolver().candidates(name)
	}
	answer := kernel.Answer{Code: kernel.NXDOMAIN}
	for _, name = range names {
		if answer = c.query(name, t); answer.Code == kernel.NOERROR {
			break
		}
	}
	if short {
		for _, r := range answer.Records {
			c.print(r.Value + digDot(r.Type) + "\n")
		}
		return 0
	}
	c.printf("\n; <<>> DiG 9.18.33 <<>> %s\n;; global options: +cmd\n;; Got answer:\n;; ->>HEADER<<- opcode: QUERY, status: %s, id: %d\n", strings.Join(c.Args, " "), answer.Code, c.Machine().Random()%65536)
	c.printf(";; flags: qr aa rd; QUERY: 1, ANSWER: %d, AUTHORITY: 0, ADDITIONAL: 1\n\n;; QUESTION SECTION:\n;%s.\t\tIN\t%s\n\n", len(answer.Records), name, t)
	if len(answer.Records) > 0 {
		c.print(";; ANSWER SECTION:\n")
		for _, r := range answer.Records {
			c.printf("%s.\t30\tIN\t%s\t%s%s\n", r.Name, r.Type, r.Value, digDot(r.Type))
		}
		c.print("\n")
	}
	c.printf(";; Query time: 1 msec\n;; SERVER: %s#53(%s) (UDP)\n;; WHEN: %s\n;; MSG SIZE  rcvd: %d\n\n", server, server, c.Now().UTC().Format("Mon Jan 02 15:04:05 UTC 2006"), 56+16*len(answer.Records))
	return 0
}

func digDot(t kernel.RecordType) string {
	if t == kernel.A || t == kernel.AAAA {
		return ""
	}
	return "."
}

// hostApplet is bind's host.
func hostApplet(c *Call) int {
	a, ok := c.dnsArgs()
	if !ok {
		return c.usage("name [server]")
	}
	if addr, err := netip.ParseAddr(a.name); err == nil && addr.Is4() {
		answer := c.query(reverseName(addr), kernel.PTR)
		for _, r := range answer.Records {
			c.printf("%s domain name pointer %s.\n", r.Name, r.Value)
		}
		if len(answer.Records) > 0 {
			return 0
		}
		c.printf("Host %s. not found: 3(NXDOMAIN)\n", reverseName(addr))
		return 1
	}
	for _, name := range c.resolver().candidates(a.name) {
		answer := c.query(name, kernel.A)
		for _, r := range answer.Records {
			if r.Type == kernel.CNAME {
				c.printf("%s is an alias for %s.\n", r.Name, r.Value)
				continue
			}
			c.printf("%s has address %s\n", r.Name, r.Value)
		}
		if len(answer.Records) > 0 {
			return 0
		}
	}
	c.printf("Host %s not found: 3(NXDOMAIN)\n", a.name)
	return 1
}

// getent knows the databases hosts, ahosts, passwd and group.
func getent(c *Call) int {
	if len(c.Args) < 2 {
		return c.usage("DATABASE KEY...")
	}
	code := 0
	for _, key := range c.Args[1:] {
		found := false
		switch c.Args[0] {
		case "hosts", "ahosts", "ahostsv4":
			list, name := c.resolve(key)
			for _, addr := range list {
				found = true
				if c.Args[0] == "hosts" {
					c.printf("%-15s %s\n", addr, name)
					continue
				}
				c.printf("%-15s STREAM %s\n%-15s DGRAM  \n%-15s RAW    \n", addr, name, addr, addr)
			}
		case "passwd", "group":
			data, _ := c.ReadFile("/etc/"+c.Args[0], databaseMax)
			for line := range strings.Lines(string(data)) {
				c.Work(8 * len(line))
				if f := strings.Split(line, ":"); f[0] == key || len(f) > 2 && f[2] == key {
					c.print(line)
					found = true
				}
			}
		default:
			c.printf("Unknown database: %s\n", c.Args[0])
			return 1
		}
		if !found {
			code = 2
		}
	}
	return code
}
