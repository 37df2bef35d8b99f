package picture

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kubesim-dev/kubesim/internal/explain"
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
func texts(t *testing.T, s *explain.Story) []svgText {
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
func noOverlap(t *testing.T, s *explain.Story) {
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

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func row(object string, bars ...explain.Bar) explain.Row {
	return explain.Row{Object: object, Bars: bars}
}

func between(phase explain.Phase, from, to time.Duration) explain.Bar {
	return explain.Bar{Phase: phase, From: noon.Add(from), To: noon.Add(to)}
}

func exits(code int32, from, to time.Duration) explain.Bar {
	b := between(explain.Running, from, to)
	b.Exit = &code
	return b
}

func TestTextsOfAPictureDoNotOverlap(t *testing.T) {
	const s, m = time.Second, time.Minute
	crowd := explain.Row{Object: "job/crowd", Bars: []explain.Bar{between(explain.Active, 0, m)}}
	for i := range 12 {
		crowd.Marks = append(crowd.Marks, explain.Mark{At: noon.Add(time.Duration(i) * 5 * s), Text: fmt.Sprintf("parallelism changed from %d to %d", i, i+1)})
	}
	restarts := row("pod/restarts")
	for i := range 40 {
		at := time.Duration(i) * s
		restarts.Bars = append(restarts.Bars, exits(137, at, at+s/2), between(explain.BackOff, at+s/2, at+s))
	}
	many := explain.Story{Target: explain.Target{Kind: "Job", Namespace: "default", Name: "many"}, Start: noon}
	for i := range 300 {
		many.Rows = append(many.Rows, row("pod/many-"+strconv.Itoa(i), exits(int32(i%3), time.Duration(i)*s, time.Duration(i+10)*s)))
	}
	few, crowded, ordinals, autoscaled := rollout(1, 2), rollout(1000, 9), places(12, 9), scaled(7, 100)
	for name, story := range map[string]explain.Story{
		"a rollout of one":    few,
		"a thousand replicas": crowded,
		"twelve ordinals":     ordinals,
		"seven metrics":       autoscaled,
		"nothing":             {Start: noon},
		"an instant":          {Start: noon, Rows: []explain.Row{row("pod/a", between(explain.Pending, 0, 0))}},
		"many marks":          {Start: noon, Rows: []explain.Row{crowd}},
		"many restarts":       {Start: noon, Rows: []explain.Row{restarts}},
		"three hundred Pods":  many,
		"names as long as is": {Start: noon, Rows: []explain.Row{row("pod/"+strings.Repeat("long-", 50), exits(255, 0, s))}},
		"a hostile name":      {Target: explain.Target{Kind: "Job", Namespace: "<&>", Name: `"'`}, Start: noon, Rows: []explain.Row{row("pod/<script>\x00", exits(1, 0, s))}},
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
	story := explain.Story{Target: explain.Target{Kind: "Job", Namespace: "default", Name: "pi"}, Start: noon}
	for i := range 20 {
		story.Rows = append(story.Rows, row(fmt.Sprintf("pod/p%d", i), between(explain.Running, 0, time.Minute)))
	}
	draw := func() string {
		var out strings.Builder
		if err := SVG(&out, &story); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	first := draw()
	for range 20 {
		if again := draw(); again != first {
			t.Fatal("another picture of the same story")
		}
	}
}

// rollout is a story whose Deployment goes through some versions.
func rollout(replicas int32, versions int) explain.Story {
	s := explain.Story{Target: explain.Target{Kind: "Deployment", Namespace: "default", Name: "a"}, Start: noon, Chart: &explain.Chart{}}
	s.Rows = append(s.Rows, explain.Row{Object: "deployment/a", Bars: []explain.Bar{between(explain.RollingOut, 0, time.Minute)}})
	for v := range versions {
		sample := explain.Sample{At: noon.Add(time.Duration(v) * time.Second), Want: replicas, Most: replicas + replicas/4 + 1, Least: replicas - replicas/4}
		sample.Ready, sample.Unready = make([]int32, v+1), make([]int32, v+1)
		sample.Ready[v], sample.Unready[v] = replicas/2, replicas-replicas/2
		s.Chart.Samples = append(s.Chart.Samples, sample)
		s.Chart.Versions = append(s.Chart.Versions, "replicaset/a-"+strconv.Itoa(v))
		s.Rows = append(s.Rows, row("replicaset/a-"+strconv.Itoa(v)), row("pod/a-"+strconv.Itoa(v), between(explain.Running, 0, time.Minute)))
	}
	return s
}

// TestTheChartStandsOnWhatIsReady draws one version below the other: two of three are
// ready, so the ready ones take two thirds of the height.
func TestTheChartStandsOnWhatIsReady(t *testing.T) {
	s := rollout(2, 1)
	s.Chart.Samples[0].Most, s.Chart.Samples[0].Ready, s.Chart.Samples[0].Unready = 3, []int32{2}, []int32{1}
	var out strings.Builder
	if err := SVG(&out, &s); err != nil {
		t.Fatal(err)
	}
	const bottom, third = rowsY + chartHeight, chartHeight / 3
	for class, want := range map[string]string{
		"v0":         fmt.Sprintf("%d", bottom-2*third),
		"v0 unready": fmt.Sprintf("%d", bottom-3*third),
	} {
		_, path, _ := strings.Cut(out.String(), `<path class="`+class+`" d="`)
		_, up, _ := strings.Cut(path, "V")
		if got, _, _ := strings.Cut(up, "H"); got != want {
			t.Errorf("%s reaches to %q, want %q", class, got, want)
		}
	}
}
