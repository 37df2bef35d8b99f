package scenario

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestARecordingIsReadAsItWas: whatever a request's body is, and whenever somebody looks.
func TestARecordingIsReadAsItWas(t *testing.T) {
	bodies := []string{
		"", `{"kind":"Job"}` + "\n", "kind: Job\n---\nkind: Pod\n", "  indented\n\ttab\n", "\n\nlast \n\n", "- a: |\n    b", "#", "k8s\x00\x01\xff", "\r\n", "é…\u2028",
		"'", `"`, "~", "1e3", strings.Repeat("long ", 400),
	}
	var buf bytes.Buffer
	seed, nodes := uint64(7), 0
	at := defaultStart().Add(1500 * time.Millisecond)
	r, err := NewRecorder(&buf, Spec{Seed: &seed, Nodes: &nodes, Clock: "auto"}, at)
	if err != nil {
		t.Fatal(err)
	}
	var want []Step
	for i, body := range bodies {
		request := Request{Method: "POST", Path: "/api/v1/namespaces?a=b", ContentType: "application/json", User: "somebody", Groups: []string{"all: of", "- them"}}
		r.Step(Recorded(at, request, []byte(body)))
		s, err := Parse("f.yaml", buf.Bytes())
		if err != nil {
			t.Fatalf("after body %d, %q: %v\n%s", i, body, err, buf.String())
		}
		got := s.Spec.Steps[i].Request
		if text := got.Body + string(got.Base64); text != body {
			t.Errorf("body %q is read as %q", body, text)
		}
		want = append(want, Recorded(at, request, []byte(body)))
		if s.Seed() != 7 || s.Nodes() != 0 || s.Clock() != "auto" || !s.Start.Equal(at) || !s.Spec.EndsWithSteps || !s.steps[i].instant.Equal(at) {
			t.Errorf("the head is read as %+v", s.Spec)
		}
	}
	s, err := Parse("f.yaml", buf.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(len(want), len(s.Spec.Steps)); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestAfterTheEndNothingIsRecorded(t *testing.T) {
	var buf bytes.Buffer
	r, err := NewRecorder(&buf, Spec{}, defaultStart())
	if err != nil {
		t.Fatal(err)
	}
	r.Gap(defaultStart(), "an exec", false)
	r.Step(RecordedClock(defaultStart(), ClockCommand{Action: "advance", Duration: time.Minute}, false))
	r.Gap(defaultStart(), "a rewind", true)
	r.Step(Step{Note: "later"})
	s, err := Parse("f.yaml", buf.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if gaps, err := r.State(); gaps != 2 || err != nil || len(s.Spec.Steps) != 3 || s.Spec.Steps[1].Clock != "advance 1m0s" {
		t.Errorf("%d gaps, %v, steps %+v", gaps, err, s.Spec.Steps)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestARecordingThatCannotBeWrittenSaysSo(t *testing.T) {
	r := &Recorder{w: brokenWriter{}}
	r.Step(Step{Note: "a"})
	if _, err := r.State(); err == nil || err.Error() != "no space left" {
		t.Errorf("the error is %v", err)
	}
}
