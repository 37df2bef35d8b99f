package static

import (
	"bytes"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
)

// manifestDir is the kubelets' staticPodPath, as kubeadm configures it.
const manifestDir = "/etc/kubernetes/manifests"

// manifestMax bounds a manifest. Unit: bytes. Source: maxConfigLength in
// k8s.io/kubernetes pkg/kubelet/config v1.37.2.
const manifestMax = 10 << 20

// Files are the file system of a node, and the manifests that are in it.
type Files struct {
	node, dns string
	// watch is told when a file may have changed; nil for nobody.
	watch func()
	// pays is charged with the files.
	pays stats.Part
	// host is made when somebody first looks at it.
	host *vfs.FS
	// manifests are the files as they were last looked at; nil while there never was one.
	manifests map[string]Manifest
	// mirrors are the mirror Pods that run on the node.
	mirrors map[types.NamespacedName]bool
	// recalled: the manifests are of before the server was started again.
	recalled bool
}

// NewFiles returns those of a node. dns is the cluster's name server; watch is told when a
// file may have changed, unless it is nil; pays is charged with what the files hold.
func NewFiles(node, dns string, pays stats.Part, watch func()) *Files {
	return &Files{node: node, dns: dns, watch: watch, pays: pays, mirrors: map[types.NamespacedName]bool{}}
}

// FS is the node's own file system, which is made when somebody first looks at it.
func (n *Files) FS(now time.Time) *vfs.FS {
	if n.host == nil {
		n.host = nodeFS(n.dns, now)
		n.host.Watch = n.watch
		n.host.Charge(n.pays)
		n.restore(now)
	}
	return n.host
}

// Made is the file system if somebody has looked at it, else nil.
func (n *Files) Made() *vfs.FS { return n.host }

// Read takes the manifests over as they are now and reports whether one has changed.
// Source: sourceFile.extractFromDir in k8s.io/kubernetes pkg/kubelet/config v1.37.2.
func (n *Files) Read(now time.Time) bool {
	found, changed := map[string]Manifest{}, false
	list, _ := n.host.ReadDir(manifestDir, vfs.User{}) // without the directory there are none
	for i := range list {
		name := list[i].Name()
		data, ok := readManifest(n.host, path.Join(manifestDir, name))
		if !ok || strings.HasPrefix(name, ".") {
			continue
		}
		old, known := n.manifests[name]
		if known && bytes.Equal(old.Data, data) {
			found[name] = old
			continue
		}
		found[name], changed = newManifest(path.Join(manifestDir, name), data, n.node, now), true
	}
	if !changed && len(found) == len(n.manifests) {
		return false
	}
	n.manifests = found
	return true
}

// readManifest reads a regular file; a link is followed.
func readManifest(host *vfs.FS, name string) ([]byte, bool) {
	info, err := host.Stat(name, vfs.User{})
	if err != nil || !info.Mode().IsRegular() || info.Size() > manifestMax {
		return nil, false
	}
	file, err := host.Open(name, vfs.Read, 0, vfs.User{})
	if err != nil {
		return nil, false
	}
	data, err := io.ReadAll(file)
	return data, err == nil
}

// Recall takes the manifests of before a restart over.
func (n *Files) Recall(manifests map[string]Manifest) {
	if manifests == nil {
		return
	}
	n.manifests, n.recalled = map[string]Manifest{}, true
	for name, m := range manifests {
		n.manifests[name] = newManifest(path.Join(manifestDir, name), m.Data, n.node, m.Seen)
	}
}

// RestoreManifests puts manifests of before a restart back where they were, after all
// programs have been run again.
func (n *Files) RestoreManifests(now time.Time) {
	if n.host != nil {
		n.restore(now)
	}
}

func (n *Files) restore(now time.Time) {
	if !n.recalled {
		return
	}
	root := vfs.User{Now: now}
	_ = n.host.RemoveAll(manifestDir, root)
	_ = n.host.MkdirAll(manifestDir, 0o755, root) // there was room for all that
	for _, name := range slices.Sorted(maps.Keys(n.manifests)) {
		_ = n.host.WriteFile(path.Join(manifestDir, name), n.manifests[name].Data, 0o600, now)
	}
}

// Manifests are those that Recall takes.
func (n *Files) Manifests() map[string]Manifest { return n.manifests }

// wanted are the static Pods that the manifests describe. Of two with one name the
// last file's counts.
func (n *Files) wanted() map[types.NamespacedName]*corev1.Pod {
	pods := map[types.NamespacedName]*corev1.Pod{}
	for _, file := range slices.Sorted(maps.Keys(n.manifests)) {
		if pod := n.manifests[file].pod; pod != nil {
			pods[types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}] = pod
		}
	}
	return pods
}

// NoteMirror notes that a static Pod runs, and reports whether it should not: its manifest is
// gone.
func (n *Files) NoteMirror(name types.NamespacedName) (unwanted bool) {
	n.mirrors[name] = true
	return n.wanted()[name] == nil
}

// DropMirror notes that it does not run any more.
func (n *Files) DropMirror(name types.NamespacedName) { delete(n.mirrors, name) }
