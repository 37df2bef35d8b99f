package applet

import (
	"net/netip"
	"testing"
)

func TestReverseName(t *testing.T) {
	for address, want := range map[string]string{
		"10.96.0.10":         "10.0.96.10.in-addr.arpa",
		"::ffff:10.96.0.10":  "10.0.96.10.in-addr.arpa",
		"2001:db8::567:89ab": "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", // RFC 3596
	} {
		if got := reverseName(netip.MustParseAddr(address)); got != want {
			t.Errorf("reverseName(%s) = %s, want %s", address, got, want)
		}
	}
}
