package app

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/internal/explain"
	"github.com/kubesim-dev/kubesim/internal/handlers"
)

// TestWhatAServerIsAsked: one request a command, but for a Clock that has to settle first.
func TestWhatAServerIsAsked(t *testing.T) {
	const clock = "/apis/sim.kubesim.dev/v1alpha1/clocks/cluster"
	const merge, plain = "application/merge-patch+json", "application/json"
	for line, want := range map[string][]string{
		"clock":                            {"GET " + clock + " " + plain + " "},
		"clock show":                       {"GET " + clock + " " + plain + " "},
		"clock pause":                      {"PATCH " + clock + " " + merge + ` {"spec":{"paused":true}}`, "GET " + clock + "/settled " + plain + " "},
		"clock resume":                     {"PATCH " + clock + " " + merge + ` {"spec":{"paused":false}}`, "GET " + clock + "/settled " + plain + " "},
		"clock mode realtime --speed 2.5":  {"PATCH " + clock + " " + merge + ` {"spec":{"mode":"realtime","speed":2.5}}`, "GET " + clock + "/settled " + plain + " "},
		"clock next":                       {"POST " + clock + "/advance " + plain + ` {"next":true}`},
		"clock advance 1h30m":              {"POST " + clock + "/advance " + plain + ` {"duration":"1h30m"}`},
		"clock until 2026-12-24T18:00:00Z": {"POST " + clock + "/advance " + plain + ` {"until":"2026-12-24T18:00:00Z"}`},
		"snapshot list":                    {"GET " + handlers.HistoryPath + " " + plain + " "},
		"snapshot save before":             {"POST " + handlers.HistoryPath + " " + plain + ` {"action":"save","name":"before"}`},
		"record":                           {"GET " + handlers.RecordPath + " " + plain + " "},
		"explain job pi":                   {"GET " + handlers.ExplainPath + "?kind=Job&name=pi&namespace=work " + plain + " "},
		"explain po/a -n b":                {"GET " + handlers.ExplainPath + "?kind=Pod&name=a&namespace=b " + plain + " "},
		"explain jobs.batch --commits":     {"GET " + handlers.ExplainPath + "?commits=true&kind=Job&name=&namespace=work&numbered=false " + plain + " "},
		"explain CJ a --commits --json --number-names": {"GET " + handlers.ExplainPath + "?commits=true&kind=CronJob&name=a&namespace=work&numbered=true " + plain + " "},
	} {
		t.Run(line, func(t *testing.T) {
			var asked []string
			kubeconfig := server(t, func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				asked = append(asked, r.Method+" "+r.URL.String()+" "+r.Header.Get("Content-Type")+" "+string(body))
				_, _ = io.WriteString(w, "{}")
			})
			if got := runLine(line + " --kubeconfig " + kubeconfig); got.Status != exitOK {
				t.Errorf("%+v", got)
			}
			if diff := cmp.Diff(want, asked); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

var newYear = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// clock is what a server answers of its clock; a wait of 0 is for none.
func clock(mode string, speed float64, paused bool, wait time.Duration) *v1alpha1.Clock {
	c := &v1alpha1.Clock{Spec: v1alpha1.ClockSpec{Mode: mode, Speed: speed, Paused: paused}}
	c.Status = v1alpha1.ClockStatus{Now: metav1.NewMicroTime(newYear), Settled: true}
	if wait > 0 {
		c.Status.NextTimer = new(metav1.NewMicroTime(newYear.Add(wait)))
	}
	return c
}

func TestClockIsShown(t *testing.T) {
	for name, tc := range map[string]struct {
		clock *v1alpha1.Clock
		want  string
	}{
		"auto":                 {clock("auto", 1, false, 0), "mode:  auto\nnow:   2026-01-01T00:00:00Z\nnext:  none\n"},
		"with a timer":         {clock("manual", 1, false, 10*time.Minute), "mode:  manual\nnow:   2026-01-01T00:00:00Z\nnext:  2026-01-01T00:10:00Z\n"},
		"ten times as fast":    {clock("realtime", 10, false, 0), "mode:  realtime ×10\nnow:   2026-01-01T00:00:00Z\nnext:  none\n"},
		"half as fast, paused": {clock("realtime", 0.5, true, 0), "mode:  realtime ×0.5, paused\nnow:   2026-01-01T00:00:00Z\nnext:  none\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(result{exitOK, tc.want, ""}, runLine("clock --kubeconfig "+server(t, answers(t, tc.clock)))); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSnapshotsAreShown(t *testing.T) {
	var two handlers.HistoryStatus
	if err := json.Unmarshal([]byte(`{"snapshots":[
		{"name":"before","revision":12,"time":"2026-01-01T00:00:00Z","bytes":4096},
		{"name":"broken","error":"it is cut off"}]}`), &two); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		answer handlers.HistoryStatus
		want   result
	}{
		"none": {handlers.HistoryStatus{}, result{exitOK, "", "No snapshots found.\n"}},
		"two":  {two, result{exitOK, "NAME     REVISION       TIME                   BYTES\nbefore   12             2026-01-01T00:00:00Z   4096\nbroken   <unreadable>                          \n", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, runLine("snapshot list --kubeconfig "+server(t, answers(t, tc.answer)))); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
		})
	}
}

// TestARevertIsAwaited: the server is asked until it has started again, and what became of
// it is told.
func TestARevertIsAwaited(t *testing.T) {
	const busy = `{"revert":3,"busy":true}`
	for name, tc := range map[string]struct {
		answers []string // the last one again and again
		want    result
	}{
		"it works": {
			[]string{busy, busy, `{"revert":3,"reverted":{"revision":7,"time":"2026-01-01T00:00:00Z","before":{"name":"auto-1"},"paused":true}}`},
			result{exitOK, "Rewound: revision 7, 2026-01-01T00:00:00Z.\nWhat was there before is snapshot auto-1.\nThe clock is paused; 'kubesim clock resume' lets it go on.\n", ""},
		},
		"it goes back to the beginning": {
			[]string{busy, `{"revert":3,"reverted":{"revision":0}}`},
			result{exitOK, "Rewound: revision 0, before the first write.\n", ""},
		},
		"it fails":               {[]string{busy, `{"revert":3,"error":"revision 7 is compacted"}`}, result{exitFailed, "", "kubesim: revision 7 is compacted\n"}},
		"somebody else was next": {[]string{busy, `{"revert":4}`}, result{exitFailed, "", "kubesim: somebody else has taken the cluster back since: 'kubesim snapshot list' shows what was there before\n"}},
		"another server":         {[]string{busy, `{"revert":1}`}, result{exitFailed, "", "kubesim: the server was started anew meanwhile\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			kubeconfig := server(t, func(w http.ResponseWriter, r *http.Request) {
				if (r.Method == http.MethodPost) != (n == 0) {
					t.Errorf("request %d is a %s", n, r.Method)
				}
				_, _ = io.WriteString(w, tc.answers[min(n, len(tc.answers)-1)])
				n++
			})
			if diff := cmp.Diff(tc.want, runLine("rewind 10m --kubeconfig "+kubeconfig)); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if n != len(tc.answers) {
				t.Errorf("%d requests, want %d", n, len(tc.answers))
			}
		})
	}
}

// TestARecordingIsWritten: exactly as it is, also where a terminal would obey it.
func TestARecordingIsWritten(t *testing.T) {
	const text = "kind: Scenario # \x1b[31m\n"
	kubeconfig := server(t, answers(t, handlers.RecordingStatus{Scenario: text, Gaps: 2}))
	gaps := "2 things could not be recorded: look for \"not recorded\" in the scenario\n"
	if diff := cmp.Diff(result{exitOK, text, gaps}, run("record", "--kubeconfig", kubeconfig)); diff != "" {
		t.Errorf("to stdout (-want +got):\n%s", diff)
	}
	file := filepath.Join(t.TempDir(), "all.yaml")
	if diff := cmp.Diff(result{exitOK, "", gaps}, run("record", "--kubeconfig", kubeconfig, "-o", file)); diff != "" {
		t.Errorf("to a file (-want +got):\n%s", diff)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != text {
		t.Errorf("the file has %q, %v", got, err)
	}
	nowhere := filepath.Join(t.TempDir(), "nosuch", "all.yaml")
	if got := run("record", "--kubeconfig", kubeconfig, "-o", nowhere); got.Status != exitFailed || !strings.HasSuffix(got.ErrOut, "kubesim: --output "+nowhere+": no such file or directory\n") {
		t.Errorf("to a directory that is not there: %+v", got)
	}
}

// TestAStoryForATerminal: what objects say is escaped where people read it, and exact in a
// document.
func TestAStoryForATerminal(t *testing.T) {
	story := explain.Story{Steps: []explain.Step{{What: "said \x1b[31m"}}}
	kubeconfig := server(t, answers(t, story))
	for flag, exact := range map[string]bool{"": false, "--json": true, "--svg": true, "--dot": true} {
		got := runLine("explain job pi --kubeconfig " + kubeconfig + " " + flag)
		if got.Status != exitOK || strings.Contains(got.Out, "\x1b") {
			t.Errorf("%q: %+v", flag, got)
		}
		if exact && flag == "--json" && !json.Valid([]byte(got.Out)) {
			t.Errorf("%q: no JSON: %q", flag, got.Out)
		}
	}
}
