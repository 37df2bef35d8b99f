package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

// say adds a step about the commit's object.
func (t *teller) say(tone Tone, what, why string, causes ...int) int {
	return t.sayOf(kindOf(t.c.Object)+"/"+t.c.Object.GetName(), tone, what, why, causes...)
}

func (t *teller) sayOf(object string, tone Tone, what, why string, causes ...int) int {
	by := who(t.c.Actor)
	if tone == Plain && strings.HasPrefix(by, "client ") {
		tone = Outside
	}
	causes = slices.DeleteFunc(slices.Clone(causes), func(i int) bool { return i == none })
	slices.Sort(causes)
	t.story.Steps = append(t.story.Steps, Step{
		At: t.c.Time.UTC(), Revision: t.c.Revision, By: by, Object: object,
		What: what, Why: why, Causes: slices.Compact(causes), Tone: tone,
	})
	return len(t.story.Steps) - 1
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

// kindOf is the word with which steps name an object.
func kindOf(o Object) string {
	switch o.(type) {
	case *batchv1.Job:
		return "job"
	case *batchv1.CronJob:
		return "cronjob"
	case *appsv1.Deployment:
		return "deployment"
	case *appsv1.ReplicaSet:
		return "replicaset"
	case *appsv1.StatefulSet:
		return "statefulset"
	case *appsv1.DaemonSet:
		return "daemonset"
	case *appsv1.ControllerRevision:
		return "controllerrevision"
	case *autoscalingv2.HorizontalPodAutoscaler:
		return "hpa"
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

// sayBy is sayOf for what a controller concludes from another's commit.
func (t *teller) sayBy(by, object string, tone Tone, what, why string, causes ...int) int {
	step := t.sayOf(object, tone, what, why, causes...)
	t.story.Steps[step].By = by
	return step
}

// orNothing is the state before as an Object that is nil if there was none.
func orNothing[T any, P interface {
	*T
	Object
}](old P) Object {
	if old == nil {
		return nil
	}
	return old
}

func (t *teller) createdStep(uid types.UID) int {
	if step, ok := t.created[uid]; ok {
		return step
	}
	return none
}

// instant is a time of a status, which has whole seconds: that of the commit if it was
// written within this second.
func instant(c *Commit, t time.Time) time.Time {
	if c.Time.Truncate(time.Second).Equal(t) {
		return c.Time
	}
	return t
}
