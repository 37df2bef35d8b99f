package lifecycle

import (
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// nodeFS is a node's own file system, as hostPath volumes first see it.
//
// Deviation: it holds the usual directories and /etc/hosts, and nothing else.
func nodeFS(now time.Time) *vfs.FS {
	host, root := vfs.New("ext4", now), vfs.User{Now: now}
	for _, dir := range [...]string{"/etc", "/home", "/mnt", "/opt", "/run", "/srv", "/tmp", "/usr", "/var/lib", "/var/log"} {
		_ = host.MkdirAll(dir, 0o755, root) // an empty file system has room
	}
	_ = host.WriteFile("/etc/hosts", []byte("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"), 0o644, now)
	return host
}
