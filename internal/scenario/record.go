package scenario

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

// Recorder writes what clients do to a cluster as the steps of a scenario, each as soon
// as it is known. It may be told from any goroutine.
//
// Invariant: what has been written is a valid file at any time.
type Recorder struct {
	mu  sync.Mutex
	w   io.Writer
	err error
	// gaps counts what could not be recorded; ended: nothing is any more.
	gaps  int
	ended bool
}

// NewRecorder begins a recording of a cluster that spec describes, from its start on.
func NewRecorder(w io.Writer, spec Spec, start time.Time) (*Recorder, error) {
	spec.StartTime, spec.EndsWithSteps = start.UTC().Format(time.RFC3339Nano), true
	head, err := yaml.Marshal(file{APIVersion: APIVersion, Kind: Kind, Metadata: metadata{Name: "recording"}, Spec: spec})
	if err != nil {
		return nil, err
	}
	const comment = "# What clients did to a cluster, from its start on: 'kubesim run' does it again, and the event\n" +
		"# log (--log) is the same.\n"
	// The spec comes last, so that its steps can follow.
	_, err = fmt.Fprintf(w, "%s%s  steps:\n", comment, head)
	return &Recorder{w: w}, err
}

// Step records one.
func (r *Recorder) Step(s Step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended {
		r.write(s)
	}
}

func (r *Recorder) write(s Step) {
	data, err := yaml.Marshal(s)
	if err == nil {
		var text strings.Builder
		prefix := "  - "
		for line := range strings.Lines(string(data)) {
			text.WriteString(prefix + line)
			prefix = "    "
		}
		_, err = io.WriteString(r.w, text.String())
	}
	if r.err == nil {
		r.err = err
	}
}

// Gap says that something has happened that a scenario cannot do again; with end, that
// nothing after it can be.
func (r *Recorder) Gap(at time.Time, what string, end bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return
	}
	r.gaps++
	r.ended = end
	r.write(Step{Instant: instant(at), Note: "not recorded: " + what})
}

// State says how many gaps there are, and why nothing can be written any more.
func (r *Recorder) State() (gaps int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.gaps, r.err
}

// instant is how a step says when it was recorded.
func instant(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// Recorded returns the step that does a request again, as it was at an instant.
func Recorded(at time.Time, q Request, body []byte) Step {
	if plain(body) {
		q.Body = string(body)
	} else {
		q.Base64 = body
	}
	return Step{Instant: instant(at), Request: &q}
}

// RecordedClock returns the step that moves the clock again; early as in Step.
func RecordedClock(at time.Time, c ClockCommand, early bool) Step {
	return Step{Instant: instant(at), Clock: c.String(), Early: early}
}

// plain reports whether a body is text that YAML gives back as it was.
func plain(body []byte) bool {
	if !utf8.Valid(body) {
		return false
	}
	for _, r := range string(body) {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
