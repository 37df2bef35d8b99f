package deployment

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/kubernetes/pkg/controller/deployment/util"
)

func noon() time.Time { return time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC) }

// asks is a Deployment of a size, at revision 2, that has told all.
func asks(size int32, edits ...func(*appsv1.Deployment)) *appsv1.Deployment {
	one := intstr.FromInt32(1)
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: "web", UID: "web", Generation: 4, Annotations: map[string]string{util.RevisionAnnotation: "2"},
		},
		Spec: appsv1.DeploymentSpec{
			Replicas: &size, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}, Template: template("new"),
			Strategy: appsv1.DeploymentStrategy{
				Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &one, MaxUnavailable: &one},
			},
			ProgressDeadlineSeconds: new(int32(600)), RevisionHistoryLimit: new(int32(10)),
		},
		Status: appsv1.DeploymentStatus{ObservedGeneration: 4},
	}
	progress("True", util.ReplicaSetUpdatedReason, 0)(d)
	for _, edit := range edits {
		edit(d)
	}
	return d
}

func template(image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: image}}},
	}
}

func progress(status corev1.ConditionStatus, reason string, ago time.Duration) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) {
		at := metav1.NewTime(noon().Add(-ago))
		d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: status, Reason: reason, LastUpdateTime: at, LastTransitionTime: at}}
	}
}

func recreates(d *appsv1.Deployment) {
	d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
}
func paused(d *appsv1.Deployment)  { d.Spec.Paused = true }
func leaving(d *appsv1.Deployment) { d.DeletionTimestamp = &metav1.Time{Time: noon()} }

func complete(size int32) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) {
		d.Status.Replicas, d.Status.UpdatedReplicas, d.Status.ReadyReplicas, d.Status.AvailableReplicas = size, size, size, size
	}
}

func history(limit int32) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) { d.Spec.RevisionHistoryLimit = &limit }
}

func back(revision string) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) { d.Annotations[appsv1.DeprecatedRollbackTo] = revision }
}

// set is a ReplicaSet of the Deployment: so many Pods asked for, there, and available. Its
// annotations are those of a Deployment of three.
func set(image string, revision int, asked, have, available int32, edits ...func(*appsv1.ReplicaSet)) *appsv1.ReplicaSet {
	rs := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: "web-" + image, UID: types.UID(image), ResourceVersion: "7",
			CreationTimestamp: metav1.NewTime(noon().Add(time.Duration(revision) * time.Minute)),
			Annotations: map[string]string{
				util.RevisionAnnotation: strconv.Itoa(revision), util.DesiredReplicasAnnotation: "3", util.MaxReplicasAnnotation: "4",
			},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(&metav1.ObjectMeta{Name: "web", UID: "web"}, kind())},
		},
		Spec:   appsv1.ReplicaSetSpec{Replicas: &asked, Template: template(image)},
		Status: appsv1.ReplicaSetStatus{Replicas: have, ReadyReplicas: available, AvailableReplicas: available, TerminatingReplicas: new(int32)},
	}
	rs.Spec.Template.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = image
	for _, edit := range edits {
		edit(rs)
	}
	return rs
}

func sized(desired, most int32) func(*appsv1.ReplicaSet) {
	return func(rs *appsv1.ReplicaSet) { util.SetReplicasAnnotations(rs, desired, most) }
}

func refusedPods(rs *appsv1.ReplicaSet) {
	rs.Status.Conditions = []appsv1.ReplicaSetCondition{{Type: appsv1.ReplicaSetReplicaFailure, Status: "True", Reason: "FailedCreate", Message: "exceeded quota"}}
}

// gist tells a write in a line.
func (w write) gist() string {
	switch {
	case w.Create != nil:
		return fmt.Sprintf("create %d at revision %s", *w.Create.Spec.Replicas, w.Create.Annotations[util.RevisionAnnotation])
	case w.Scale != nil:
		return fmt.Sprintf("%s is %d of %s at revision %s", w.Scale.Name, *w.Scale.Spec.Replicas, w.Scale.Annotations[util.DesiredReplicasAnnotation], w.Scale.Annotations[util.RevisionAnnotation])
	case w.Delete != nil:
		return "delete " + w.Delete.Name
	case w.Status != nil:
		told := "status"
		for _, c := range w.Status.Status.Conditions {
			told += " " + string(c.Type) + "=" + string(c.Status) + "/" + c.Reason
		}
		return told
	case w.Spec != nil:
		return "template " + w.Spec.Spec.Template.Spec.Containers[0].Image
	}
	return w.Event.Reason
}

func TestDecide(t *testing.T) {
	const (
		available   = " Available=True/MinimumReplicasAvailable"
		unavailable = " Available=False/MinimumReplicasUnavailable"
		going       = " Progressing=True/ReplicaSetUpdated"
	)
	for name, tc := range map[string]struct {
		d    *appsv1.Deployment
		sets []*appsv1.ReplicaSet
		want []string
	}{
		"the first ReplicaSet has all replicas": {
			asks(3), nil, []string{"create 3 at revision 1", "status Progressing=True/NewReplicaSetCreated"},
		},
		"another template begins with the surge": {
			asks(3), []*appsv1.ReplicaSet{set("old", 1, 3, 3, 3)},
			// And the status waits for the next step: the first write of it would be a conflict.
			[]string{"create 1 at revision 2", "status Progressing=True/NewReplicaSetCreated", "web-old is 2 of 3 at revision 1"},
		},
		"a new Pod that is available lets an old one go": {
			asks(3), []*appsv1.ReplicaSet{set("old", 1, 2, 2, 2), set("new", 2, 2, 2, 2)},
			[]string{"web-old is 0 of 3 at revision 1", "status" + available + going},
		},
		"but one that is not does not": {
			asks(3), []*appsv1.ReplicaSet{set("old", 1, 2, 2, 2), set("new", 2, 2, 2, 0)}, []string{"status" + available + going},
		},
		"old Pods that are not available go first": {
			asks(3), []*appsv1.ReplicaSet{set("old", 1, 3, 3, 1), set("new", 2, 1, 1, 1)},
			[]string{"web-old is 1 of 3 at revision 1", "status" + available + going},
		},
		"what a rollout has left is scaled down in the middle of another": {
			asks(3, revision("3")), []*appsv1.ReplicaSet{set("a", 1, 2, 2, 2), set("b", 2, 2, 2, 0), set("new", 3, 0, 0, 0)},
			[]string{"web-b is 0 of 3 at revision 2", "status" + available + going},
		},
		"an old ReplicaSet that is behind waits": {
			asks(3), []*appsv1.ReplicaSet{set("old", 1, 1, 3, 3), set("new", 2, 3, 3, 3)}, []string{"status" + available + going},
		},
		"a revision comes back": {
			asks(3), []*appsv1.ReplicaSet{set("new", 1, 0, 0, 0), set("old", 2, 3, 3, 3)},
			// Upstream updates the annotations first, and meets a conflict with that.
			[]string{"web-new is 0 of 3 at revision 3"},
		},
		"scaling scales the only one": {
			asks(5), []*appsv1.ReplicaSet{set("old", 1, 0, 0, 0), set("new", 2, 3, 3, 3)},
			[]string{"web-new is 5 of 5 at revision 2", "status" + going + unavailable},
		},
		"scaling in the middle of a rollout scales in proportion": {
			asks(10), []*appsv1.ReplicaSet{set("old", 1, 2, 2, 2), set("new", 2, 2, 2, 0)},
			[]string{"web-new is 6 of 10 at revision 2", "web-old is 5 of 10 at revision 1", "status" + going + unavailable},
		},
		"a rollout that is paused says so": {
			asks(3, paused), []*appsv1.ReplicaSet{set("old", 1, 3, 3, 3)}, []string{"status Progressing=Unknown/DeploymentPaused"},
		},
		"and goes no further": {
			asks(3, paused, progress("Unknown", util.PausedDeployReason, 0)), []*appsv1.ReplicaSet{set("old", 1, 3, 3, 3)},
			[]string{"status Progressing=Unknown/DeploymentPaused" + available},
		},
		"one that is paused from the start has no ReplicaSet": {
			asks(3, paused, progress("Unknown", util.PausedDeployReason, 0)), nil, []string{"status Progressing=Unknown/DeploymentPaused" + unavailable},
		},
		"one that is resumed says so": {
			asks(3, progress("Unknown", util.PausedDeployReason, time.Hour)), []*appsv1.ReplicaSet{set("old", 1, 3, 3, 3), set("new", 2, 0, 0, 0)},
			[]string{"status Progressing=Unknown/DeploymentResumed", "web-new is 1 of 3 at revision 2"},
		},
		"Recreate lets old Pods go at first": {
			asks(3, recreates), []*appsv1.ReplicaSet{set("old", 1, 3, 3, 3, sized(3, 3))}, []string{"web-old is 0 of 3 at revision 1", "status" + available + going},
		},
		"and waits for their end": {
			asks(3, recreates), []*appsv1.ReplicaSet{set("runs", 1, 0, 0, 0)}, []string{"status" + going + unavailable},
		},
		"before it creates others": {
			asks(3, recreates), []*appsv1.ReplicaSet{set("old", 1, 0, 0, 0)}, []string{"create 3 at revision 2", "status Progressing=True/NewReplicaSetCreated"},
		},
		"a rollout that is complete tidies up": {
			asks(3, complete(3), history(1)), []*appsv1.ReplicaSet{set("a", 1, 0, 0, 0), set("b", 2, 0, 0, 0), set("new", 3, 3, 3, 3)},
			[]string{"status Progressing=True/ReplicaSetUpdated", "delete web-a"},
		},
		"with all revisions told": {
			asks(3, complete(3), history(1), revision("3")), []*appsv1.ReplicaSet{set("a", 1, 0, 0, 0), set("b", 2, 0, 0, 0), set("new", 3, 3, 3, 3)},
			[]string{"delete web-a", "status" + available + " Progressing=True/NewReplicaSetAvailable"},
		},
		"a ReplicaSet that has Pods is kept": {
			asks(3, complete(3), history(0), progress("True", util.NewRSAvailableReason, 0)), []*appsv1.ReplicaSet{set("old", 1, 0, 1, 0), set("new", 2, 3, 3, 3)},
			[]string{"status Progressing=True/NewReplicaSetAvailable" + available},
		},
		"no progress is told in time": {
			asks(3, progress("True", util.ReplicaSetUpdatedReason, 601*time.Second), complete(0)), []*appsv1.ReplicaSet{set("new", 2, 3, 0, 0)},
			[]string{"status" + unavailable + " Progressing=False/ProgressDeadlineExceeded"},
		},
		"but not too early": {
			asks(3, progress("True", util.ReplicaSetUpdatedReason, 600*time.Second), complete(0)), []*appsv1.ReplicaSet{set("new", 2, 3, 0, 0)},
			[]string{"status" + going + unavailable},
		},
		"what keeps Pods from being created is passed on": {
			asks(3), []*appsv1.ReplicaSet{set("new", 2, 3, 0, 0, refusedPods)}, []string{"status" + going + unavailable + " ReplicaFailure=True/FailedCreate"},
		},
		"one that is being deleted only counts": {
			asks(3, leaving), []*appsv1.ReplicaSet{set("old", 1, 3, 3, 3)}, []string{"status" + going + available},
		},
		"the annotation of old versions goes back": {
			asks(3, back("1")), []*appsv1.ReplicaSet{set("old", 1, 0, 0, 0), set("new", 2, 3, 3, 3)}, []string{"template old"},
		},
		"the last revision is meant by 0": {
			asks(3, back("0")), []*appsv1.ReplicaSet{set("old", 1, 0, 0, 0), set("new", 2, 3, 3, 3)}, []string{"template old"},
		},
		"to where it is": {
			asks(3, back("2")), []*appsv1.ReplicaSet{set("old", 1, 0, 0, 0), set("new", 2, 3, 3, 3)}, []string{"DeploymentRollbackTemplateUnchanged", "template new"},
		},
		"to what is not there": {
			asks(3, back("7")), []*appsv1.ReplicaSet{set("new", 2, 3, 3, 3)}, []string{"DeploymentRollbackRevisionNotFound", "template new"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, w := range decided(t, tc.d, tc.sets, running("runs")).Writes {
				got = append(got, w.gist())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
		})
	}
}

func revision(n string) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) { d.Annotations[util.RevisionAnnotation] = n }
}

func running(uid types.UID) cluster {
	return cluster{
		Running: func(set types.UID, _ string) bool { return set == uid },
		Named:   func(string) (*appsv1.ReplicaSet, bool) { return nil, false },
	}
}

// A name that another template has already is tried again with another hash.
func TestACollisionChangesTheHash(t *testing.T) {
	d := asks(3)
	first := newReplicaSet(d)
	c := running("")
	c.Named = func(name string) (*appsv1.ReplicaSet, bool) { return set("other", 1, 0, 0, 0), name == first.Name }
	p := decided(t, d, nil, c)
	if len(p.Writes) != 1 || p.Writes[0].Status == nil || *p.Writes[0].Status.Status.CollisionCount != 1 {
		t.Fatalf("writes %+v, want a status with collisionCount 1", p.Writes)
	}
	d.Status = p.Writes[0].Status.Status
	if p = decided(t, d, nil, c); p.Writes[0].Create == nil || p.Writes[0].Create.Name == first.Name {
		t.Errorf("the next step writes %s, want a ReplicaSet of another name than %s", p.Writes[0].gist(), first.Name)
	}
}

// The deadline of a rollout is when its step looks again, a second later, as upstream.
func TestARolloutLooksAgainAtItsDeadline(t *testing.T) {
	stuck := []*appsv1.ReplicaSet{set("new", 2, 3, 3, 0)}
	for name, tc := range map[string]struct {
		d    *appsv1.Deployment
		want time.Duration
	}{
		"under way":        {asks(3, progress("True", util.ReplicaSetUpdatedReason, time.Minute), complete(3)), 541 * time.Second},
		"timed out":        {asks(3, progress("False", util.TimedOutReason, time.Hour), complete(3)), 0},
		"without deadline": {asks(3, func(d *appsv1.Deployment) { d.Spec.ProgressDeadlineSeconds = nil }), 0},
		"complete before":  {asks(3, progress("True", util.NewRSAvailableReason, time.Hour), complete(3)), 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := decided(t, tc.d, stuck, running("")).WakeAt
			if want := noon().Add(tc.want); tc.want == 0 && !got.IsZero() || tc.want > 0 && !got.Equal(want) {
				t.Errorf("looks again at %s, want %s after noon", got, tc.want)
			}
		})
	}
}

func decided(t *testing.T, d *appsv1.Deployment, sets []*appsv1.ReplicaSet, c cluster) plan {
	t.Helper()
	p, err := decide(d, sets, c, noon())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Nothing that is stored ends the server.
func TestAStrategyThatIsNoneIsAnError(t *testing.T) {
	_, err := decide(asks(3, func(d *appsv1.Deployment) { d.Spec.Strategy.Type = "Sideways" }), nil, running(""), noon())
	if want := "unexpected deployment strategy type: Sideways"; err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
}

// decide changes nothing that it is given: it is shared.
func TestDecideLeavesItsArgumentsAlone(t *testing.T) {
	d, sets := asks(3, back("1")), []*appsv1.ReplicaSet{set("old", 1, 3, 3, 3), set("new", 2, 1, 1, 1)}
	before, old, newer := d.DeepCopy(), sets[0].DeepCopy(), sets[1].DeepCopy()
	for _, edit := range []func(*appsv1.Deployment){func(*appsv1.Deployment) {}, paused, func(d *appsv1.Deployment) { delete(d.Annotations, appsv1.DeprecatedRollbackTo) }} {
		changed := d.DeepCopy()
		edit(changed)
		want := changed.DeepCopy()
		decided(t, changed, sets, running(""))
		if diff := cmp.Diff(want, changed) + cmp.Diff(old, sets[0]) + cmp.Diff(newer, sets[1]); diff != "" {
			t.Errorf("changed:\n%s", diff)
		}
	}
	if diff := cmp.Diff(before, d); diff != "" {
		t.Error(diff)
	}
}

func TestAFailingDeploymentIsTriedSoOften(t *testing.T) {
	r := &Reconciler{}
	for n, want := range map[int]time.Duration{1: 5 * time.Millisecond, 2: 10 * time.Millisecond, 15: 5 * time.Millisecond << 14, 17: 5 * time.Millisecond} {
		if got := r.Retry(n, nil); got != want {
			t.Errorf("after %d failures it waits %s, want %s", n, got, want)
		}
	}
	if got := r.Retry(16, nil); got < 200*365*24*time.Hour {
		t.Errorf("after 16 failures it waits %s, want for ever", got)
	}
}
