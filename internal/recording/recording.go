// Package recording writes what clients do to a cluster into a file, as a scenario that
// plays to the same event log.
package recording

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/cluster"
	"github.com/kubesim-dev/kubesim/internal/datadir"
	"github.com/kubesim-dev/kubesim/internal/manifest"
	"github.com/kubesim-dev/kubesim/internal/pki"
	"github.com/kubesim-dev/kubesim/internal/scenario"
)

// Recording is what a cluster's clients do, in a file.
type Recording struct {
	file *os.File
	head scenario.Spec
	// What follows is set when the cluster has begun.
	steps *scenario.Recorder
	now   func() time.Time
}

var _ cluster.Recorder = (*Recording)(nil)

// New returns a recording in file, for cluster.Options.Recorder. Its head says what a run
// depends on: the other options, and the feature gates of the process.
func New(file *os.File, o *cluster.Options, featureGates map[string]bool) *Recording {
	seed, nodes := o.Seed, o.Nodes
	spec := scenario.Spec{Seed: &seed, Nodes: &nodes, Clock: string(o.Mode), Server: scenario.Server{
		Authorization: o.Authorization, DisableAdmissionPlugins: o.DisableAdmissionPlugins,
		AdmissionConfiguration: o.AdmissionConfiguration, FeatureGates: featureGates,
	}}
	if !slices.Equal(o.Controllers, []string{"*"}) {
		spec.Server.Controllers = o.Controllers
	}
	if o.AutoMax != 0 {
		spec.Server.AutoMax = o.AutoMax.String()
	}
	if o.ServiceClusterIPRange != apiserver.DefaultServiceClusterIPRange {
		spec.Server.ServiceClusterIPRange = o.ServiceClusterIPRange
	}
	if o.Memory != 0 {
		spec.Server.Memory = resource.NewQuantity(o.Memory, resource.BinarySI).String()
	}
	if o.CompactionInterval != 0 {
		spec.Server.CompactionInterval = o.CompactionInterval.String()
	}
	return &Recording{file: file, head: spec}
}

// Begin implements cluster.Recorder.
func (r *Recording) Begin(start time.Time, now func() time.Time) (err error) {
	r.now = now
	if r.steps, err = scenario.NewRecorder(r.file, r.head, start); err != nil {
		return fmt.Errorf("--record %s: %w", r.file.Name(), err)
	}
	return nil
}

// Request implements apiserver.Recorder.
func (r *Recording) Request(req *http.Request, who user.Info, body []byte, phase apiserver.Phase) {
	q := scenario.Request{
		Method: req.Method, Path: untimed(req.URL).RequestURI(), ContentType: req.Header.Get("Content-Type"),
		User: who.GetName(), UserAgent: req.UserAgent(), Phase: string(phase),
	}
	for _, group := range who.GetGroups() {
		if group != user.AllAuthenticated { // everybody is
			q.Groups = append(q.Groups, group)
		}
	}
	if q.User == pki.Administrator && slices.Equal(q.Groups, []string{pki.Administrators}) {
		q.User, q.Groups = "", nil
	}
	r.steps.Step(scenario.Recorded(r.now(), q, body))
}

// Session implements apiserver.Recorder.
func (r *Recording) Session(req *http.Request, who user.Info) {
	r.steps.Gap(r.now(), fmt.Sprintf("%s %s by %s: it lasts", req.Method, req.URL.Path, who.GetName()), false)
}

// untimed is a URL without how long the client waits: a replay takes its time.
func untimed(u *url.URL) *url.URL {
	query := u.Query()
	if !query.Has("timeout") {
		return u
	}
	query.Del("timeout")
	out := *u
	out.RawQuery = query.Encode()
	return &out
}

// Clock implements cluster.Recorder.
func (r *Recording) Clock(c engine.Command) {
	switch {
	case c.Action == engine.SetMode && c.Mode == engine.Realtime:
		r.steps.Gap(c.At, "clock mode realtime: from here on what happens depends on the machine", true)
	default:
		command := scenario.ClockCommand{Action: string(c.Action), Duration: c.Duration, Time: c.Until, Mode: string(c.Mode)}
		r.steps.Step(scenario.RecordedClock(c.At, command, c.Early))
	}
}

// TakenBack implements cluster.Recorder.
func (r *Recording) TakenBack(what string) {
	r.steps.Gap(r.now(), what+": what was there before has not happened", true)
}

// State returns how many things could not be recorded, and why nothing can be any more.
func (r *Recording) State() (gaps int, err error) { return r.steps.State() }

// readRecording reads what can be played again. It is held several times while it is sent.
func readRecording(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err == nil && info.Size() > manifest.FileMax {
		err = fmt.Errorf("%d MB, more than 'kubesim run' takes: copy the file on the server's machine", info.Size()>>20)
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(name)
}

// Read returns the scenario so far, and how many things it could not take.
func (r *Recording) Read() (scenario string, gaps int, err error) {
	gaps, err = r.steps.State()
	var text []byte
	if err == nil {
		text, err = readRecording(r.file.Name())
	}
	if err != nil {
		return "", 0, fmt.Errorf("--record %s: %w", r.file.Name(), datadir.Cause(err))
	}
	return string(text), gaps, nil
}
