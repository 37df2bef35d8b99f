package hook

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubesim-dev/kubesim/kubelet-sim/cri"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/request"
)

var noon = time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)

// sleeper is a container that sleeps.
func sleeper(t *testing.T) cri.Process {
	t.Helper()
	r := cri.Simulated()
	root, err := r.Root("busybox", noon)
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.Start(program.Spec{Image: "busybox", Command: []string{"sleep", "infinity"}, User: -1, Group: -1, Root: root}, noon)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func id() string { return "0a1b" }

// settle lets a program go on as long as it does at noon.
func settle(p cri.Process) {
	for s := p.State(); !s.Exited && !s.WakeAt.IsZero() && !s.WakeAt.After(noon.Add(time.Second)); s = p.State() {
		p.Resume(s.WakeAt)
	}
}

func TestCommand(t *testing.T) {
	for name, tc := range map[string]struct {
		argv            []string
		start           string // the error with which it does not start
		output, failure string
	}{
		"it succeeds":             {[]string{"echo", "fine"}, "", "fine\n", ""},
		"it fails":                {[]string{"sh", "-c", "echo a; echo b >&2; exit 3"}, "", "a\nb\n", "command 'sh -c echo a; echo b >&2; exit 3' exited with 3: b\n"},
		"there is no such file":   {[]string{"nosuch"}, `rpc error: code = Unknown desc = failed to exec in container: failed to start exec "0a1b": OCI runtime exec failed: exec failed: unable to start container process: exec: "nosuch": executable file not found in $PATH: unknown`, "", ""},
		"it prints ever so much":  {[]string{"sh", "-c", "yes | head -n 20000"}, "", strings.Repeat("y\n", outputMax/2), ""},
		"it prints too much of b": {[]string{"sh", "-c", "echo a; yes b | head -n 20000 >&2; exit 1"}, "", "a\n" + strings.Repeat("b\n", outputMax/2-1), "command 'sh -c echo a; yes b | head -n 20000 >&2; exit 1' exited with 1: " + strings.Repeat("b\n", outputMax/2)},
	} {
		t.Run(name, func(t *testing.T) {
			p := sleeper(t)
			c, err := Run(p, tc.argv, id, noon)
			if tc.start != "" {
				if err == nil || err.Error() != tc.start {
					t.Errorf("error %v, want %s", err, tc.start)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			settle(p)
			code, ended := c.Exited()
			if !ended || c.Output() != tc.output {
				t.Errorf("ended %t, output of %d bytes, want %d: %.40q", ended, len(c.Output()), len(tc.output), c.Output())
			}
			switch err := c.Failure(code); {
			case (err == nil) != (tc.failure == ""):
				t.Errorf("failure %v, want %.80q", err, tc.failure)
			case err != nil && err.Error() != tc.failure:
				t.Errorf("failure of %d bytes, want %d: %.80q", len(err.Error()), len(tc.failure), err)
			}
		})
	}
}

// nobody listens.
type nobody struct{}

func (nobody) Serve(int32, kernel.Request, time.Time) (kernel.Response, bool) {
	return kernel.Response{}, false
}
func (nobody) Listens(int32) bool { return false }

// TestHandler: how each kind of hook begins and, if it fails, what it says.
func TestHandler(t *testing.T) {
	target := request.Target{IP: "10.244.0.7", Container: &corev1.Container{}, Servers: nobody{}}
	for name, tc := range map[string]struct {
		handler corev1.LifecycleHandler
		want    string // its error
		ended   bool   // at once
		until   time.Duration
		runs    bool
	}{
		"a command": {corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}}, "", false, 0, true},
		"a command that does not start": {corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"nosuch"}}},
			`Exec lifecycle hook ([nosuch]) for Container "main" in Pod "web_default(1)" failed - error: no such file, message: ""`, true, 0, false},
		"a request that nobody hears": {corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/stop", Port: intstr.FromInt(80), Scheme: corev1.URISchemeHTTP}},
			`HTTP lifecycle hook (/stop) for Container "main" in Pod "web_default(1)" failed - error: Get "http://10.244.0.7:80/stop": dial tcp 10.244.0.7:80: connect: connection refused`, true, 0, false},
		"a sleep":         {corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 90}}, "", false, 90 * time.Second, false},
		"a sleep of zero": {corev1.LifecycleHandler{Sleep: &corev1.SleepAction{}}, "", true, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			run := func(argv []string) (*Command, error) {
				if argv[0] == "nosuch" {
					return nil, errors.New("no such file")
				}
				return &Command{argv: argv}, nil
			}
			begun, command := Handler{&tc.handler, "main", "web_default(1)"}.Begin(run, target, noon)
			if begun.Error != tc.want || begun.Done(noon) != tc.ended || (command != nil) != tc.runs {
				t.Errorf("got %+v, command %v", begun, command)
			}
			if tc.until > 0 && !begun.Until.Equal(noon.Add(tc.until)) {
				t.Errorf("until %v", begun.Until)
			}
			if command == nil {
				return
			}
			command.print(kernel.Chunk{Data: []byte("oops\n"), Stderr: true})
			Handler{&tc.handler, "main", "web_default(1)"}.End(begun, command, 3)
			want := `Exec lifecycle hook ([true]) for Container "main" in Pod "web_default(1)" failed - error: command 'true' exited with 3: oops` + "\n" + `, message: "oops\n"`
			if !begun.Done(noon) || begun.Error != want {
				t.Errorf("when it has failed: %+v\nwant %s", begun, want)
			}
		})
	}
}
