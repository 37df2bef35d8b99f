package static

import (
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// kubeletConfig is the part of a kubelet's configuration that people look up.
func kubeletConfig(dns string) string {
	return `apiVersion: kubelet.config.k8s.io/v1beta1
clusterDNS:
- ` + dns + `
clusterDomain: cluster.local
fileCheckFrequency: 0s
kind: KubeletConfiguration
staticPodPath: ` + manifestDir + `
syncFrequency: 0s
`
}

// nodeFS is a node's own file system, as hostPath volumes first see it.
//
// Deviation: it holds the usual directories, /etc/hosts and the kubelet's configuration,
// which nobody reads, and nothing else.
func nodeFS(dns string, now time.Time) *vfs.FS {
	host, root := vfs.New("ext4", now), vfs.User{Now: now}
	for _, dir := range [...]string{"/etc", manifestDir, "/home", "/mnt", "/opt", "/run", "/srv", "/tmp", "/usr", "/var/lib", "/var/log"} {
		_ = host.MkdirAll(dir, 0o755, root) // an empty file system has room
	}
	_ = host.WriteFile("/etc/hosts", []byte("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"), 0o644, now)
	_ = host.WriteFile("/var/lib/kubelet/config.yaml", []byte(kubeletConfig(dns)), 0o644, now)
	return host
}
