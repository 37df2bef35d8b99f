package workload

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/controller"
)

func noon() time.Time { return time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC) }

func TestSlowStart(t *testing.T) {
	for name, tc := range map[string]struct {
		n, allowed int
		created    int
		calls      int
		want       string
	}{
		"nothing to do":                   {n: 0, allowed: 9},
		"all go well":                     {n: 10, allowed: 10, created: 10, calls: 10},
		"the first fails alone":           {n: 500, allowed: 0, calls: 1, want: "no 0"},
		"a batch is finished":             {n: 500, allowed: 4, created: 4, calls: 7, want: "no 4"},
		"the last batch is what is left":  {n: 5, allowed: 3, created: 3, calls: 5, want: "no 3"},
		"a batch without any is the last": {n: 500, allowed: 7, created: 7, calls: 15, want: "no 7"},
	} {
		t.Run(name, func(t *testing.T) {
			var calls []int
			created, err := SlowStart(tc.n, func(i int) error {
				calls = append(calls, i)
				if i >= tc.allowed {
					return fmt.Errorf("no %d", i)
				}
				return nil
			})
			for i, call := range calls {
				if i != call {
					t.Fatalf("calls %v", calls)
				}
			}
			got := ""
			if err != nil {
				got = err.Error()
			}
			if created != tc.created || len(calls) != tc.calls || got != tc.want {
				t.Errorf("%d created in %d calls, %q; want %d in %d, %q", created, len(calls), got, tc.created, tc.calls, tc.want)
			}
		})
	}
}

func aPod(name string, edits ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "web"}}}
	for _, edit := range edits {
		edit(pod)
	}
	return pod
}

func of(uid types.UID) func(*corev1.Pod) {
	yes := true
	return func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ReplicationController", Name: "web", UID: uid, Controller: &yes}}
	}
}

func aController(edits ...func(*corev1.ReplicationController)) *corev1.ReplicationController {
	rc := &corev1.ReplicationController{ObjectMeta: metav1.ObjectMeta{Name: "web", UID: "1"}}
	for _, edit := range edits {
		edit(rc)
	}
	return rc
}

func TestClaim(t *testing.T) {
	relabelled := func(p *corev1.Pod) { p.Labels = map[string]string{"app": "mine"} }
	failed := func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }
	going := func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: noon()} }
	owned := []*corev1.Pod{
		aPod("kept", of("1")), aPod("relabelled", of("1"), relabelled), aPod("of the one before", of("0")),
		aPod("failed", of("1"), failed), aPod("failed and relabelled", of("1"), failed, relabelled),
	}
	orphans := []*corev1.Pod{aPod("orphan"), aPod("other", relabelled), aPod("going", going), aPod("failed orphan", failed)}
	selector := labels.SelectorFromSet(labels.Set{"app": "web"})
	for name, tc := range map[string]struct {
		owner  *corev1.ReplicationController
		counts func(*corev1.Pod) bool
		want   [3]string
	}{
		"only active Pods count": {aController(), controller.IsPodActive, [3]string{"kept", "orphan", "relabelled"}},
		"all Pods count": {
			aController(), func(*corev1.Pod) bool { return true },
			[3]string{"kept, failed", "orphan, failed orphan", "relabelled, failed and relabelled"},
		},
		"who is being deleted takes no action": {
			aController(func(rc *corev1.ReplicationController) { rc.DeletionTimestamp = &metav1.Time{Time: noon()} }), controller.IsPodActive,
			[3]string{"kept", "", ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := Claim(tc.owner, selector, owned, orphans, tc.counts)
			if diff := cmp.Diff(tc.want, [3]string{names(c.Own), names(c.Adopt), names(c.Release)}); diff != "" {
				t.Errorf("own, adopt, release (-want +got):\n%s", diff)
			}
		})
	}
}

func names(pods []*corev1.Pod) string {
	var out []string
	for _, pod := range pods {
		out = append(out, pod.Name)
	}
	return strings.Join(out, ", ")
}

func TestNextAvailable(t *testing.T) {
	ready := func(ago int) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			since := metav1.Time{Time: noon().Add(-time.Duration(ago) * time.Second)}
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: since}}
		}
	}
	pods := []*corev1.Pod{aPod("not ready"), aPod("available", ready(30)), aPod("soon", ready(8)), aPod("later", ready(1))}
	if got, want := NextAvailable(pods, 10, noon()), noon().Add(2*time.Second); !got.Equal(want) {
		t.Errorf("the next is available at %v, want %v", got, want)
	}
	if got := NextAvailable(pods, 0, noon()); !got.IsZero() {
		t.Errorf("without minReadySeconds all are available, but one at %v", got)
	}
}

func TestPrefix(t *testing.T) {
	for name, want := range map[string]string{
		"web":                    "web-",
		strings.Repeat("x", 254): strings.Repeat("x", 254), // it is too long anyway
	} {
		if got := Prefix(name); got != want {
			t.Errorf("Pods of %q are named %q…, want %q", name, got, want)
		}
	}
}

func TestAnAdoptionErrorIsTheAPIs(t *testing.T) {
	cause := errors.New("no")
	if err := error(&AdoptionError{Name: "p", Err: cause}); !errors.Is(err, cause) || err.Error() != "no" {
		t.Errorf("%v", err)
	}
}
