package apiserver

import (
	"strings"
	"testing"
)

func TestParseServiceRange(t *testing.T) {
	for text, want := range map[string]string{
		"":                "10.96.0.0/12 10.96.0.1 10.96.0.10",
		"172.20.0.0/16":   "172.20.0.0/16 172.20.0.1 172.20.0.10",
		"172.20.7.9/16":   "172.20.0.0/16 172.20.0.1 172.20.0.10",
		"192.168.7.16/28": "192.168.7.16/28 192.168.7.17 192.168.7.26",
		"172.20.0.0/29":   "172.20.0.0/29 172.20.0.1 169.254.20.10",
	} {
		r, err := ParseServiceRange(text)
		if got := r.String() + " " + r.Kubernetes.String() + " " + r.DNS.String(); err != nil || got != want {
			t.Errorf("%q: %s (%v), want %s", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"10.96.0.0":               "is not a valid CIDR",
		"ten":                     "is not a valid CIDR",
		"10.0.0.0/8":              "is too large; for 32-bit addresses, the mask must be >= 12",
		"172.20.0.0/30":           "the service cluster IP range must be at least 8 IP addresses",
		"fd00::/112":              "want a range of IPv4",
		"10.96.0.0/12,fd00::/112": "want one range",
	} {
		if _, err := ParseServiceRange(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
