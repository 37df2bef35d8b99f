package explain

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// dbOf is a StatefulSet of three replicas.
func dbOf(image string, change ...func(*appsv1.StatefulSet)) *appsv1.StatefulSet {
	set := &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: "db", Namespace: "default", UID: "db-uid"},
		Spec: appsv1.StatefulSetSpec{
			Replicas: ptrTo[int32](3), PodManagementPolicy: appsv1.OrderedReadyPodManagement, Template: templateOf(image),
			UpdateStrategy: appsv1.StatefulSetUpdateStrategy{Type: appsv1.RollingUpdateStatefulSetStrategyType},
		},
		Status: appsv1.StatefulSetStatus{CurrentRevision: "db-v1", UpdateRevision: "db-v1"},
	}
	for _, f := range change {
		f(set)
	}
	return set
}

func withPartition(n int32) func(*appsv1.StatefulSet) {
	return func(set *appsv1.StatefulSet) {
		set.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{Partition: &n}
	}
}

// has is what the status counts.
func has(ready, updated int32, update string) func(*appsv1.StatefulSet) {
	return func(set *appsv1.StatefulSet) {
		set.Status = appsv1.StatefulSetStatus{Replicas: 3, ReadyReplicas: ready, AvailableReplicas: ready, UpdatedReplicas: updated, CurrentRevision: "db-v1", UpdateRevision: update}
		if ready == 3 && updated == 3 {
			set.Status.CurrentRevision = update
		}
	}
}

func onDelete(set *appsv1.StatefulSet) {
	set.Spec.UpdateStrategy.Type = appsv1.OnDeleteStatefulSetStrategyType
}

func inParallel(set *appsv1.StatefulSet) {
	set.Spec.PodManagementPolicy = appsv1.ParallelPodManagement
}

func ownedBySet(o metav1.Object) {
	o.SetOwnerReferences([]metav1.OwnerReference{{Kind: "StatefulSet", Name: "db", UID: "db-uid", Controller: ptrTo(true)}})
}

func revisionOfSet(n int64) *appsv1.ControllerRevision {
	name := fmt.Sprintf("db-v%d", n)
	r := &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", UID: types.UID(name)}, Revision: n}
	ownedBySet(r)
	return r
}

// podOfOrdinal is the nth Pod that db-ORDINAL has been.
func podOfOrdinal(ordinal, nth int, revision string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := podOf(nil, fmt.Sprintf("db-%d", ordinal))
	p.UID = types.UID(fmt.Sprintf("%s-%d", p.Name, nth))
	p.Labels = map[string]string{appsv1.ControllerRevisionHashLabelKey: revision}
	ownedBySet(p)
	for _, f := range change {
		f(p)
	}
	return p
}

// eventOf is an Event about an object, not about a container of it.
func eventOf(kind, name, reason, message string) *corev1.Event {
	e := eventAbout(kind, name, reason, message, 1)
	e.InvolvedObject.FieldPath = ""
	return e
}

const bySet = "statefulset/default/db"

// running are the commits of a StatefulSet that has come up.
func running(change ...func(*appsv1.StatefulSet)) *past {
	p := at(0).then(0, "client/ann", dbOf("app:1", change...)).then(0, bySet, revisionOfSet(1))
	for i := range 3 {
		p.then(0, bySet, podOfOrdinal(i, 1, "db-v1")).then(time.Second, "lifecycle", podOfOrdinal(i, 1, "db-v1", ready))
	}
	return p.then(0, bySet, dbOf("app:1", slices.Concat(change, []func(*appsv1.StatefulSet){has(3, 3, "db-v1")})...))
}

// updated goes on with another template, and lets the last Pod be replaced.
func updated(change ...func(*appsv1.StatefulSet)) *past {
	p := running(change...).then(time.Second, "client/ann", dbOf("app:2", slices.Concat(change, []func(*appsv1.StatefulSet){has(3, 3, "db-v1")})...))
	p.then(0, bySet, revisionOfSet(2)).then(0, bySet, podOfOrdinal(2, 1, "db-v1", ready, deleting)).deleted("lifecycle", podOfOrdinal(2, 1, "db-v1", deleting))
	return p.then(0, bySet, podOfOrdinal(2, 2, "db-v2"), dbOf("app:2", slices.Concat(change, []func(*appsv1.StatefulSet){has(2, 1, "db-v2")})...))
}

func db() Target { return Target{Kind: "StatefulSet", Namespace: "default", Name: "db"} }

func TestAStatefulSetSaysWhichRuleDecided(t *testing.T) {
	for name, tc := range map[string]struct {
		past *past
		want []string
	}{
		"one Pod after the other": {running(), []string{
			"statefulset/db created: 3 replicas, OrderedReady, RollingUpdate", "pod/db-0 created with revision 1",
			"pod/db-1 created with revision 1 because pod/db-0 is ready", "statefulset/db rolled out: revision 1",
		}},
		"all at once": {running(inParallel), []string{"pod/db-1 created with revision 1"}},
		"the last Pod first": {updated(), []string{
			"statefulset/db template changed: image of c app:2, before app:1",
			"pod/db-2 deleted, with a grace period of 30s because it has revision 1, not revision 2; a rollout begins with the last Pod",
			"pod/db-2 created with revision 2 because replaces the Pod of revision 1",
			"statefulset/db has not rolled out: 0 of 3 replicas have revision 2 and are ready because pod/db-2: Pending; OrderedReady touches no other Pod before it is ready",
		}},
		"then the one before": {updated().then(time.Second, "lifecycle", podOfOrdinal(2, 2, "db-v2", ready)).then(0, bySet, podOfOrdinal(1, 1, "db-v1", ready, deleting)), []string{
			"pod/db-1 deleted, with a grace period of 30s because it has revision 1, not revision 2, and pod/db-2 is ready",
			"statefulset/db has not rolled out: 1 of 3 replicas have revision 2 and are ready because pod/db-1 is being deleted",
		}},
		"a broken revision blocks the way back": {updated().then(time.Second, "lifecycle", podOfOrdinal(2, 2, "db-v2", waits("ImagePullBackOff", ""))).
			then(0, "client/ann", dbOf("app:1", has(2, 1, "db-v2"))).then(0, bySet, revisionOfSet(3), dbOf("app:1", has(2, 0, "db-v3"))), []string{
			"statefulset/db has not rolled out: 0 of 3 replicas have revision 3 and are ready because pod/db-2: container c: ImagePullBackOff; " +
				"it has revision 2, but OrderedReady replaces no Pod before it is ready: 'kubectl delete pod db-2' lets the rollout go on",
		}},
		"a partition": {updated(withPartition(2)).then(time.Second, "lifecycle", podOfOrdinal(2, 2, "db-v2", ready)).then(0, bySet, dbOf("app:2", withPartition(2), has(3, 1, "db-v2"))), []string{
			"statefulset/db rolled out: revision 2, down to partition 2",
			"statefulset/db holds at partition 2: 1 of 3 replicas have revision 2 and are ready because partition 2 lets pod/db-0, pod/db-1 have an older revision",
		}},
		"OnDelete": {running(onDelete).then(time.Second, "client/ann", dbOf("app:2", onDelete, has(3, 3, "db-v1"))).then(0, bySet, revisionOfSet(2), dbOf("app:2", onDelete, has(3, 0, "db-v2"))), []string{
			"statefulset/db has not rolled out: 0 of 3 replicas have revision 2 and are ready because updateStrategy OnDelete: delete pod/db-0, pod/db-1, pod/db-2 to replace them",
		}},
		"somebody deletes a Pod, and a quota refuses the next": {running().then(time.Second, "client/ann", podOfOrdinal(1, 1, "db-v1", ready, deleting)).deleted("lifecycle", podOfOrdinal(1, 1, "db-v1", deleting)).
			then(0, bySet, eventOf("StatefulSet", "db", "FailedCreate", "exceeded quota"), dbOf("app:1", has(2, 2, "db-v1"))), []string{
			"statefulset/db FailedCreate because exceeded quota",
			"statefulset/db is not complete: 2 of 3 replicas have revision 1 and are ready because pod/db-1 is missing: exceeded quota",
		}},
		"and then it comes": {running().then(time.Second, "client/ann", podOfOrdinal(1, 1, "db-v1", ready, deleting)).deleted("lifecycle", podOfOrdinal(1, 1, "db-v1", deleting)).
			then(0, bySet, dbOf("app:1", has(2, 2, "db-v1")), podOfOrdinal(1, 2, "db-v1")).then(time.Second, "lifecycle", podOfOrdinal(1, 2, "db-v1", ready)).
			then(0, bySet, dbOf("app:1", has(3, 3, "db-v1"))), []string{
			"pod/db-1 created with revision 1 because replaces the Pod that client ann has deleted", "statefulset/db all 3 replicas are ready",
		}},
		"fewer replicas": {running().then(time.Second, "client/ann", dbOf("app:1", has(3, 3, "db-v1"), func(set *appsv1.StatefulSet) { *set.Spec.Replicas = 1 })).
			then(0, bySet, podOfOrdinal(2, 1, "db-v1", ready, deleting)), []string{
			"statefulset/db replicas changed from 3 to 1", "pod/db-2 deleted, with a grace period of 30s because replicas are 1 now: the last Pod goes first",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, step := range Tell(db(), tc.past.commits, noon.Add(tc.past.now)).Steps {
				got = append(got, words(" because ", step.Object+" "+step.What, step.Why))
			}
			for _, want := range tc.want {
				if !slices.Contains(got, want) {
					t.Errorf("no step %q in\n%s", want, strings.Join(got, "\n"))
				}
			}
		})
	}
}

// TestAWaitEnds: nothing is waited for where all is as it should be.
func TestAWaitEnds(t *testing.T) {
	p := running()
	steps := Tell(db(), p.commits, noon.Add(p.now)).Steps
	if last := steps[len(steps)-1]; last.Tone == Wait {
		t.Errorf("it waits: %+v", last)
	}
}

func TestPlacesAreOrdinalsWithTheirPods(t *testing.T) {
	p := updated()
	places := Tell(db(), p.commits, noon.Add(p.now+time.Second)).Places
	var got []string
	for _, lane := range places.Lanes {
		for _, s := range lane.Spans {
			got = append(got, fmt.Sprintf("%s %s: %s from %s to %s, open %t", lane.Name, places.Versions[s.Version].Revision, s.State, Offset(s.From.Sub(noon)), Offset(s.To.Sub(noon)), s.Open))
		}
	}
	want := []string{
		"db-0 revision 1: not ready from 0s to 1s, open false", "db-0 revision 1: ready from 1s to 5s, open true",
		"db-1 revision 1: not ready from 1s to 2s, open false", "db-1 revision 1: ready from 2s to 5s, open true",
		"db-2 revision 1: not ready from 2s to 3s, open false", "db-2 revision 1: ready from 3s to 4s, open false",
		"db-2 revision 2: not ready from 4s to 5s, open true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lanes (-want +got):\n%s", diff)
	}
}
