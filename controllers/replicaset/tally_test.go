package replicaset

import (
	"fmt"
	"math/rand"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// A tally that has followed random changes of Pods is one that is made anew.
func TestATallyFollowsItsPods(t *testing.T) {
	rs := asks(3)
	rs.UID = "1"
	selector, err := selectorOf(rs)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range int64(200) {
		random := rand.New(rand.NewSource(seed))
		r := &Reconciler{kind: replicaSets(workload.Gates{}), tallies: map[engine.Key]*tally{}}
		key, pods := r.key("default", rs.Name), map[string]*corev1.Pod{}
		r.tallies[key] = newTally(rs, selector, nil)
		for range 50 {
			name := fmt.Sprint("pod-", random.Intn(5))
			old, there := pods[name]
			c := engine.Commit{Type: watch.Added, Resource: engine.Pods, Object: drawPod(random, name)}
			switch {
			case there && random.Intn(4) == 0:
				c.Type, c.Object, c.Old = watch.Deleted, old, old
				delete(pods, name)
			case there:
				c.Type, c.Old = watch.Modified, old
				fallthrough
			default:
				pods[name] = c.Object.(*corev1.Pod)
			}
			r.recount(c)
		}
		var all []*corev1.Pod
		for _, pod := range pods {
			all = append(all, pod)
		}
		if got, want := r.tallies[key].counts, newTally(rs, selector, all).counts; got != want {
			t.Errorf("seed %d: counted %+v, want %+v", seed, got, want)
		}
	}
}

func drawPod(random *rand.Rand, name string) *corev1.Pod {
	edits := []func(*corev1.Pod){
		pending, ready(time.Second), labelled("tier", "front"), labelled("app", "other"), costs("1"),
		func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed },
		func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: noon()} },
		func(p *corev1.Pod) { p.OwnerReferences = nil },
		func(p *corev1.Pod) { p.OwnerReferences[0].UID = "2" },
	}
	pod := aPod(name)
	pod.Namespace = "default"
	pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(&metav1.ObjectMeta{Name: "web", UID: "1"}, replicaSets(workload.Gates{}).gvk)}
	for range 2 {
		if i := random.Intn(len(edits)); pod.OwnerReferences != nil {
			edits[i](pod)
		}
	}
	return pod
}
