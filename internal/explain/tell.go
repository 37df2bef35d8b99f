package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

// kindOf is the word with which steps name an object.
func kindOf(o Object) string {
	switch o.(type) {
	case *batchv1.Job:
		return "job"
	case *batchv1.CronJob:
		return "cronjob"
	case *corev1.Pod:
		return "pod"
	case *corev1.Node:
		return "node"
	case *corev1.Event:
		return "event"
	case *v1alpha1.Fault:
		return "fault"
	}
	return "object"
}

// tell goes on with one commit.
func (t *teller) tell(c *Commit) {
	t.c = c
	uid := c.Object.GetUID()
	old := t.last[uid]
	switch o := c.Object.(type) { // these have no past of their own
	case *corev1.Event:
		t.event(o)
		return
	case *corev1.Node:
		t.node(o)
		return
	case *v1alpha1.Fault:
		t.fault(o)
		return
	}
	if old == nil && c.Type == watch.Modified {
		t.firstKnown()
		t.last[uid] = c.Object
		return
	}
	switch o := c.Object.(type) {
	case *corev1.Pod:
		before, _ := old.(*corev1.Pod)
		t.pod(before, o)
	case *batchv1.Job:
		before, _ := old.(*batchv1.Job)
		t.job(before, o)
	case *batchv1.CronJob:
		before, _ := old.(*batchv1.CronJob)
		t.cronJob(before, o)
	}
	t.last[uid] = c.Object
}

// firstKnown tells the state of an object whose beginning is forgotten.
func (t *teller) firstKnown() {
	ref := kindOf(t.c.Object) + "/" + t.c.Object.GetName()
	t.story.Forgotten = append(t.story.Forgotten, ref)
	what := "is known from here on"
	switch o := t.c.Object.(type) {
	case *corev1.Pod:
		p := t.podOf(o.UID)
		p.bars.begin(t.c, o)
		p.bars.follow(t.c, &corev1.Pod{}, o)
		what += ", " + string(o.Status.Phase)
		if o.Spec.NodeName != "" {
			t.nodeOf(o.Spec.NodeName).users[o.UID] = true
			what += " on " + o.Spec.NodeName
		}
	case *batchv1.Job:
		s := t.jobOf(o)
		s.bars.follow(t.c, o)
		what += fmt.Sprintf(", %d active, %d succeeded, %d failed", o.Status.Active, o.Status.Succeeded, o.Status.Failed)
		s.failures = int(o.Status.Failed)
	}
	t.created[t.c.Object.GetUID()] = t.sayBy("", ref, Plain, what, "")
	if s := t.jobs[t.c.Object.GetUID()]; s != nil {
		s.opened = t.createdStep(t.c.Object.GetUID())
	}
}

// who turns an actor into words.
func who(actor string) string {
	if actor == "" {
		return "?"
	}
	name, rest, _ := strings.Cut(actor, "/")
	switch name {
	case "client":
		return "client " + rest
	case "lifecycle", "session":
		return "kubelet"
	case "fault":
		return "fault " + rest
	case "store":
		return "kubesim"
	}
	return name
}

// controller is the name of the step's reconciler.
func controller(actor string) string {
	name, _, _ := strings.Cut(actor, "/")
	return name
}

// deletion tells that somebody wants an object gone, or that it is.
func (t *teller) deletion(old, o Object, why string, causes ...int) (step int) {
	asked := old != nil && old.GetDeletionTimestamp() != nil
	switch {
	case t.c.Type == watch.Deleted && asked:
		return t.say(Plain, "gone", "", causes...)
	case t.c.Type == watch.Deleted:
		return t.say(Plain, "deleted", why, causes...)
	case o.GetDeletionTimestamp() != nil && !asked:
		what := "deleted"
		if g := o.GetDeletionGracePeriodSeconds(); g != nil && *g > 0 {
			what += fmt.Sprintf(", with a grace period of %ds", *g)
		} else if f := o.GetFinalizers(); len(f) > 0 {
			what += ", stays for " + strings.Join(f, ", ")
		}
		return t.say(Plain, what, why, causes...)
	}
	return none
}

// since is an instant as the story counts it.
func (t *teller) since(at time.Time) string { return offset(at.Sub(t.story.Start)) }

// offset is a duration with the precision that a reader wants: 4.2s, 1m40s, 1h2m.
func offset(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + offset(-d)
	case d < time.Minute:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Round(100*time.Millisecond).Seconds()), ".0") + "s"
	}
	s := d.Round(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// words joins what is not empty.
func words(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), sep)
}

// setting is "name value", or nothing if there is no value.
func setting[T any](name string, value *T) string {
	if value == nil {
		return ""
	}
	return fmt.Sprintf("%s %v", name, *value)
}

// owner is the controller of an object.
func owner(o Object, kind string) *metav1.OwnerReference {
	if ref := metav1.GetControllerOfNoCopy(o); ref != nil && ref.Kind == kind {
		return ref
	}
	return nil
}

// count is a number of things: 1 failure, 2 failures.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}
