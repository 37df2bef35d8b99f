package script

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// Bounds of what the fuzz test runs. Units: bytes; bytes; Resumes.
const (
	fuzzTextMax    = 8 << 10
	fuzzMemoryMax  = 16 << 20
	fuzzResumesMax = 20
)

// FuzzPodScript takes any text for a PodScript. What validation lets pass says the same
// after it was stored, and what it has a container do comes to an end when it is killed.
func FuzzPodScript(f *testing.F) {
	examples, err := filepath.Glob("../../docs/scripts/*.yaml")
	if err != nil || len(examples) == 0 {
		f.Fatalf("no examples: %v", err)
	}
	for _, example := range examples {
		data, err := os.ReadFile(example)
		if err != nil {
			f.Fatal(err)
		}
		for document := range strings.SplitSeq(string(data), "\n---\n") {
			f.Add(document, byte(1), uint64(7))
		}
	}
	f.Add(`{metadata: {name: a}, spec: {match: {indexes: "0,3-5", image: "*a*b*", owner: {kind: Job}}, attempts: [{indexes: "3", steps: [{signal: SIGSEGV, percent: 50}, {usage: {cpu: 1e9, memory: 1Ei}}, {ready: false}, {hang: {}}]}]}}`, byte(0), uint64(3))
	f.Add(`{metadata: {name: a}, spec: {attempts: [{steps: [{shell: "while :; do echo x; done"}]}, {steps: [{wait: 87600h}, {evict: {message: m}}]}]}}`, byte(0), uint64(0))
	catalog := program.NewCatalog()
	f.Fuzz(func(t *testing.T, text string, n byte, draw uint64) {
		if len(text) > fuzzTextMax {
			return // longer than a script of interest
		}
		s := &v1alpha1.PodScript{}
		if yaml.UnmarshalStrict([]byte(text), s) != nil {
			return
		}
		if errs := v1alpha1.ValidatePodScript(s); len(errs) > 0 {
			for _, err := range errs {
				if !strings.HasPrefix(err.Field, "metadata") && !strings.HasPrefix(err.Field, "spec") {
					t.Errorf("an error about the field %q: %v", err.Field, err)
				}
			}
			return
		}
		storedIsSame(t, s)
		for _, index := range []string{"", "0", "3"} {
			pod := Owned{Pod: podOf(index)}
			if Find([]*v1alpha1.PodScript{s}, pod, &pod.Spec.Containers[0], false) != nil && mismatch(&s.Spec.Match, pod, &pod.Spec.Containers[0], false) != "" {
				t.Error("Find takes a script that does not match")
			}
			Explain([]*v1alpha1.PodScript{s, s}, pod)
			if p := NewPlay(s, pod.Pod, int(n), func(step int) uint64 { return draw + uint64(step) }); p != nil {
				play(t, catalog, p)
			}
		}
	})
}

func podOf(index string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "default"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "busybox"}}}}
	if index != "" {
		p.Annotations = map[string]string{"batch.kubernetes.io/job-completion-index": index}
	}
	return p
}

func storedIsSame(t *testing.T, s *v1alpha1.PodScript) {
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	again := &v1alpha1.PodScript{}
	if err := json.Unmarshal(data, again); err != nil {
		t.Fatal(err)
	}
	if errs := v1alpha1.ValidatePodScript(again); len(errs) > 0 || !apiequality.Semantic.DeepEqual(s.Spec, again.Spec) {
		t.Errorf("stored and read again it is another script: %v\n%s", errs, data)
	}
}

// play runs p for some Resumes, and then kills it.
func play(t *testing.T, catalog *program.Catalog, p *Play) {
	_ = p.PullError()
	if d, _ := p.PullTime(); d < 0 {
		t.Errorf("the pull takes %v", d)
	}
	main, _ := p.Main(nil)
	c, err := program.Start(program.Spec{
		Image: "busybox", Command: []string{"true"}, User: -1, Group: -1, Main: main,
		Catalog: catalog, MemoryLimit: fuzzMemoryMax, Output: func(program.Chunk) {},
	}, noon.Time)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	now := noon.Time
	for range fuzzResumesMax {
		s := c.State()
		if s.Exited || s.WakeAt.IsZero() {
			break
		}
		if s.WakeAt.Before(now) {
			t.Fatalf("it wakes at %v, before %v", s.WakeAt, now)
		}
		now = s.WakeAt
		c.Resume(now)
	}
	for _, signal := range []kernel.Signal{kernel.SIGTERM, kernel.SIGKILL} {
		now = now.Add(time.Second)
		if !c.State().Exited {
			c.Signal(signal, now)
		}
	}
	if s := c.State(); !s.Exited {
		t.Errorf("it goes on after SIGKILL: %+v", s)
	}
	for _, crash := range c.Crashes() {
		t.Errorf("crash: %s", crash)
	}
}
