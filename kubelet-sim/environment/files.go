package environment

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// hostsHeader opens /etc/hosts. Source: managedHostsHeader and
// managedHostsHeaderWithHostNetwork in k8s.io/kubernetes pkg/kubelet v1.37.2.
const (
	hostsHeader        = "# Kubernetes-managed hosts file.\n"
	hostsHeaderNetwork = "# Kubernetes-managed hosts file (host network).\n"
	hostsLocal         = "127.0.0.1\tlocalhost\n" +
		"::1\tlocalhost ip6-localhost ip6-loopback\n" +
		"fe00::0\tip6-localnet\n" +
		"fe00::0\tip6-mcastprefix\n" +
		"fe00::1\tip6-allnodes\n" +
		"fe00::2\tip6-allrouters\n"
)

// HostsFile is /etc/hosts. Source: managedHostsFileContent in k8s.io/kubernetes pkg/kubelet
// v1.37.2.
func HostsFile(pod *corev1.Pod, s *podstate.State, clusterDomain string) string {
	var b strings.Builder
	host, domain := Hostname(pod), ""
	if pod.Spec.Subdomain != "" {
		domain = fmt.Sprintf("%s.%s.%s.svc.%s\t", host, pod.Spec.Subdomain, pod.Namespace, clusterDomain)
	}
	if pod.Spec.HostNetwork {
		b.WriteString(hostsHeaderNetwork + hostsLocal)
		fmt.Fprintf(&b, "%s\t%s\n", s.HostIP, pod.Spec.NodeName)
	} else {
		b.WriteString(hostsHeader + hostsLocal)
		fmt.Fprintf(&b, "%s\t%s%s\n", s.IP, domain, host)
	}
	if len(pod.Spec.HostAliases) > 0 {
		b.WriteString("\n# Entries added by HostAliases.\n")
	}
	for _, alias := range pod.Spec.HostAliases {
		fmt.Fprintf(&b, "%s\t%s\n", alias.IP, strings.Join(alias.Hostnames, "\t"))
	}
	return b.String()
}

// hostnameMax bounds a host name. Unit: bytes.
const hostnameMax = 63

// Hostname is the Pod's. Source: Kubelet.GeneratePodHostNameAndDomain in k8s.io/kubernetes
// pkg/kubelet v1.37.2.
func Hostname(pod *corev1.Pod) string {
	name := pod.Name
	switch {
	case pod.Spec.HostnameOverride != nil:
		name = *pod.Spec.HostnameOverride
	case pod.Spec.Hostname != "":
		name = pod.Spec.Hostname
	case pod.Spec.HostNetwork:
		name = pod.Spec.NodeName
	}
	if len(name) > hostnameMax {
		name = strings.TrimRight(name[:hostnameMax], "-.")
	}
	return name
}

// ResolvConf is /etc/resolv.conf. Source: Configurer.GetPodDNS in
// k8s.io/kubernetes pkg/kubelet/network/dns v1.37.2.
func ResolvConf(pod *corev1.Pod, clusterDomain, clusterDNS string) string {
	var servers, searches, options []string
	policy := pod.Spec.DNSPolicy
	switch {
	case policy == corev1.DNSNone:
	case policy == corev1.DNSDefault, policy == corev1.DNSClusterFirst && pod.Spec.HostNetwork:
		servers = []string{"10.0.0.2"} // the made-up resolver of the nodes
	default:
		servers = []string{clusterDNS}
		searches = []string{pod.Namespace + ".svc." + clusterDomain, "svc." + clusterDomain, clusterDomain}
		options = []string{"ndots:5"}
	}
	if c := pod.Spec.DNSConfig; c != nil {
		servers, searches = unique(servers, c.Nameservers), unique(searches, c.Searches)
		options = mergeOptions(options, c.Options)
	}
	var b strings.Builder
	if len(searches) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(searches, " "))
	}
	for _, server := range servers {
		fmt.Fprintf(&b, "nameserver %s\n", server)
	}
	if len(options) > 0 {
		fmt.Fprintf(&b, "options %s\n", strings.Join(options, " "))
	}
	return b.String()
}

func unique(a, b []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, s := range append(a[:len(a):len(a)], b...) {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// mergeOptions appends more, which win over base.
func mergeOptions(base []string, more []corev1.PodDNSConfigOption) []string {
	var out []string
	for _, old := range base {
		name, _, _ := strings.Cut(old, ":")
		replaced := false
		for _, o := range more {
			replaced = replaced || o.Name == name
		}
		if !replaced {
			out = append(out, old)
		}
	}
	for _, o := range more {
		if o.Value != nil && *o.Value != "" {
			out = append(out, o.Name+":"+*o.Value)
		} else {
			out = append(out, o.Name)
		}
	}
	return out
}
