package lifecycle

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/environment"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// makeRoot makes a container's file system: the image's, the files that the
// kubelet manages and the volumes.
func (r *Reconciler) makeRoot(run *podRun, c *corev1.Container, vars map[string]string, now time.Time) (*vfs.FS, error) {
	root, err := r.cfg.Runtime.Root(c.Image, now)
	if err != nil {
		return nil, err
	}
	for _, file := range [...]struct{ name, text string }{
		{"/etc/hosts", environment.HostsFile(run.pod, &run.State, r.cfg.ClusterDomain)},
		{"/etc/resolv.conf", environment.ResolvConf(run.pod, r.cfg.ClusterDomain, r.cfg.ClusterDNS)},
	} {
		if err := root.WriteFile(file.name, []byte(file.text), 0o644, now); err != nil {
			return nil, err
		}
	}
	if err := run.volumes.Mount(root, c, vars, now); err != nil {
		return nil, err
	}
	return root, nil
}
