package differential

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// rest is how long a workload goes on after its last step, longer than it takes
// until the Pods of a node that is off the network are to be deleted.
const rest = 48 * measure

// sharedNodes are those of all workloads that do nodes no harm.
const sharedNodes = 3

// duration is from a workload's beginning to its end.
func (w *workload) duration() time.Duration {
	d := userAt + rest
	for _, s := range w.Steps {
		d += time.Duration(s.Wait) * measure
	}
	return d
}

// play lets the workloads, of one season, happen on one side, at the same time
// and in a namespace each, and returns what has become of each.
func play(t *testing.T, s side, seed uint64, all []*workload) []string {
	t.Helper()
	nodes := sharedNodes
	users := make([]*user, len(all))
	for i, w := range all {
		users[i] = &user{w: w, namespace: fmt.Sprintf("w-%d", i), pool: "shared"}
		if w.harmsNodes() {
			users[i].pool, users[i].victim = users[i].namespace, fmt.Sprintf("node-%d", nodes+1)
			nodes += 2
		}
	}
	stories := make([]*story, len(all))
	broke := inCluster(t, s, seed, seasons()[all[0].Season], nodes, func(ctx context.Context, client kubernetes.Interface) {
		time.Sleep(warmUp / 2)
		for i := range nodes {
			if err := label(ctx, client, i+1, users); err != nil {
				t.Error(err)
			}
		}
		for i, u := range users {
			u.client = client
			stories[i] = &story{user: u}
		}
		tell(ctx, stories)
	})
	out := make([]string, len(stories))
	for i, st := range stories {
		if broke != "" { // by one of them: the others are found innocent when played alone
			fmt.Fprintf(&st.text, "the cluster broke, upstream's controllers %t: %s\n", s, broke)
		}
		out[i] = st.text.String()
	}
	return out
}

// label puts node n into its pool.
func label(ctx context.Context, client kubernetes.Interface, n int, users []*user) error {
	pool, victim := "shared", false
	for _, u := range users {
		victim = u.victim == fmt.Sprintf("node-%d", n)
		if victim || u.victim == fmt.Sprintf("node-%d", n-1) {
			pool = u.pool
			break
		}
	}
	patch := fmt.Sprintf(`{"metadata":{"labels":{"pool":%q,"victim":"%t"}}}`, pool, victim)
	_, err := client.CoreV1().Nodes().Patch(ctx, fmt.Sprintf("node-%d", n), types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	return err
}

// place lets a Pod run in the pool, on the victim rather than elsewhere, and
// tells its program when the workload begins.
func (u *user) place(pod *corev1.PodSpec) {
	in := func(key, value string) corev1.NodeSelectorTerm {
		return corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{value}}}}
	}
	pod.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution:  &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{in("pool", u.pool)}},
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{Weight: 100, Preference: in("victim", "true")}},
	}}
	c := &pod.Containers[0]
	c.Command[len(c.Command)-1] = u.begun(c.Command[len(c.Command)-1])
	if u.w.crowds() {
		c.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(podCPU)}
	}
}

// story is a workload as it is played.
type story struct {
	*user
	text strings.Builder
}

// tell plays the stories, by the clock: what was there before each step, what
// the API objected to it, and what was there in the end.
func tell(ctx context.Context, stories []*story) {
	type scene struct {
		at   time.Duration
		play func(context.Context)
	}
	var scenes []scene
	for _, st := range stories {
		// Upstream's caches have what was there before the Job when it comes.
		scenes = append(scenes, scene{-measure, func(ctx context.Context) { st.object(st.prepare(ctx)) }})
		scenes = append(scenes, scene{0, func(ctx context.Context) { st.object(st.create(ctx)) }})
		at := userAt
		for _, s := range st.w.Steps {
			at += time.Duration(s.Wait) * measure
			scenes = append(scenes, scene{at, func(ctx context.Context) {
				st.observe(ctx, false)
				fmt.Fprintf(&st.text, "== after %s: %s %s %d\n", at, s.Verb, s.Arg, s.N)
				st.object(st.act(ctx, s))
			}})
		}
		scenes = append(scenes, scene{st.w.duration(), func(ctx context.Context) { st.observe(ctx, true) }})
	}
	slices.SortStableFunc(scenes, func(a, b scene) int { return int(a.at - b.at) })
	begin := stories[0].w.begins()
	for _, sc := range scenes {
		time.Sleep(time.Until(begin.Add(sc.at)))
		// Whatever else happens at this instant comes first.
		synctest.Wait()
		sc.play(ctx)
	}
}

// object notes what the API says against a step.
func (s *story) object(err error) {
	if err != nil {
		fmt.Fprintln(&s.text, anonymous(err.Error()))
	}
}
