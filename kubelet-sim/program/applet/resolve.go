package applet

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// resolver is /etc/resolv.conf.
type resolver struct {
	servers, search []string
	ndots           int
}

// resolvMax bounds what is read of /etc/resolv.conf. Unit: bytes.
const resolvMax = 64 << 10

func (c *Call) resolver() resolver {
	r := resolver{ndots: 1}
	data, _ := c.Contents("/etc/resolv.conf")
	for line := range strings.Lines(string(data[:min(len(data), resolvMax)])) {
		c.Work(4 * len(line))
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "nameserver":
			r.servers = append(r.servers, words[1])
		case "search":
			r.search = words[1:]
		case "options":
			for _, o := range words[1:] {
				if n, err := strconv.Atoi(strings.TrimPrefix(o, "ndots:")); err == nil {
					r.ndots = n
				}
			}
		}
	}
	return r
}

// candidates are the full names that a name may mean, in the order of the C
// library.
func (r resolver) candidates(name string) []string {
	if full, ok := strings.CutSuffix(name, "."); ok {
		return []string{full}
	}
	var all []string
	for _, domain := range r.search {
		all = append(all, name+"."+strings.TrimSuffix(domain, "."))
	}
	if strings.Count(name, ".") >= r.ndots {
		return append([]string{name}, all...)
	}
	return append(all, name)
}

// query asks the nameservers for a full name.
func (c *Call) query(name string, t kernel.RecordType) kernel.Answer {
	n := c.Network()
	if n == nil || len(c.resolver().servers) == 0 {
		return kernel.Answer{Code: kernel.SERVFAIL}
	}
	c.Step(1)
	return n.Query(name, t)
}

// hosts looks a name up in /etc/hosts; canonical is the first name there.
func (c *Call) hosts(name string) (addr netip.Addr, canonical string, ok bool) {
	data, _ := c.Contents("/etc/hosts")
	for line := range strings.Lines(string(data[:min(len(data), databaseMax)])) {
		c.Work(8 * len(line))
		text, _, _ := strings.Cut(line, "#")
		words := strings.Fields(text)
		for i := 1; i < len(words); i++ {
			if a, err := netip.ParseAddr(words[0]); err == nil && a.Is4() && strings.EqualFold(words[i], name) {
				return a, words[1], true
			}
		}
	}
	if name == "localhost" {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), name, true
	}
	return netip.Addr{}, "", false
}

// resolve finds the addresses of a host as getaddrinfo(3) does, and its full
// name.
func (c *Call) resolve(host string) (list []netip.Addr, canonical string) {
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return []netip.Addr{a}, host
	}
	if a, name, ok := c.hosts(host); ok {
		return []netip.Addr{a}, name
	}
	for _, name := range c.resolver().candidates(host) {
		answer := c.query(name, kernel.A)
		for _, r := range answer.Records {
			if a, err := netip.ParseAddr(r.Value); err == nil && r.Type == kernel.A {
				list = append(list, a)
				canonical = r.Name
			}
		}
		if len(list) > 0 {
			return list, canonical
		}
	}
	return nil, ""
}

// lookup resolves a host to its first address; ok is false if there is no such
// name.
func (c *Call) lookup(host string) (netip.Addr, bool) {
	list, _ := c.resolve(host)
	if len(list) == 0 {
		return netip.Addr{}, false
	}
	return list[0], true
}

// reverseName is the name whose PTR record names an address.
func reverseName(a netip.Addr) string {
	a = a.Unmap()
	if a.Is4() {
		name := "in-addr.arpa"
		for _, n := range a.AsSlice() {
			name = strconv.Itoa(int(n)) + "." + name
		}
		return name
	}
	name := "ip6.arpa"
	for _, n := range a.AsSlice() {
		name = fmt.Sprintf("%x.%x.", n&0xf, n>>4) + name
	}
	return name
}
