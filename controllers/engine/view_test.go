package engine

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

func onNode(namespace, name, node string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: corev1.PodSpec{NodeName: node}}
}

func names(pods []*corev1.Pod) []string {
	var out []string
	for _, p := range pods {
		out = append(out, p.Namespace+"/"+p.Name)
	}
	return out
}

func TestView(t *testing.T) {
	v := newView()
	v.Index(Pods, "node", func(o Object) []string { return []string{o.(*corev1.Pod).Spec.NodeName} })
	put := func(typ watch.EventType, p *corev1.Pod) { v.apply(Commit{Type: typ, Resource: Pods, Object: p}) }
	put(watch.Added, onNode("b", "x", "n1"))
	put(watch.Added, onNode("a", "z", "n1"))
	put(watch.Added, onNode("a", "y", "n2"))
	put(watch.Added, onNode("ab", "w", "n2"))

	for name, tc := range map[string]struct{ got, want []string }{
		"lists are sorted by namespace and name": {names(List[*corev1.Pod](v, Pods, "")), []string{"a/y", "a/z", "ab/w", "b/x"}},
		"a namespace is not a prefix":            {names(List[*corev1.Pod](v, Pods, "a")), []string{"a/y", "a/z"}},
		"an index finds by value":                {names(ByIndex[*corev1.Pod](v, Pods, "node", "n1")), []string{"a/z", "b/x"}},
		"an unknown value finds nothing":         {names(ByIndex[*corev1.Pod](v, Pods, "node", "n3")), nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.got); diff != "" {
				t.Errorf("Pods (-want +got):\n%s", diff)
			}
		})
	}

	if two, none := v.CountByIndex(Pods, "node", "n2"), v.CountByIndex(Pods, "node", "n3"); two != 2 || none != 0 {
		t.Errorf("CountByIndex: %d Pods on n2, %d on n3, want 2 and 0", two, none)
	}

	put(watch.Modified, onNode("a", "z", "n3"))
	put(watch.Deleted, onNode("b", "x", "n1"))
	if got := ByIndex[*corev1.Pod](v, Pods, "node", "n1"); got != nil {
		t.Errorf("node n1 still has %v after its Pods moved and went", names(got))
	}
	if p, ok := Get[*corev1.Pod](v, Pods, "a", "z"); !ok || p.Spec.NodeName != "n3" {
		t.Errorf("Get(a/z) = %v, %v, want the newest state", p, ok)
	}
	if _, ok := Get[*corev1.Pod](v, Pods, "b", "x"); ok {
		t.Error("Get(b/x) found a deleted Pod")
	}
}

func TestAnIndexMayNameAValueTwice(t *testing.T) {
	v := newView()
	v.Index(Pods, "twice", func(Object) []string { return []string{"a", "a"} })
	p := onNode("a", "x", "")
	v.apply(Commit{Type: watch.Added, Resource: Pods, Object: p})
	v.apply(Commit{Type: watch.Deleted, Resource: Pods, Object: p})
	if got := ByIndex[*corev1.Pod](v, Pods, "twice", "a"); got != nil {
		t.Errorf("a deleted Pod is still filed: %v", names(got))
	}
}

func TestRandom(t *testing.T) {
	a, b, other := NewRandom(7, 0), NewRandom(7, 0), NewRandom(8, 0)
	restarted := NewRandom(7, 100)
	for range 100 {
		uid := a.UID()
		if got := b.UID(); got != uid {
			t.Fatalf("one seed gave %s and %s", uid, got)
		}
		if other.UID() == uid || restarted.UID() == uid {
			t.Fatalf("%s came again under another seed or stream", uid)
		}
	}
	if a.Derive("x") != NewRandom(7, 5).Derive("x") {
		t.Error("Derive depends on more than seed and name")
	}
	if len(a.Suffix(5)) != 5 {
		t.Error("Suffix(5) is not 5 characters long")
	}
}
