package script

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

// scripts reads one script a line, "name: {match}".
func scripts(t *testing.T, lines string) []*v1alpha1.PodScript {
	t.Helper()
	var all []*v1alpha1.PodScript
	for line := range strings.Lines(lines) {
		name, match, _ := strings.Cut(line, ": ")
		s := &v1alpha1.PodScript{}
		s.Name, s.Spec.Attempts = name, []v1alpha1.Attempt{{Steps: []v1alpha1.Step{{Exit: new(int32)}}}}
		if err := yaml.UnmarshalStrict([]byte(match), &s.Spec.Match); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

func TestExplain(t *testing.T) {
	pod := &corev1.Pod{}
	const manifest = `
metadata: {namespace: team, name: p, labels: {app: web}, ownerReferences: [{kind: Job, name: nightly, controller: true}]}
spec: {initContainers: [{name: prepare, image: alpine}], containers: [{name: main, image: "busybox:1.36"}]}`
	if err := yaml.UnmarshalStrict([]byte(manifest), pod); err != nil {
		t.Fatal(err)
	}
	owned := Owned{pod, append(pod.OwnerReferences[:1:1], metav1.OwnerReference{Kind: "CronJob", Name: "night"})}
	for name, tc := range map[string]struct {
		scripts string
		want    []string // those of container main, but for the first case
	}{
		"nothing set":                     {"a: {}", []string{"a main: "}},
		"the image":                       {"a: {image: nginx}", []string{`a main: spec.match.image is "nginx", the container's is "busybox:1.36"`}},
		"the namespace":                   {"a: {namespace: default}", []string{`a main: spec.match.namespace is "default", the Pod's is "team"`}},
		"the container":                   {"a: {container: prepare}", []string{`a main: spec.match.container is "prepare", the container is "main"`}},
		"the owner":                       {"a: {owner: {kind: ReplicaSet}}", []string{`a main: spec.match.owner is {kind: "ReplicaSet", name: ""}, the Pod's is Job "nightly", of CronJob "night"`}},
		"the owner's owner":               {"a: {owner: {kind: CronJob, name: nig*}}", []string{"a main: "}},
		"a kind with the name of another": {"a: {owner: {kind: CronJob, name: nightly}}", []string{`a main: spec.match.owner is {kind: "CronJob", name: "nightly"}, the Pod's is Job "nightly", of CronJob "night"`}},
		"the labels":                      {"a: {podSelector: {matchLabels: {app: db}}}", []string{`a main: spec.match.podSelector is "app=db", the Pod's labels are "app=web"`}},
		"the index":                       {`a: {indexes: "0-3"}`, []string{`a main: spec.match.indexes is "0-3", this is a Pod without an index`}},
		"the first runs it":               {"a: {image: busybox*}\nb: {}", []string{"a main: ", `b main: PodScript "a", whose name comes first, matches too`}},
		"of two one runs it":              {"a: {image: nginx}\nb: {image: busybox*}", []string{`a main: spec.match.image is "nginx", the container's is "busybox:1.36"`, "b main: "}},
		"everything must hold":            {"a: {image: busybox*, namespace: other}", []string{`a main: spec.match.namespace is "other", the Pod's is "team"`}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, v := range Explain(scripts(t, tc.scripts), owned) {
				if v.Container == "main" {
					got = append(got, v.Script+" "+v.Container+": "+v.Why)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("verdicts (-want +got):\n%s", diff)
			}
		})
	}
	all := Explain(scripts(t, "a: {}"), owned)
	if want := (Verdict{"a", "prepare", "spec.match.container is not set: init containers are run only by a script that sets it"}); all[0] != want {
		t.Errorf("the init container: %+v, want %+v", all[0], want)
	}
	third := pod.DeepCopy()
	third.Annotations = map[string]string{"batch.kubernetes.io/job-completion-index": "3"}
	own := scripts(t, "a: {}")
	own[0].Spec.Attempts[0].Indexes = "0,1"
	if got, want := Explain(own, Owned{Pod: third})[1].Why, "spec.attempts has none for a Pod of index 3"; got != want {
		t.Errorf("an index without attempts: %q, want %q", got, want)
	}
}
