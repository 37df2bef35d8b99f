package lifecycle

import (
	"bytes"
	"context"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// A file that appears in manifestDir of a node's own file system, because a Pod with
// a hostPath volume has put it there, becomes a static Pod. The API shows it as a
// mirror Pod, which is made again when somebody deletes it. The Pod ends when its
// file is removed, and is another one when the file is changed.
//
// Deviation: a static Pod runs only as long as it can have a mirror Pod, because what
// runs here runs for an object of the API.

// manifestDir is the kubelets' staticPodPath, as kubeadm configures it.
const manifestDir = "/etc/kubernetes/manifests"

// manifestMax bounds a manifest. Unit: bytes. Source: maxConfigLength in
// k8s.io/kubernetes pkg/kubelet/config v1.37.2.
const manifestMax = 10 << 20

// mirrorRetry is how long the kubelet waits before it tries again to make a mirror
// Pod. Unit: virtual time. Source: syncFrequency in k8s.io/kubernetes pkg/kubelet
// v1.37.2.
const mirrorRetry = time.Minute

// staticPods are those of one node.
type staticPods struct {
	// manifests are the files as they were last looked at; nil while there never was one.
	manifests map[string]manifest
	// mirrors are the mirror Pods that run on the node.
	mirrors map[types.NamespacedName]bool
	// recalled: the manifests are of before the server was started again.
	recalled bool
}

// noteWritten notes that a file of a node may have changed.
func (r *Reconciler) noteWritten(n *nodeState) {
	if !n.written {
		n.written = true
		r.written = append(r.written, n)
	}
}

// lookAtManifests is what inotify tells a kubelet: it looks at the nodes whose files
// may have changed in the step that ends. A node whose manifests have gets a step.
func (r *Reconciler) lookAtManifests(now time.Time) {
	if !r.looked {
		r.looked = true
		for _, name := range slices.Sorted(maps.Keys(r.nodes)) {
			if n := r.nodes[name]; n.static.recalled && n.host != nil {
				n.static.restore(n.host, now) // after all programs have been run again
			}
		}
	}
	for _, n := range r.written {
		n.written = false
		if n.static.read(n.host, n.Name, now) {
			r.cfg.Engine.Poke(r.nodeKey(n))
		}
	}
	r.written = r.written[:0]
}

// read takes the manifests over as they are now and reports whether one has changed.
// Source: sourceFile.extractFromDir in k8s.io/kubernetes pkg/kubelet/config v1.37.2.
func (s *staticPods) read(host *vfs.FS, nodeName string, now time.Time) bool {
	found, changed := map[string]manifest{}, false
	list, _ := host.ReadDir(manifestDir, vfs.User{}) // without the directory there are none
	for i := range list {
		name := list[i].Name()
		data, ok := readManifest(host, path.Join(manifestDir, name))
		if !ok || strings.HasPrefix(name, ".") {
			continue
		}
		old, known := s.manifests[name]
		if known && bytes.Equal(old.Data, data) {
			found[name] = old
			continue
		}
		found[name], changed = newManifest(path.Join(manifestDir, name), data, nodeName, now), true
	}
	if !changed && len(found) == len(s.manifests) {
		return false
	}
	s.manifests = found
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

// recall takes the manifests of before a restart over.
func (s *staticPods) recall(manifests map[string]manifest, nodeName string) {
	if manifests == nil {
		return
	}
	s.manifests, s.recalled = map[string]manifest{}, true
	for name, m := range manifests {
		s.manifests[name] = newManifest(path.Join(manifestDir, name), m.Data, nodeName, m.Seen)
	}
}

// restore puts manifests of before a restart back where they were.
func (s *staticPods) restore(host *vfs.FS, now time.Time) {
	if !s.recalled {
		return
	}
	root := vfs.User{Now: now}
	_ = host.RemoveAll(manifestDir, root)
	_ = host.MkdirAll(manifestDir, 0o755, root) // there was room for all that
	for _, name := range slices.Sorted(maps.Keys(s.manifests)) {
		_ = host.WriteFile(path.Join(manifestDir, name), s.manifests[name].Data, 0o600, now)
	}
}

// wanted are the static Pods that the manifests describe. Of two with one name the
// last file's counts.
func (s *staticPods) wanted() map[types.NamespacedName]*corev1.Pod {
	pods := map[types.NamespacedName]*corev1.Pod{}
	for _, file := range slices.Sorted(maps.Keys(s.manifests)) {
		if pod := s.manifests[file].pod; pod != nil {
			pods[types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}] = pod
		}
	}
	return pods
}

// noteMirror counts a static Pod that runs among its node's, which looks at whether
// it should.
func (r *Reconciler) noteMirror(run *podRun) {
	if podstate.IsMirror(run.pod) {
		run.node.static.mirrors[run.name] = true
		if !run.Retired && run.pod.DeletionTimestamp != nil || run.node.static.wanted()[run.name] == nil {
			r.cfg.Engine.Poke(r.nodeKey(run.node))
		}
	}
}

// outlives reports whether a static Pod stays although its mirror Pod is gone.
func (r *podRun) outlives() bool { return podstate.IsMirror(r.pod) && !r.Retired }

// mirrorStep is what has to be done about a static Pod.
type mirrorStep int

const (
	mirrorKeep mirrorStep = iota
	// mirrorCreate makes a mirror Pod, mirrorAgain makes it anew.
	mirrorCreate
	mirrorAgain
	// mirrorRetire ends the static Pod that a mirror Pod shows.
	mirrorRetire
)

// decideMirror says what to do about a static Pod, nil if there should be none,
// and the Pod of its name in the API, nil if there is none. Source: Kubelet.SyncPod and
// Kubelet.HandlePodCleanups in k8s.io/kubernetes pkg/kubelet v1.37.2.
func decideMirror(static, have *corev1.Pod) mirrorStep {
	switch {
	case have == nil && static == nil:
		return mirrorKeep
	case have == nil:
		return mirrorCreate
	case static == nil && podstate.IsMirror(have), static != nil && podstate.IsMirror(have) && podstate.HashOf(have) != string(static.UID):
		return mirrorRetire
	case static != nil && podstate.IsMirror(have) && have.DeletionTimestamp != nil:
		return mirrorAgain
	case static != nil && !podstate.IsMirror(have):
		return mirrorCreate // which fails, and is tried again
	}
	return mirrorKeep
}

// syncStatic brings a node's static Pods and their mirror Pods in line with its
// manifests.
func (r *Reconciler) syncStatic(ctx context.Context, n *nodeState, obj *corev1.Node, now time.Time) engine.Wake {
	if len(n.static.manifests) == 0 && len(n.static.mirrors) == 0 {
		return engine.Wake{}
	}
	r.tellBroken(ctx, n, obj)
	wanted := n.static.wanted()
	names := slices.Collect(maps.Keys(wanted))
	for name := range n.static.mirrors {
		if wanted[name] == nil {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) })
	var wake engine.Wake
	for _, name := range names {
		if err := r.syncMirror(ctx, n, obj, name, wanted[name]); err != nil {
			n.event(ctx, obj, event.FailedMirrorPod(name.String(), err))
			wake = engine.Poll(now.Add(mirrorRetry))
		}
	}
	return wake
}

func (r *Reconciler) syncMirror(ctx context.Context, n *nodeState, obj *corev1.Node, name types.NamespacedName, static *corev1.Pod) error {
	have, _ := engine.Get[*corev1.Pod](r.view, engine.Pods, name.Namespace, name.Name)
	if have != nil && have.Spec.NodeName != n.Name && static == nil {
		have = nil
	}
	if run := r.runs[name]; have == nil && run != nil && run.Retired {
		return nil // its name is not free yet
	}
	switch decideMirror(static, have) {
	case mirrorRetire:
		return r.retire(ctx, n, name, have)
	case mirrorAgain:
		if err := r.deleteMirror(ctx, n, have); err != nil {
			return err
		}
		return r.createMirror(ctx, n, obj, name, static)
	case mirrorCreate:
		return r.createMirror(ctx, n, obj, name, static)
	}
	return nil
}

// retire ends a static Pod; its mirror Pod goes last. One that does not run, because
// somebody has made a mirror Pod of nothing, goes at once.
func (r *Reconciler) retire(ctx context.Context, n *nodeState, name types.NamespacedName, mirror *corev1.Pod) error {
	run := r.runs[name]
	if run == nil {
		return r.deleteMirror(ctx, n, mirror)
	}
	if !run.Retired {
		run.Retired = true
		r.cfg.Engine.Poke(r.key(name))
	}
	return nil
}

func (r *Reconciler) deleteMirror(ctx context.Context, n *nodeState, mirror *corev1.Pod) error {
	err := r.cfg.API.Delete(ctx, node.Identity(n.Name), engine.Pods, types.NamespacedName{Namespace: mirror.Namespace, Name: mirror.Name},
		metav1.DeleteOptions{GracePeriodSeconds: new(int64), Preconditions: metav1.NewUIDPreconditions(string(mirror.UID))})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// createMirror makes a mirror Pod. Where that cannot be, the static Pod ends.
func (r *Reconciler) createMirror(ctx context.Context, n *nodeState, obj *corev1.Node, name types.NamespacedName, static *corev1.Pod) error {
	_, err := r.cfg.API.Create(ctx, node.Identity(n.Name), engine.Pods, mirrorOf(static, obj))
	if run := r.runs[name]; err != nil && run != nil && podstate.IsMirror(run.pod) {
		r.forget(ctx, name, run)
	}
	return err
}

// tellBroken says of each manifest that describes no Pod why.
//
// Deviation: upstream's kubelet says it in its own log alone, which nobody can read
// here.
func (r *Reconciler) tellBroken(ctx context.Context, n *nodeState, obj *corev1.Node) {
	for _, file := range slices.Sorted(maps.Keys(n.static.manifests)) {
		m := n.static.manifests[file]
		if m.err == nil || m.told {
			continue
		}
		m.told = true
		n.static.manifests[file] = m
		n.event(ctx, obj, event.FailedStaticPod(path.Join(manifestDir, file), m.err))
	}
}
