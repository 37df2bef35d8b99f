// Package static keeps the file system of a node and the static Pods that the manifests in it
// describe. A file that appears in manifestDir, because a Pod with a hostPath volume has put
// it there, becomes a static Pod. The API shows it as a mirror Pod, which is made again when
// somebody deletes it. The Pod ends when its file is removed, and is another one when the
// file is changed.
//
// Invariant: what runs is bound to the UID that follows from the manifest, never to the
// mirror Pod's. The Kubelet runs it; this package only says what should run.
//
// Deviation: a static Pod runs only as long as it can have a mirror Pod, because what
// runs here runs for an object of the API.
package static

import (
	"context"
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
)

// mirrorRetry is how long the kubelet waits before it tries again to make a mirror
// Pod. Unit: virtual time. Source: syncFrequency in k8s.io/kubernetes pkg/kubelet
// v1.37.2.
const mirrorRetry = time.Minute

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

// Kubelet runs static Pods.
type Kubelet interface {
	// Runs reports whether the static Pod of a name runs, and whether it is to end.
	Runs(name types.NamespacedName) (runs, retired bool)
	// Retire ends it.
	Retire(name types.NamespacedName)
	// Abandon ends it at once, as it cannot have a mirror Pod.
	Abandon(ctx context.Context, name types.NamespacedName)
}

// Mirrors brings static Pods and their mirror Pods in line with the manifests of their node.
type Mirrors struct {
	View    *engine.View
	API     engine.API
	Kubelet Kubelet
}

// Sync does so for one node; tell is told what cannot be done.
func (m Mirrors) Sync(ctx context.Context, n *Files, obj *corev1.Node, now time.Time, tell func(event.Event)) engine.Wake {
	if len(n.manifests) == 0 && len(n.mirrors) == 0 {
		return engine.Wake{}
	}
	n.tellBroken(tell)
	wanted := n.wanted()
	names := slices.Collect(maps.Keys(wanted))
	for name := range n.mirrors {
		if wanted[name] == nil {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) })
	var wake engine.Wake
	for _, name := range names {
		if err := m.syncOne(ctx, n, obj, name, wanted[name]); err != nil {
			tell(event.FailedMirrorPod(name.String(), err))
			wake = engine.Poll(now.Add(mirrorRetry))
		}
	}
	return wake
}

func (m Mirrors) syncOne(ctx context.Context, n *Files, obj *corev1.Node, name types.NamespacedName, static *corev1.Pod) error {
	have, _ := engine.Get[*corev1.Pod](m.View, engine.Pods, name.Namespace, name.Name)
	if have != nil && have.Spec.NodeName != n.node && static == nil {
		have = nil
	}
	if _, retired := m.Kubelet.Runs(name); have == nil && retired {
		return nil // its name is not free yet
	}
	switch decideMirror(static, have) {
	case mirrorRetire:
		return m.retire(ctx, n, name, have)
	case mirrorAgain:
		if err := m.delete(ctx, n.node, have); err != nil {
			return err
		}
		return m.create(ctx, n.node, obj, name, static)
	case mirrorCreate:
		return m.create(ctx, n.node, obj, name, static)
	}
	return nil
}

// retire ends a static Pod; its mirror Pod goes last. One that does not run, because
// somebody has made a mirror Pod of nothing, goes at once.
func (m Mirrors) retire(ctx context.Context, n *Files, name types.NamespacedName, mirror *corev1.Pod) error {
	runs, retired := m.Kubelet.Runs(name)
	if !runs {
		return m.delete(ctx, n.node, mirror)
	}
	if !retired {
		m.Kubelet.Retire(name)
	}
	return nil
}

func (m Mirrors) delete(ctx context.Context, on string, mirror *corev1.Pod) error {
	err := m.API.Delete(ctx, node.Identity(on), engine.Pods, types.NamespacedName{Namespace: mirror.Namespace, Name: mirror.Name},
		metav1.DeleteOptions{GracePeriodSeconds: new(int64), Preconditions: metav1.NewUIDPreconditions(string(mirror.UID))})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// create makes a mirror Pod. Where that cannot be, the static Pod ends.
func (m Mirrors) create(ctx context.Context, on string, obj *corev1.Node, name types.NamespacedName, static *corev1.Pod) error {
	_, err := m.API.Create(ctx, node.Identity(on), engine.Pods, mirrorOf(static, obj))
	if err != nil {
		m.Kubelet.Abandon(ctx, name)
	}
	return err
}

// tellBroken says of each manifest that describes no Pod why.
//
// Deviation: upstream's kubelet says it in its own log alone, which nobody can read
// here.
func (n *Files) tellBroken(tell func(event.Event)) {
	for _, file := range slices.Sorted(maps.Keys(n.manifests)) {
		m := n.manifests[file]
		if m.err == nil || m.told {
			continue
		}
		m.told = true
		n.manifests[file] = m
		tell(event.FailedStaticPod(path.Join(manifestDir, file), m.err))
	}
}
