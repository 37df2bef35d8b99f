package explain

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// svgText is a text of a picture.
type svgText struct {
	Class string  `xml:"class,attr"`
	X     float64 `xml:"x,attr"`
	Y     float64 `xml:"y,attr"`
	Size  float64 `xml:"font-size,attr"`
	Text  string  `xml:",chardata"`
}

// texts reads a picture, which must be XML.
func texts(t *testing.T, s *Story) []svgText {
	t.Helper()
	var out strings.Builder
	if err := SVG(&out, s); err != nil {
		t.Fatal(err)
	}
	var found []svgText
	for d := xml.NewDecoder(strings.NewReader(out.String())); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, out.String())
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "text" {
			var text svgText
			if err := d.DecodeElement(&text, &start); err != nil {
				t.Fatal(err)
			}
			if text.Size == 0 {
				text.Size = 17 // the title
			}
			found = append(found, text)
		}
	}
}

// noOverlap fails if two texts of a picture share room, or one leaves the picture.
func noOverlap(t *testing.T, s *Story) {
	t.Helper()
	all := texts(t, s)
	for i, a := range all {
		if a.X < 0 || a.X+textWidth(a.Text, a.Size) > svgWidth+1 {
			t.Errorf("%q at %.0f leaves the picture", a.Text, a.X)
		}
		for _, b := range all[:i] {
			if a.Y-a.Size*0.8 < b.Y && b.Y-b.Size*0.8 < a.Y && a.X < b.X+textWidth(b.Text, b.Size) && b.X < a.X+textWidth(a.Text, a.Size) {
				t.Errorf("%q at %.0f,%.0f and %q at %.0f,%.0f overlap", a.Text, a.X, a.Y, b.Text, b.X, b.Y)
			}
		}
	}
}

func row(object string, bars ...Bar) Row { return Row{Object: object, Bars: bars} }

func between(phase Phase, from, to time.Duration) Bar {
	return Bar{Phase: phase, From: noon.Add(from), To: noon.Add(to)}
}

func exits(code int32, from, to time.Duration) Bar {
	b := between(Running, from, to)
	b.Exit = &code
	return b
}

func TestTextsOfAPictureDoNotOverlap(t *testing.T) {
	const s, m = time.Second, time.Minute
	crowd := Row{Object: "job/crowd", Bars: []Bar{between(Active, 0, m)}}
	for i := range 12 {
		crowd.Marks = append(crowd.Marks, Mark{At: noon.Add(time.Duration(i) * 5 * s), Text: fmt.Sprintf("parallelism changed from %d to %d", i, i+1)})
	}
	restarts := row("pod/restarts")
	for i := range 40 {
		at := time.Duration(i) * s
		restarts.Bars = append(restarts.Bars, exits(137, at, at+s/2), between(BackOff, at+s/2, at+s))
	}
	many := Story{Target: Target{"Job", "default", "many"}, Start: noon}
	for i := range 300 {
		many.Rows = append(many.Rows, row("pod/many-"+strconv.Itoa(i), exits(int32(i%3), time.Duration(i)*s, time.Duration(i+10)*s)))
	}
	for name, story := range map[string]Story{
		"nothing":             {Start: noon},
		"an instant":          {Start: noon, Rows: []Row{row("pod/a", between(Pending, 0, 0))}},
		"many marks":          {Start: noon, Rows: []Row{crowd}},
		"many restarts":       {Start: noon, Rows: []Row{restarts}},
		"three hundred Pods":  many,
		"names as long as is": {Start: noon, Rows: []Row{row("pod/"+strings.Repeat("long-", 50), exits(255, 0, s))}},
		"a hostile name":      {Target: Target{"Job", "<&>", `"'`}, Start: noon, Rows: []Row{row("pod/<script>\x00", exits(1, 0, s))}},
	} {
		t.Run(name, func(t *testing.T) { noOverlap(t, &story) })
	}
}

func TestTicksAreRoundAndHaveRoom(t *testing.T) {
	for span, want := range map[time.Duration]string{
		time.Second:                "0s 0.1s 0.2s 0.3s 0.4s 0.5s 0.6s 0.7s 0.8s 0.9s 1s",
		30 * time.Second:           "0s 5s 10s 15s 20s 25s 30s",
		5 * time.Minute:            "0s 30s 1m 1m30s 2m 2m30s 3m 3m30s 4m 4m30s 5m",
		13 * time.Minute:           "0s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 11m 12m 13m",
		50 * time.Hour:             "0s 6h 12h 18h 1d 1d6h 1d12h 1d18h 2d",
		400 * 24 * time.Hour:       "0s 28d 56d 84d 112d 140d 168d 196d 224d 252d 280d 308d 336d 364d 392d",
		10 * 365 * 24 * time.Hour:  "0s 280d 560d 840d 1120d 1400d 1680d 1960d 2240d 2520d 2800d 3080d 3360d 3640d",
		2*time.Hour + time.Minute:  "0s 10m 20m 30m 40m 50m 1h 1h10m 1h20m 1h30m 1h40m 1h50m 2h",
		200 * time.Millisecond / 2: "0s 0.1s",
	} {
		a := axis{start: noon, end: noon.Add(span), left: 100, width: 1000}
		var got []string
		for _, tick := range a.ticks() {
			got = append(got, tickText(tick))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, want %q", span, strings.Join(got, " "), want)
		}
	}
}

func TestTheSameStoryGivesTheSamePicture(t *testing.T) {
	pi := jobNamed("pi")
	p := at(0).then(0, "client/ann", pi)
	for i := range 20 {
		p.then(0, "job/default/pi", podOf(pi, fmt.Sprintf("p%d", i)))
	}
	draw := func() string {
		s := Tell(Target{Kind: "Job", Namespace: "default", Name: "pi"}, p.commits, noon.Add(time.Hour))
		var out strings.Builder
		if err := errors.Join(SVG(&out, &s), Dot(&out, &s), Print(&out, &s)); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	first := draw()
	for range 20 {
		if again := draw(); again != first {
			t.Fatal("another picture of the same commits")
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
			got = append(got, fmt.Sprintf("%s %s..%s", r.Object, offset(b.From.Sub(noon)), b))
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
