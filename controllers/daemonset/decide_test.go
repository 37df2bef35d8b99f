package daemonset

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func noon() time.Time { return time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC) }

// scene is what a step finds: a DaemonSet whose present template has the hash new.
type scene struct {
	ds        *appsv1.DaemonSet
	nodes     []*corev1.Node
	pods      []*corev1.Pod
	revisions []*appsv1.ControllerRevision
	failures  failures
	now       time.Time
}

func newScene(edits ...func(*scene)) *scene {
	s := &scene{now: noon(), ds: &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "1", Generation: 1},
		Spec: appsv1.DaemonSetSpec{
			Template:             corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}}},
			RevisionHistoryLimit: new(int32(1)),
			UpdateStrategy: appsv1.DaemonSetUpdateStrategy{Type: appsv1.RollingUpdateDaemonSetStrategyType, RollingUpdate: &appsv1.RollingUpdateDaemonSet{
				MaxUnavailable: new(intstr.FromInt32(1)), MaxSurge: new(intstr.FromInt32(0)),
			}},
		},
	}}
	revision("new", 2)(s)
	for _, edit := range edits {
		edit(s)
	}
	return s
}

func nodes(names ...string) func(*scene) {
	return func(s *scene) {
		for _, name := range names {
			s.nodes = append(s.nodes, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}})
		}
	}
}

func tainted(name string, effect corev1.TaintEffect) func(*scene) {
	return func(s *scene) {
		nodes(name)(s)
		s.nodes[len(s.nodes)-1].Spec.Taints = []corev1.Taint{{Key: "k", Effect: effect}}
	}
}

// pod adds one that is ready since noon, unless edits say otherwise.
func pod(name, node, hash string, edits ...func(*corev1.Pod)) func(*scene) {
	return func(s *scene) {
		p := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Labels: map[string]string{appsv1.DefaultDaemonSetUniqueLabelKey: hash}, CreationTimestamp: metav1.NewTime(noon())},
			Spec:       corev1.PodSpec{NodeName: node},
			Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{
				{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon())},
			}},
		}
		for _, edit := range edits {
			edit(p)
		}
		s.pods = append(s.pods, p)
	}
}

func phase(phase corev1.PodPhase) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Status = corev1.PodStatus{Phase: phase} }
}

func readyFor(d time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Status.Conditions[0].LastTransitionTime = metav1.NewTime(noon().Add(-d)) }
}

func leaving(p *corev1.Pod) { p.DeletionTimestamp = new(metav1.NewTime(noon())) }

func pendingFor(node string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		template := corev1.PodTemplateSpec{}
		p.Spec = newPod(&appsv1.DaemonSet{}, &template, node).Spec
		p.Status = corev1.PodStatus{Phase: corev1.PodPending}
	}
}

// revision adds one of the present template if its name is new or begins so.
func revision(name string, number int64) func(*scene) {
	return func(s *scene) {
		rev := &appsv1.ControllerRevision{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{appsv1.DefaultDaemonSetUniqueLabelKey: name}}, Revision: number,
			Data: runtime.RawExtension{Raw: []byte("old")},
		}
		if strings.HasPrefix(name, "new") {
			rev.Data.Raw = []byte("present")
		}
		s.revisions = append(s.revisions, rev)
	}
}

func noRevisions(s *scene)               { s.revisions = nil }
func onDelete(s *scene)                  { s.ds.Spec.UpdateStrategy.Type = appsv1.OnDeleteDaemonSetStrategyType }
func minReady10(s *scene)                { s.ds.Spec.MinReadySeconds = 10 }
func after(d time.Duration) func(*scene) { return func(s *scene) { s.now = noon().Add(d) } }

func rolling(unavailable, surge int32) func(*scene) {
	return func(s *scene) {
		s.ds.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateDaemonSet{
			MaxUnavailable: new(intstr.FromInt32(unavailable)), MaxSurge: new(intstr.FromInt32(surge)),
		}
	}
}

func failedBefore(node string, count int, at time.Duration) func(*scene) {
	return func(s *scene) {
		s.failures.Nodes = map[string]failure{node: {count, noon().Add(at)}}
	}
}

// decide returns the plan in words.
func (s *scene) decide(t *testing.T) []string {
	t.Helper()
	judged := &template{verdicts: map[string]verdict{}}
	before := fmt.Sprint(s.ds, s.pods, s.revisions, s.failures)
	p := decide(s.ds, s.pods, s.revisions, cluster{
		Nodes: judged.judgeAll(s.ds, s.nodes), Patch: []byte("present"), Failures: s.failures,
		Revision: func(name string) (*appsv1.ControllerRevision, bool) {
			for _, rev := range s.revisions {
				if rev.Name == name {
					return rev, true
				}
			}
			return nil, false
		},
	}, s.now)
	if after := fmt.Sprint(s.ds, s.pods, s.revisions, s.failures); after != before {
		t.Errorf("its arguments have changed:\n%s\n%s", before, after)
	}
	return s.tell(p)
}

func (s *scene) tell(p plan) []string {
	var lines []string
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for _, rev := range p.History.Update {
		say("number %d: %s %s", rev.Revision, rev.Name, rev.Labels[appsv1.DefaultDaemonSetUniqueLabelKey])
	}
	for _, pod := range p.History.Relabel {
		say("relabel %s %s", pod.Name, pod.Labels[appsv1.DefaultDaemonSetUniqueLabelKey])
	}
	for _, rev := range p.History.Remove {
		say("unite %s", rev.Name)
	}
	if rev := p.History.Create; rev != nil {
		say("number %d: create %s, present %t", rev.Revision, rev.Name, bytes.Equal(rev.Data.Raw, []byte("present")))
	}
	for _, e := range p.Events {
		say("tell %s %s", e.kind, e.message)
	}
	for _, node := range p.Create {
		say("create on %s", node)
	}
	for _, pod := range p.Delete {
		say("delete %s", pod.Name)
	}
	for _, rev := range p.Trim {
		say("trim %s", rev.Name)
	}
	if p.Refusal != nil {
		say("refuse: %s", p.Refusal)
	}
	if p.Collided {
		say("collision %d", *p.Status.CollisionCount)
	}
	if wake := p.wake(); !wake.At.IsZero() {
		say("again after %s", wake.At.Sub(noon()))
	}
	return lines
}

func TestDecide(t *testing.T) {
	ended := func(p *corev1.Pod) { phase(corev1.PodFailed)(p); leaving(p) }
	for name, tc := range map[string]struct {
		scene *scene
		want  []string
	}{
		"a Pod on each Node that it fits": {newScene(nodes("a", "b"), tainted("c", corev1.TaintEffectNoSchedule), pod("x", "a", "new")), []string{"create on b"}},
		"it tolerates what happens to Nodes": {newScene(func(s *scene) {
			nodes("a")(s)
			s.nodes[0].Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}, {Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoExecute}}
		}), []string{"create on a"}},
		"a Pod stays on a Node that takes no new ones": {newScene(tainted("a", corev1.TaintEffectNoSchedule), pod("x", "a", "new")), nil},
		"and goes if it is not tolerated":              {newScene(tainted("a", corev1.TaintEffectNoExecute), pod("x", "a", "new"), pod("y", "a", "new", leaving)), []string{"delete x"}},
		"what waits for a Node that is gone goes":      {newScene(pod("x", "", "new", pendingFor("a")), pod("y", "b", "new")), []string{"delete x"}},
		"the oldest of several stays":                  {newScene(nodes("a"), pod("y", "a", "new"), pod("x", "a", "new"), pod("w", "", "new", pendingFor("a"))), []string{"delete y", "delete w"}},
		"nothing is created beside one that leaves":    {newScene(nodes("a"), pod("x", "a", "new", leaving)), nil},
		"unless that has ended":                        {newScene(nodes("a"), pod("x", "a", "new", ended)), []string{"create on a"}},
		"one that has succeeded is replaced": {newScene(nodes("a"), pod("x", "a", "new", phase(corev1.PodSucceeded))),
			[]string{"tell Normal Found succeeded daemon pod default/x on node a, will try to delete it", "delete x"}},
		"one that has failed is replaced": {newScene(nodes("a"), pod("x", "a", "new", phase(corev1.PodFailed))),
			[]string{"tell Warning Found failed daemon pod default/x on node a, will try to kill it", "delete x"}},
		"the next one waits":                      {newScene(nodes("a"), pod("x", "a", "new", phase(corev1.PodFailed)), failedBefore("a", 3, 0), after(time.Second)), []string{"again after 5s"}},
		"a look that is to come is not put off":   {newScene(nodes("a"), pod("x", "a", "new", phase(corev1.PodFailed)), failedBefore("a", 3, 0), after(time.Second), func(s *scene) { s.failures.LookAt = noon().Add(4 * time.Second) }), []string{"again after 4s"}},
		"another generation does not wait":        {newScene(nodes("a"), pod("x", "a", "new", phase(corev1.PodFailed)), failedBefore("a", 3, 0), func(s *scene) { s.ds.Status.ObservedGeneration = 2 }), []string{"tell Warning Found failed daemon pod default/x on node a, will try to kill it", "delete x"}},
		"a failure of long ago does not count":    {newScene(nodes("a"), pod("x", "a", "new", phase(corev1.PodFailed)), failedBefore("a", 30, -31*time.Minute)), []string{"tell Warning Found failed daemon pod default/x on node a, will try to kill it", "delete x"}},
		"a quarter of an hour is the longest":     {newScene(nodes("a"), pod("x", "a", "new", phase(corev1.PodFailed)), failedBefore("a", 30, 0)), []string{"again after 15m0s"}},
		"a rollout replaces one":                  {newScene(nodes("a", "b"), pod("x", "a", "old"), pod("y", "b", "old")), []string{"delete x"}},
		"as many as may be missing":               {newScene(nodes("a", "b", "c"), rolling(2, 0), pod("x", "a", "old"), pod("y", "b", "old"), pod("z", "c", "old")), []string{"delete x", "delete y"}},
		"it waits for those that are not ready":   {newScene(nodes("a", "b"), pod("x", "a", "new", phase(corev1.PodPending)), pod("y", "b", "old")), nil},
		"but not for old ones":                    {newScene(nodes("a", "b"), pod("x", "a", "old"), pod("y", "b", "old", phase(corev1.PodPending))), []string{"delete y"}},
		"it waits for minReadySeconds":            {newScene(nodes("a", "b"), minReady10, pod("x", "a", "new"), pod("y", "b", "old", readyFor(time.Hour)), after(9*time.Second)), []string{"again after 10s"}},
		"and goes on then":                        {newScene(nodes("a", "b"), minReady10, pod("x", "a", "new"), pod("y", "b", "old"), after(10*time.Second)), []string{"delete y"}},
		"it waits until Pods are created":         {newScene(nodes("a", "b"), rolling(2, 0), pod("y", "b", "old")), []string{"create on a"}},
		"OnDelete replaces none":                  {newScene(nodes("a"), onDelete, pod("x", "a", "old")), nil},
		"with a surge, a new one comes first":     {newScene(nodes("a", "b"), rolling(0, 1), pod("x", "a", "old"), pod("y", "b", "old")), []string{"create on a"}},
		"and the old one goes when it is ready":   {newScene(nodes("a", "b"), rolling(0, 1), pod("w", "a", "new"), pod("x", "a", "old"), pod("y", "b", "old")), []string{"delete x"}},
		"what does not work is no surge":          {newScene(nodes("a", "b"), rolling(0, 1), pod("x", "a", "old"), pod("y", "b", "old", phase(corev1.PodPending))), []string{"create on b", "create on a"}},
		"a surge ends at its limit":               {newScene(nodes("a", "b"), rolling(0, 1), pod("w", "a", "new", phase(corev1.PodPending)), pod("x", "a", "old"), pod("y", "b", "old")), nil},
		"a new one replaces what became unready":  {newScene(nodes("a"), rolling(0, 1), pod("w", "a", "new", phase(corev1.PodPending)), pod("x", "a", "old", phase(corev1.PodPending))), []string{"delete x"}},
		"after a rollback the newer one goes":     {newScene(nodes("a"), rolling(0, 1), pod("w", "a", "new"), pod("x", "a", "new")), []string{"delete x"}},
		"with a surge, one leaves and one comes":  {newScene(nodes("a"), rolling(0, 1), pod("x", "a", "new", leaving)), []string{"create on a"}},
		"a surge needs the Node of an old Pod":    {newScene(rolling(0, 1), pod("x", "a", "old")), []string{`refuse: couldn't get node for nodeName "a": node "a" not found`}},
		"where it runs no more, a Pod stays":      {newScene(nodes("a"), tainted("b", corev1.TaintEffectNoSchedule), rolling(0, 1), pod("y", "a", "new", phase(corev1.PodPending)), pod("x", "b", "old")), nil},
		"until another one does its work":         {newScene(nodes("a"), tainted("b", corev1.TaintEffectNoSchedule), rolling(0, 1), pod("y", "a", "new"), pod("x", "b", "old")), []string{"delete x"}},
		"a template without a revision gets one":  {newScene(noRevisions, revision("old", 4)), []string{"number 5: create web-d446d945d, present true"}},
		"a rollback makes a revision the newest":  {newScene(revision("old", 4)), []string{"number 5: new new"}},
		"a revision without a hash gets its name": {newScene(func(s *scene) { s.revisions[0].Labels = nil }), []string{"number 2: new new"}},
		"equal revisions become one":              {newScene(nodes("a"), revision("newer", 3), pod("x", "a", "new")), []string{"relabel x newer", "unite new"}},
		"a name that is taken is a collision": {newScene(noRevisions, nodes("a"), func(s *scene) {
			revision("web-d446d945d", 1)(s)
		}), []string{"collision 1"}},
		"old revisions go, unless a Pod has them": {newScene(nodes("a"), onDelete, revision("o1", 1), revision("o2", -1), revision("o3", 0), pod("x", "a", "o2")), []string{"trim o3", "trim o1"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.scene.decide(t)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStatus(t *testing.T) {
	s := newScene(nodes("a", "b", "c", "d"), tainted("e", corev1.TaintEffectNoSchedule), minReady10, after(10*time.Second),
		pod("x", "a", "new"), pod("y", "b", "old"), pod("z", "c", "new", phase(corev1.PodPending)), pod("v", "e", "new"),
		func(s *scene) {
			s.pods[1].Status.Conditions[0].LastTransitionTime = metav1.NewTime(noon().Add(time.Second))
		})
	judged := &template{verdicts: map[string]verdict{}}
	got := decide(s.ds, s.pods, s.revisions, cluster{Nodes: judged.judgeAll(s.ds, s.nodes), Patch: []byte("present")}, s.now).Status
	want := appsv1.DaemonSetStatus{
		ObservedGeneration: 1, DesiredNumberScheduled: 4, CurrentNumberScheduled: 3, NumberMisscheduled: 1,
		NumberReady: 2, NumberAvailable: 1, NumberUnavailable: 3, UpdatedNumberScheduled: 2,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}
