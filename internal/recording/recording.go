package recording

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/manifest"
	"github.com/kubesim-dev/kubesim/internal/scenario"
)

// recordPath is where a running server gives its recording.
const recordPath = "/kubesim/record"

// recordingStatus is the answer.
type recordingStatus struct {
	// Scenario is the file so far.
	Scenario string `json:"scenario"`
	// Gaps counts what could not be recorded.
	Gaps int `json:"gaps,omitempty"`
}

func newRecord(s streams) *cobra.Command {
	var kubeconfig, output string
	cmd := &cobra.Command{
		Use:   "record [-o SCENARIO.yaml]",
		Short: "Get what clients have done to a running server, as a scenario",
		Long: "Get what clients have done to a running server, as a scenario that 'kubesim run' plays to the same event log.\n\n" +
			"The server must have been started with --record, in clock mode auto or manual.",
		Example: "  kubesim serve --ephemeral --clock auto --record all.yaml &\n" +
			"  kubesim record -o session.yaml\n" +
			"  kubesim run session.yaml --log session.log",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var r recordingStatus
			if err := askServer(cmd.Context(), kubeconfig, http.MethodGet, recordPath, nil, &r); err != nil {
				return err
			}
			if r.Gaps > 0 {
				fmt.Fprintf(s.err, "%d things could not be recorded: look for \"not recorded\" in the scenario\n", r.Gaps)
			}
			if output == "" || output == "-" {
				_, err := io.WriteString(s.document, r.Scenario)
				return err
			}
			file, err := createPrivate(output)
			if err == nil {
				_, err = file.WriteString(r.Scenario)
				err = errors.Join(err, file.Close())
			}
			if err != nil {
				return fmt.Errorf("--output %s: %w", output, rootCause(err))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&kubeconfig, "kubeconfig", "", "kubeconfig `file` of the server (default $KUBECONFIG, then ~/.kubesim/kubeconfig)")
	cmd.Flags().StringVarP(&output, "output", "o", "", "`file` to write to (default: stdout)")
	return cmd
}

// recording is what a cluster's clients do, in a file.
type recording struct {
	*scenario.Recorder
	file *os.File
	now  func() time.Time
}

var _ apiserver.Recorder = (*recording)(nil)

// createRecord creates the file of --record.
func (f *serveFlags) createRecord() (*os.File, error) {
	file, err := createPrivate(f.record)
	if err != nil {
		return nil, fmt.Errorf("--record %s: %w", f.record, rootCause(err))
	}
	f.Options.featureGates = f.featureGates
	return file, nil
}

// newRecording begins one, of a cluster that is new.
func newRecording(o Options, start time.Time, now func() time.Time) (*recording, error) {
	seed, nodes := o.Seed, o.Nodes
	spec := scenario.Spec{Seed: &seed, Nodes: &nodes, Clock: string(o.Mode), Server: scenario.Server{
		Authorization: o.Authorization, DisableAdmissionPlugins: o.DisableAdmissionPlugins, FeatureGates: o.featureGates,
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
	r, err := scenario.NewRecorder(o.Record, spec, start)
	if err != nil {
		return nil, fmt.Errorf("--record %s: %w", o.Record.Name(), err)
	}
	return &recording{Recorder: r, file: o.Record, now: now}, nil
}

// Request implements apiserver.Recorder.
func (r *recording) Request(req *http.Request, who user.Info, body []byte, phase apiserver.Phase) {
	q := scenario.Request{
		Method: req.Method, Path: untimed(req.URL).RequestURI(), ContentType: req.Header.Get("Content-Type"),
		User: who.GetName(), UserAgent: req.UserAgent(), Phase: string(phase),
	}
	for _, group := range who.GetGroups() {
		if group != user.AllAuthenticated { // everybody is
			q.Groups = append(q.Groups, group)
		}
	}
	if q.User == administrator && slices.Equal(q.Groups, []string{administratorsGroup}) {
		q.User, q.Groups = "", nil
	}
	r.Step(scenario.Recorded(r.now(), q, body))
}

// Session implements apiserver.Recorder.
func (r *recording) Session(req *http.Request, who user.Info) {
	r.Gap(r.now(), fmt.Sprintf("%s %s by %s: it lasts", req.Method, req.URL.Path, who.GetName()), false)
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

// clock records a command of the clock, when it has been done.
func (r *recording) clock(c engine.Command) {
	switch {
	case r == nil:
	case c.Action == engine.SetMode && c.Mode == engine.Realtime:
		r.Gap(c.At, "clock mode realtime: from here on what happens depends on the machine", true)
	default:
		command := scenario.ClockCommand{Action: string(c.Action), Duration: c.Duration, Time: c.Until, Mode: string(c.Mode)}
		r.Step(scenario.RecordedClock(c.At, command, c.Early))
	}
}

// turned says that the cluster was taken back.
func (r *recording) turned(q historyRequest) {
	if r != nil {
		r.Gap(r.now(), strings.TrimSpace(q.Action+" "+q.Name+q.To)+": what was there before has not happened", true)
	}
}

// ServeHTTP answers recordPath.
func (r *recording) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodGet {
		http.Error(w, "the recording answers GET", http.StatusMethodNotAllowed)
		return
	}
	text, gaps, err := r.read()
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// A client that has gone away is not our concern.
	_ = json.NewEncoder(w).Encode(recordingStatus{Scenario: text, Gaps: gaps})
}

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

func (r *recording) read() (string, int, error) {
	if r == nil {
		return "", 0, errors.New("this server records nothing: start it with --record FILE")
	}
	gaps, err := r.State()
	var text []byte
	if err == nil {
		text, err = readRecording(r.file.Name())
	}
	if err != nil {
		return "", 0, fmt.Errorf("--record %s: %w", r.file.Name(), rootCause(err))
	}
	return string(text), gaps, nil
}
