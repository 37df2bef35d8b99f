package app

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// result is what a command line has come to.
type result struct {
	Status      int
	Out, ErrOut string
}

// run runs a command line as the binary does.
func run(args ...string) result {
	var out, errOut bytes.Buffer
	status := Main(args, strings.NewReader(""), &out, &errOut)
	return result{status, out.String(), errOut.String()}
}

// runLine is run of a line without quotes.
func runLine(line string) result { return run(strings.Fields(line)...) }

// nowhere keeps the commands from the user's own cluster.
func nowhere(t *testing.T) (home string) {
	home = t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("KUBECONFIG", "")
	return home
}

// server is one that answers every request, and its kubeconfig.
func server(t *testing.T, answer http.HandlerFunc) (kubeconfig string) {
	t.Helper()
	nowhere(t)
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: s.URL}
	config.Contexts["c"] = &clientcmdapi.Context{Cluster: "c", Namespace: "work"}
	config.CurrentContext = "c"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// answers writes v as JSON.
func answers(t *testing.T, v any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	}
}

// write writes a file and returns its name.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestAWrongCommandLine: status 2, nothing on stdout, and on stderr one line that says
// what to write instead.
func TestAWrongCommandLine(t *testing.T) {
	nowhere(t)
	for line, want := range map[string]string{
		"nosuch":                          `kubesim: unknown argument "nosuch"`,
		"--nosuch":                        `unknown flag: --nosuch`,
		"version now":                     `kubesim version: unknown argument "now"`,
		"clock sideways":                  `kubesim clock: unknown argument "sideways"`,
		"clock advance":                   `kubesim clock advance: want one argument: DURATION, for example 10m`,
		"clock advance 10":                `clock advance "10": want a positive duration of at most 2562047h, for example 10m or 24h`,
		"clock advance -5m":               `unknown shorthand flag: '5' in -5m`,
		"clock until noon":                `clock until "noon": want RFC 3339, for example 2026-12-24T18:00:00Z`,
		"clock until a b":                 `kubesim clock until: want one argument: TIME, RFC 3339, for example 2026-12-24T18:00:00Z`,
		"clock mode fast":                 `clock mode "fast": want realtime, auto or manual`,
		"clock mode realtime --speed 0":   `--speed: `,
		"clock next now":                  `kubesim clock next: unknown argument "now"`,
		"check":                           `kubesim check: want one argument: DIR or FILE, for example ~/.kubesim`,
		"diff A.log":                      `kubesim diff: want two event logs, for example A.log B.log`,
		"snapshot save a b":               `kubesim snapshot save: want at most one NAME`,
		"snapshot restore":                `kubesim snapshot restore: want one argument: NAME, which 'kubesim snapshot list' shows`,
		"rewind":                          `kubesim rewind: want one argument: REVISION or DURATION, for example 10m`,
		"rewind yesterday":                `rewind "yesterday": want a revision`,
		"record all":                      `kubesim record: unknown argument "all"`,
		"run":                             `kubesim run: want one argument: SCENARIO.yaml`,
		"run a --seeds 0":                 `--seeds 0: want how many seeds to play, for example 100`,
		"run a --seed x":                  `invalid argument "x" for "--seed" flag`,
		"run a --seeds 2 --until-failure": `--seeds and --until-failure: want one of them`,
		"run a --seeds 2 --log l":         `--log: it is for one seed, not for many`,
		"run a --until-failure --quiet":   `--quiet: many seeds have no timeline`,
		"script test":                     `kubesim script test: want one argument: FILE, a manifest with PodScripts`,
		"script test a --for 0s":          `--for 0s, --delete-after 0s: want positive durations, for example 10m`,
		"explain":                         `explain: want a kind and a name, for example: kubesim explain job pi`,
		"explain job":                     `explain: want a kind and a name, for example: kubesim explain job pi`,
		"explain job a b":                 `explain: want a kind and a name, for example: kubesim explain job pi`,
		"explain node a":                  `explain: "node": can explain jobs, pods, cronjobs, deployments, replicasets, statefulsets, daemonsets and hpas: want a kind and a name, for example: kubesim explain job pi`,
		"explain job a --svg --dot":       `explain: --svg, --dot and --json: want one of them`,
		"explain job a --commits --svg":   `explain: --commits can be printed, not drawn: leave out --svg or --dot`,
		"explain job a --number-names":    `explain: --number-names is for --commits`,
		"snapshot list --kubeconfig a --data-dir b": `--kubeconfig and --data-dir: want one of them`,
	} {
		t.Run(line, func(t *testing.T) {
			got := runLine(line)
			if got.Status != exitUsage || got.Out != "" {
				t.Errorf("status %d, stdout %q, want status %d and nothing", got.Status, got.Out, exitUsage)
			}
			first, rest, _ := strings.Cut(got.ErrOut, "\n")
			if !strings.HasPrefix(first, "kubesim: "+want) || rest != "Run 'kubesim --help' for usage.\n" {
				t.Errorf("stderr %q, want %q", got.ErrOut, "kubesim: "+want)
			}
		})
	}
}

// TestWrongFlagsOfServe: it says so before it touches a file.
func TestWrongFlagsOfServe(t *testing.T) {
	home := nowhere(t)
	for flags, want := range map[string]string{
		"now":                                              `kubesim serve: unknown argument "now"`,
		"--clock fast":                                     `--clock: `,
		"--speed 0":                                        `--speed: `,
		"--speed -1":                                       `--speed: `,
		"--auto-max -1h":                                   `--auto-max -1h0m0s: want a positive duration, for example 24h, or 0 for no limit`,
		"--start-time yesterday":                           `--start-time "yesterday": want RFC 3339, for example 2026-01-01T00:00:00Z`,
		"--start-time 0001-01-01T00:00:00Z":                `--start-time `,
		"--nodes -1":                                       `--nodes -1: want 0 to `,
		"--nodes 1000000":                                  `--nodes 1000000: want 0 to `,
		"--memory much":                                    `--memory `,
		"--compaction-interval -5m":                        `--compaction-interval -5m0s: want a positive duration, for example 5m`,
		"--authorization none":                             `--authorization "none": want RBAC or AlwaysAllow`,
		"--controllers nosuch":                             `--controllers `,
		"--feature-gates NoSuch=true":                      `--feature-gates: unrecognized feature gate: NoSuch`,
		"--service-cluster-ip-range fd00::/64":             `--service-cluster-ip-range `,
		"--record all.yaml":                                `--record: want --clock auto or manual: in realtime it depends on the machine when a request is made, and so what follows`,
		"--listen=":                                        `--listen: want an address, for example 127.0.0.1:6443, or 127.0.0.1:0 for any free port`,
		"--storage sqlite":                                 `--storage "sqlite": want bbolt or etcd`,
		"--storage etcd":                                   `--storage etcd: want etcd's members too, for example --etcd-servers http://127.0.0.1:2379`,
		"--etcd-servers 127.0.0.1:2379":                    `--etcd-servers "127.0.0.1:2379": want a URL, for example http://127.0.0.1:2379`,
		"--etcd-prefix a":                                  `--etcd-prefix: the cluster does not lie in etcd: name etcd's members with --etcd-servers, and leave out --storage bbolt`,
		"--etcd-servers http://e --etcd-prefix /":          `--etcd-prefix "/": want a name, for example /registry`,
		"--etcd-servers http://e --etcd-certfile c":        `--etcd-certfile and --etcd-keyfile: want both or none`,
		"--etcd-servers http://e --clock auto":             `--clock auto: with --storage etcd several servers write to the cluster, and nobody can hold time still for all of them: leave it out, or have a cluster of one server with --storage bbolt`,
		"--etcd-servers http://e --speed 2":                `--speed 2: with --storage etcd time is the wall clock's, so that all servers agree: leave it out, or have a cluster of one server with --storage bbolt`,
		"--etcd-servers http://e --start-time x":           `--start-time x: with --storage etcd time is the wall clock's, so that all servers agree: leave it out, or have a cluster of one server with --storage bbolt`,
		"--etcd-servers http://e --ephemeral":              `--ephemeral: with --storage etcd it is etcd that writes to the disk (its own flag is --unsafe-no-fsync): leave it out, or have a cluster of one server with --storage bbolt`,
		"--etcd-servers http://e --compaction-interval 0s": `--compaction-interval 0s: want more than 0`,
		"--etcd-servers http://e --leader-elect-lease-duration 1ms": `--leader-elect-lease-duration 1ms: want 1s or more`,
		"--etcd-servers http://e --leader-elect-renew-deadline 20s": `--leader-elect-renew-deadline 20s: want less than --leader-elect-lease-duration 15s`,
		"--etcd-servers http://e --leader-elect-retry-period 9s":    `--leader-elect-retry-period 9s: want more than 0, and less than --leader-elect-renew-deadline 10s divided by 1.2`,
	} {
		t.Run(flags, func(t *testing.T) {
			got := run(append([]string{"serve"}, strings.Fields(flags)...)...)
			if got.Status != exitUsage || !strings.HasPrefix(got.ErrOut, "kubesim: "+want) {
				t.Errorf("status %d, stderr %q, want %d, %q", got.Status, got.ErrOut, exitUsage, "kubesim: "+want)
			}
		})
	}
	if left, err := os.ReadDir(home); err != nil || len(left) > 0 {
		t.Errorf("there is now %v, %v", left, err)
	}
}

// TestWithoutAServer: commands that ask one say how to start one, or where they looked.
func TestWithoutAServer(t *testing.T) {
	home := nowhere(t)
	none := "kubesim: no kubeconfig at " + filepath.Join(home, ".kubesim", "kubeconfig") + ": start a cluster with 'kubesim up' or 'kubesim serve', or name one with --kubeconfig\n"
	for _, line := range []string{"clock", "clock show", "clock advance 5m", "clock mode auto", "snapshot list", "snapshot save", "rewind 10m", "record", "explain job pi"} {
		if diff := cmp.Diff(result{exitFailed, "", none}, runLine(line)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
	}
	gone := server(t, answers(t, nil))
	text, err := os.ReadFile(gone)
	if err != nil {
		t.Fatal(err)
	}
	stopped := httptest.NewServer(nil)
	stopped.Close()
	at := stopped.URL
	kubeconfig := write(t, "kubeconfig", regexpServer(string(text), at))
	got := runLine("clock --kubeconfig " + kubeconfig)
	want := "kubesim: no answer from the server at " + at + ": "
	if got.Status != exitFailed || !strings.HasPrefix(got.ErrOut, want) || !strings.HasSuffix(got.ErrOut, ": is 'kubesim serve' running?\n") {
		t.Errorf("a server that has ended: %+v, want %q", got, want)
	}
}

// regexpServer puts another server into a kubeconfig.
func regexpServer(kubeconfig, url string) string {
	var lines []string
	for line := range strings.Lines(kubeconfig) {
		if before, _, ok := strings.Cut(line, "server: "); ok {
			line = before + "server: " + url + "\n"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "")
}

// TestWhatAServerObjects: its words are the error, whatever it is.
func TestWhatAServerObjects(t *testing.T) {
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"a Status": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"kind":"Status","message":"clocks is forbidden: no"}`))
		}, "kubesim: clocks is forbidden: no\n"},
		"a line": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "too busy", http.StatusTooManyRequests) }, "kubesim: too busy\n"},
		"a path that it has not": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
			"kubesim: the server at SERVER is no kubesim server: it has no /apis/sim.kubesim.dev/v1alpha1/clocks/cluster\n"},
		"no JSON": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
			"kubesim: the answer of the server at SERVER is unreadable: invalid character '<' looking for beginning of value\n"},
	} {
		t.Run(name, func(t *testing.T) {
			kubeconfig := server(t, tc.answer)
			got := runLine("clock --kubeconfig " + kubeconfig)
			text, err := os.ReadFile(kubeconfig)
			if err != nil {
				t.Fatal(err)
			}
			_, at, _ := strings.Cut(string(text), "server: ")
			at, _, _ = strings.Cut(at, "\n")
			if diff := cmp.Diff(result{exitFailed, "", strings.ReplaceAll(tc.want, "SERVER", at)}, got); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
		})
	}
}

// TestHelp: each command has it, on stdout, with status 0.
func TestHelp(t *testing.T) {
	for _, cmd := range newRoot(streams{}).Commands() {
		if cmd.DisableFlagParsing { // kubectl has its own
			continue
		}
		got := run(cmd.Name(), "--help")
		if got.Status != exitOK || got.ErrOut != "" || !strings.Contains(got.Out, "Usage:\n  kubesim "+cmd.Name()) {
			t.Errorf("%s --help: status %d, stdout %.200q, stderr %q", cmd.Name(), got.Status, got.Out, got.ErrOut)
		}
	}
	if got := run(); got.Status != exitOK || !strings.Contains(got.Out, "Available Commands:") {
		t.Errorf("without a command: %+v", got)
	}
}
