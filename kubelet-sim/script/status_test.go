package script

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/controllers/engine"
)

var noon = metav1.NewTime(time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC))

func after(d time.Duration) metav1.Time { return metav1.NewTime(noon.Add(d)) }

func TestStatusOf(t *testing.T) {
	at := func(d time.Duration) *metav1.Time { return new(after(d)) }
	for name, tc := range map[string]struct {
		old             v1alpha1.PodScriptStatus
		newest          metav1.Time
		matches, active int
		want            v1alpha1.PodScriptStatus
	}{
		"no Pods":                         {want: v1alpha1.PodScriptStatus{}},
		"the first Pod":                   {newest: noon, matches: 1, active: 1, want: v1alpha1.PodScriptStatus{Matches: 1, Active: 1, LastMatchTime: at(0)}},
		"a newer Pod":                     {v1alpha1.PodScriptStatus{Matches: 1, LastMatchTime: at(0)}, after(time.Hour), 2, 1, v1alpha1.PodScriptStatus{Matches: 2, Active: 1, LastMatchTime: at(time.Hour)}},
		"the newest Pod is gone":          {v1alpha1.PodScriptStatus{Matches: 1, LastMatchTime: at(0)}, metav1.Time{}, 0, 0, v1alpha1.PodScriptStatus{LastMatchTime: at(0)}},
		"an older Pod is seen only later": {v1alpha1.PodScriptStatus{LastMatchTime: at(time.Hour)}, noon, 1, 0, v1alpha1.PodScriptStatus{Matches: 1, LastMatchTime: at(time.Hour)}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, status(&tc.old, tc.newest, tc.matches, tc.active)); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
		})
	}
}

func ran(scripts string, phase corev1.PodPhase) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p", Annotations: map[string]string{v1alpha1.ScriptAnnotation: scripts}},
		Status:     corev1.PodStatus{Phase: phase, StartTime: &noon},
	}
}

// TestAPodConcernsFewScripts keeps the cluster from looking at a script for every
// change of its Pods.
func TestAPodConcernsFewScripts(t *testing.T) {
	e, err := engine.New(engine.Config{Mode: engine.Manual, Speed: 1, Start: noon.Time})
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewStatus(StatusConfig{Engine: e, API: struct{ engine.API }{}})
	if err != nil {
		t.Fatal(err)
	}
	var none engine.Object
	for name, tc := range map[string]struct {
		how      watch.EventType
		old, pod engine.Object
		want     []string
	}{
		"no script runs it":          {watch.Added, none, ran("", corev1.PodRunning), nil},
		"one has begun":              {watch.Modified, ran("", corev1.PodPending), ran("a", corev1.PodRunning), []string{"a"}},
		"another has begun too":      {watch.Modified, ran("a", corev1.PodRunning), ran("a,b", corev1.PodRunning), []string{"b"}},
		"something else has changed": {watch.Modified, ran("a", corev1.PodPending), ran("a", corev1.PodRunning), nil},
		"it has ended":               {watch.Modified, ran("a,b", corev1.PodRunning), ran("a,b", corev1.PodFailed), []string{"a", "b"}},
		"it is gone":                 {watch.Deleted, ran("a", corev1.PodFailed), ran("a", corev1.PodFailed), []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, key := range s.Observe(engine.Commit{Type: tc.how, Resource: engine.Pods, Object: tc.pod, Old: tc.old}) {
				got = append(got, key.Name)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("scripts (-want +got):\n%s", diff)
			}
		})
	}
}
