package explain

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestTheSameCommitsGiveTheSameStory(t *testing.T) {
	pi := jobNamed("pi")
	p := at(0).then(0, "client/ann", pi)
	for i := range 20 {
		p.then(0, "job/default/pi", podOf(pi, fmt.Sprintf("p%d", i)))
	}
	draw := func() string {
		s := Tell(Target{Kind: "Job", Namespace: "default", Name: "pi"}, p.commits, noon.Add(time.Hour))
		var out strings.Builder
		if err := errors.Join(json.NewEncoder(&out).Encode(s), Dot(&out, &s), Print(&out, &s)); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	first := draw()
	for range 20 {
		if again := draw(); again != first {
			t.Fatal("another story of the same commits")
		}
	}
}

func TestRowsShowWhatContainersDid(t *testing.T) {
	const s = time.Second
	pi := jobNamed("pi")
	running := func(p *corev1.Pod) {
		p.Status.Phase = corev1.PodRunning
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "c", ContainerID: "c1", State: corev1.ContainerState{
			Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(noon.Add(2 * s))},
		}}}
	}
	p := at(0).then(0, "client/ann", pi).then(0, "job/default/pi", podOf(pi, "a")).
		then(s, "lifecycle/default/a", eventAbout("Pod", "a", "Pulling", "Pulling image", 1)).
		then(s, "lifecycle/default/a", eventAbout("Pod", "a", "Pulled", "Pulled image", 1)).
		then(0, "lifecycle/default/a", podOf(pi, "a", running)).
		then(3*s, "client/ann", podOf(pi, "a", running, deleting)).
		then(s, "lifecycle/default/a", podOf(pi, "a", exited(137, 6*s), deleting)).
		then(0, "job/default/pi", jobNamed("pi", uncountedFailed("a")))
	story := Tell(Target{Kind: "Job", Namespace: "default", Name: "pi"}, p.commits, noon.Add(8*s))
	var got []string
	for _, r := range story.Rows {
		for _, b := range r.Bars {
			got = append(got, fmt.Sprintf("%s %s..%s", r.Object, Offset(b.From.Sub(noon)), b))
		}
	}
	want := []string{
		"job/pi 0s..active 8s", "job/pi 6s..back-off 2s",
		"pod/a 0s..pending 1s", "pod/a 1s..pulling 1s", "pod/a 2s..running 3s", "pod/a 5s..terminating 1s, exit code 137",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if holds := story.Rows[0].Bars[1]; !holds.Open {
		t.Error("the back-off goes on, and is not open")
	}
}
