package environment

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func TestHostname(t *testing.T) {
	long := strings.Repeat("a", 62) + "-b"
	for name, tc := range map[string]struct {
		change func(*corev1.PodSpec)
		want   string
	}{
		"the Pod's name":                      {nil, "web-0"},
		"spec.hostname":                       {func(s *corev1.PodSpec) { s.Hostname = "db" }, "db"},
		"in the node's network, the node's":   {func(s *corev1.PodSpec) { s.HostNetwork = true }, "node-1"},
		"spec.hostnameOverride wins":          {func(s *corev1.PodSpec) { s.Hostname = "db"; s.HostnameOverride = new("own.example.org") }, "own.example.org"},
		"63 characters at most, and no - end": {func(s *corev1.PodSpec) { s.Hostname = long }, long[:62]},
	} {
		if got := Hostname(pod(tc.change)); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

func TestHostsFile(t *testing.T) {
	const local = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n"
	for name, tc := range map[string]struct {
		change func(*corev1.PodSpec)
		want   string
	}{
		"a Pod":              {nil, "# Kubernetes-managed hosts file.\n" + local + "10.244.0.7\tweb-0\n"},
		"with a subdomain":   {func(s *corev1.PodSpec) { s.Subdomain = "db" }, "# Kubernetes-managed hosts file.\n" + local + "10.244.0.7\tweb-0.db.work.svc.cluster.local\tweb-0\n"},
		"the node's network": {func(s *corev1.PodSpec) { s.HostNetwork = true }, "# Kubernetes-managed hosts file (host network).\n" + local + "10.0.0.11\tnode-1\n"},
		"with aliases": {func(s *corev1.PodSpec) {
			s.HostAliases = []corev1.HostAlias{{IP: "1.2.3.4", Hostnames: []string{"foo", "bar"}}, {IP: "1.2.3.5", Hostnames: []string{"baz"}}}
		}, "# Kubernetes-managed hosts file.\n" + local + "10.244.0.7\tweb-0\n\n# Entries added by HostAliases.\n1.2.3.4\tfoo\tbar\n1.2.3.5\tbaz\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, HostsFile(pod(tc.change), state(), "cluster.local")); diff != "" {
				t.Errorf("/etc/hosts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestResolvConf(t *testing.T) {
	const cluster = "search work.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n"
	policy := func(p corev1.DNSPolicy, host bool, config *corev1.PodDNSConfig) func(*corev1.PodSpec) {
		return func(s *corev1.PodSpec) { s.DNSPolicy, s.HostNetwork, s.DNSConfig = p, host, config }
	}
	for name, tc := range map[string]struct {
		change func(*corev1.PodSpec)
		want   string
	}{
		"ClusterFirst":                       {policy(corev1.DNSClusterFirst, false, nil), cluster},
		"ClusterFirst in the node's network": {policy(corev1.DNSClusterFirst, true, nil), "nameserver 10.0.0.2\n"},
		"ClusterFirstWithHostNet":            {policy(corev1.DNSClusterFirstWithHostNet, true, nil), cluster},
		"Default is the node's":              {policy(corev1.DNSDefault, false, nil), "nameserver 10.0.0.2\n"},
		"None":                               {policy(corev1.DNSNone, false, nil), ""},
		"None with a config": {policy(corev1.DNSNone, false, &corev1.PodDNSConfig{
			Nameservers: []string{"1.1.1.1"}, Searches: []string{"example.org"}, Options: []corev1.PodDNSConfigOption{{Name: "ndots", Value: new("2")}, {Name: "edns0"}},
		}), "search example.org\nnameserver 1.1.1.1\noptions ndots:2 edns0\n"},
		"a config adds, and its options win": {policy(corev1.DNSClusterFirst, false, &corev1.PodDNSConfig{
			Nameservers: []string{"10.96.0.10", "1.1.1.1"}, Searches: []string{"cluster.local", "example.org"}, Options: []corev1.PodDNSConfigOption{{Name: "ndots", Value: new("1")}},
		}), "search work.svc.cluster.local svc.cluster.local cluster.local example.org\nnameserver 10.96.0.10\nnameserver 1.1.1.1\noptions ndots:1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, ResolvConf(pod(tc.change), "cluster.local", "10.96.0.10")); diff != "" {
				t.Errorf("/etc/resolv.conf (-want +got):\n%s", diff)
			}
		})
	}
}
