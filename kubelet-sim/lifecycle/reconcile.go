package lifecycle

import (
	"context"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/decide"
	"github.com/kubesim-dev/kubesim/kubelet-sim/depend"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/volume"
)

// Observe implements engine.Reconciler: Pods on our nodes, Pods that wait for a
// ConfigMap or another object, and the Pods of a node that goes off the network or is
// back.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	name := types.NamespacedName{Namespace: c.Object.GetNamespace(), Name: c.Object.GetName()}
	switch c.Resource {
	case engine.Pods:
		pod := c.Object.(*corev1.Pod)
		if pod.Spec.NodeName == "" || r.nodes[pod.Spec.NodeName] == nil || r.nothingNew(name, pod, c.Type) {
			return nil
		}
		if podstate.IsMirror(pod) && (c.Type == watch.Deleted || pod.DeletionTimestamp != nil) {
			return []engine.Key{r.key(name), r.nodeKey(r.nodes[pod.Spec.NodeName])}
		}
		return []engine.Key{r.key(name)}
	case engine.Nodes:
		if n := r.nodes[name.Name]; n != nil && node.Struck(c) {
			return append(r.keysOn(name.Name), r.nodeKey(n))
		}
	case engine.PersistentVolumes:
		r.storage.Reclaim(c, r.hosts)
		return r.keysThatFollow(depend.Object{Resource: c.Resource, Name: name})
	case engine.ConfigMaps, engine.Secrets, engine.PersistentVolumeClaims:
		return r.keysThatFollow(depend.Object{Resource: c.Resource, Name: name})
	case engine.PodCertificateRequests:
		return r.keysOfRequest(c.Object.(*certificatesv1.PodCertificateRequest))
	case engine.ClusterTrustBundles:
		signer := c.Object.(*certificatesv1.ClusterTrustBundle).Spec.SignerName
		return append(r.keysThatFollow(volume.Trusts(name.Name)), r.keysThatFollow(volume.Trusts(signer))...)
	}
	return nil
}

// keysThatFollow are the keys of the Pods that an object matters to.
func (r *Reconciler) keysThatFollow(d depend.Object) []engine.Key {
	var keys []engine.Key
	for _, waiter := range r.waiters.Of(d) {
		if run := r.runs[waiter]; run != nil {
			run.retry = true
			keys = append(keys, r.key(waiter))
		}
	}
	for _, user := range r.storage.Users.Of(d) {
		if run := r.runs[user]; run != nil {
			run.sourceChanged = true
			keys = append(keys, r.key(user))
		}
	}
	return keys
}

// nothingNew reports whether a commit of a Pod is one of our own, or about a
// finished Pod and of no interest to the kubelet.
func (r *Reconciler) nothingNew(name types.NamespacedName, pod *corev1.Pod, t watch.EventType) bool {
	run := r.runs[name]
	if run == nil || t == watch.Deleted || run.apiUID != pod.UID {
		return false
	}
	if run.wrote == pod.ResourceVersion {
		return true
	}
	return run.Finished && !run.dirty && pod.DeletionTimestamp == nil && pod.Generation == pod.Status.ObservedGeneration
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	defer r.EndStep(ctx, now)
	switch key.Kind {
	case engine.Part:
		pod, container, probe := splitProbe(key.Name)
		return r.reconcileProbe(ctx, key.Namespace, pod, container, probe, now), nil
	case nodeKind:
		return r.reconcileNode(ctx, key.Name, now), nil
	}
	name := types.NamespacedName{Namespace: key.Namespace, Name: key.Name}
	pod, ok := engine.Get[*corev1.Pod](r.view, engine.Pods, name.Namespace, name.Name)
	run := r.runs[name]
	switch {
	case run == nil:
	case !ok && run.outlives():
		return engine.Wake{}, nil // its node's step makes the mirror Pod again
	case !ok || run.pod.UID != podstate.UID(pod):
		r.forget(ctx, name, run)
		run = nil
	}
	if !ok || r.nodes[pod.Spec.NodeName] == nil {
		return engine.Wake{}, nil
	}
	if run != nil && run.Boot != r.boot(pod.Spec.NodeName) {
		r.reboot(run, now)
	}
	if r.unreachable(pod.Spec.NodeName) {
		if run != nil {
			r.recall(run, now) // a log is read where it is, as before
			if !run.Away {
				run.Away, run.AwaySince = true, now
			}
		}
		return engine.Wake{}, nil
	}
	if run == nil {
		run = r.adopt(ctx, name, pod, now)
	}
	run.update(pod)
	if run.Away {
		run.Away, run.AwaySince, run.dirty = false, time.Time{}, true // others may have spoken for it
	}
	return r.sync(ctx, run, now)
}

// reconcileNode brings a node's static Pods forward, and evicts a Pod if it is under
// pressure.
func (r *Reconciler) reconcileNode(ctx context.Context, name string, now time.Time) engine.Wake {
	obj, ok := engine.Get[*corev1.Node](r.view, engine.Nodes, "", name)
	n := r.nodes[name]
	if !ok || n == nil || node.Unreachable(obj) {
		return engine.Wake{}
	}
	return r.mirrors.Sync(ctx, n.files, obj, now, func(e event.Event) { n.event(ctx, obj, e) }).Sooner(r.relieve(ctx, n, obj, now))
}

// sync brings one Pod forward and reports its status.
func (r *Reconciler) sync(ctx context.Context, run *podRun, now time.Time) (engine.Wake, error) {
	r.recall(run, now)
	r.takeAnswers(ctx, run, now)
	r.unblock(run)
	r.scheduleRemount(run, now)
	run.advance(now)
	run.measureVolumes(now)
	run.stirred = false
	p := decide.Next(run.pod, &run.State, now)
	for len(p.Do) > 0 {
		for _, a := range p.Do {
			r.apply(ctx, run, a, now)
		}
		run.measureVolumes(now) // a program has begun
		p = decide.Next(run.pod, &run.State, now)
	}
	run.tellFailedPreStop(ctx)
	r.endProbing(run)
	if err := r.report(ctx, run, now); err != nil {
		return p.Wake, err
	}
	return p.Wake, r.remove(ctx, run)
}

// unblock lets a Pod try again what it waited for, once that may be there: an
// object that was missing, or a label or annotation of its own.
//
// Deviation: upstream's kubelet tries again every minute or so; we do as soon
// as the object is written, so that nobody waits for it.
func (r *Reconciler) unblock(run *podRun) {
	if !run.retry && !run.podChanged {
		return
	}
	run.retry, run.Blocked = false, false
	for i := range run.Containers {
		run.Containers[i].Blocked = false
	}
	r.waiters.Drop(run.name)
}

// forget ends what still runs of a Pod that is gone from the API.
//
// Deviation: its containers end at once; a real kubelet gives them two seconds,
// which nobody would see.
func (r *Reconciler) forget(ctx context.Context, name types.NamespacedName, run *podRun) {
	for i := range run.Containers {
		if c := &run.Containers[i]; c.Activity == podstate.Running && c.Kill == nil {
			run.event(ctx, i, event.Killing(killEvent(run, i, "")))
		}
	}
	for i := range run.Containers {
		run.Containers[i].Activity = podstate.Idle
	}
	r.endProbing(run)
	run.close()
	run.count(false)
	delete(run.node.deferred, name)
	if podstate.IsMirror(run.pod) {
		run.node.files.DropMirror(name)
		r.cfg.Engine.Poke(r.nodeKey(run.node)) // its name is free
	}
	r.retryDeferred(run.node)
	r.waiters.Drop(name)
	r.storage.Users.Drop(name)
	r.cfg.Logs.Forget(name.Namespace, name.Name, run.pod.UID)
	run.account.Close()
	r.lookAt = 0
	delete(r.runs, name)
}
