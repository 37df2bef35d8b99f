package e2e

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

var (
	repeatRuns     = flag.Int("repeat.runs", often(4, 2), "how often TestScenariosRepeat plays each scenario")
	repeatDraws    = flag.Int("repeat.scenarios", often(6, 3), "how many scenarios TestRandomScenariosRepeat draws")
	repeatSeed     = flag.Int("repeat.seed", 1, "decides which")
	repeatEmulated = flag.String("repeat.emulated", "", "a command that is a kubesim of another architecture, such as 'qemu-aarch64 bin/kubesim-arm64': it plays each scenario once more")
)

// way is how a scenario is played. None of it may change anything.
type way struct {
	kubesim []string
	// procs is GOMAXPROCS: how many threads run Go code at a time.
	procs int
	// restarts: the cluster is stopped and started again in between.
	restarts bool
}

func (w way) String() string {
	return fmt.Sprintf("%s, GOMAXPROCS=%d, restarts=%t", strings.Join(w.kubesim, " "), w.procs, w.restarts)
}

// ways are n of them, the plainest first.
func ways(n int) []way {
	all := make([]way, n)
	for i := range all {
		all[i] = way{[]string{"kubesim"}, []int{1, 2, 8}[i%3], i%2 == 1}
	}
	return all
}

// played is all that can be seen of a run.
type played struct {
	status           int
	timeline, events string
}

// play runs a scenario in a new process.
func play(t *testing.T, file string, w way) played {
	t.Helper()
	events := filepath.Join(t.TempDir(), "events")
	args := append(w.kubesim[1:len(w.kubesim):len(w.kubesim)], "run", file, "--log", events, fmt.Sprintf("--restarts=%t", w.restarts))
	cmd := exec.CommandContext(t.Context(), w.kubesim[0], args...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(w.procs))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		t.Fatalf("%s: kubesim run %s: %v\n%s", w, file, err, errs.String())
	}
	log, err := os.ReadFile(events)
	if err != nil {
		t.Fatalf("%s: %v\n%s", w, err, errs.String())
	}
	return played{cmd.ProcessState.ExitCode(), out.String(), string(log)}
}

// playedOnce plays a scenario, or returns what came of it in another test.
func playedOnce(t *testing.T, file string, w way) played {
	t.Helper()
	one, _ := plays.LoadOrStore(file+" "+w.String(), &onePlay{})
	p := one.(*onePlay)
	p.Lock()
	defer p.Unlock()
	if !p.done {
		p.played, p.done = play(t, file, w), true
	}
	return p.played
}

// plays are the *onePlay of files and ways.
var plays sync.Map

type onePlay struct {
	sync.Mutex
	played
	done bool
}

// repeats plays a scenario in several ways, all at the same time: as little can be
// foretold of which of their threads runs when as on a machine that is busy.
func repeats(t *testing.T, file string, ways []way) {
	t.Helper()
	first := playedOnce(t, file, ways[0])
	for i, w := range ways[1:] {
		t.Run(strconv.Itoa(i+2), func(t *testing.T) {
			t.Parallel()
			again := play(t, file, w)
			same(t, "timeline", first.timeline, again.timeline)
			same(t, "event log", first.events, again.events)
			if first.status != again.status {
				t.Errorf("status %d, in the first run %d", again.status, first.status)
			}
			if t.Failed() {
				t.Logf("%s; the first: %s", w, ways[0])
			}
		})
	}
}

// TestScenariosRepeat plays every scenario of the repository again and again: the
// timeline and the event log are the same, byte for byte, however many threads there
// are, and if the cluster was stopped and started in the middle.
func TestScenariosRepeat(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../docs/scenarios/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("scenarios: %v, %v", files, err)
	}
	n := max(2, *repeatRuns)
	if testing.Short() {
		n = 2
	}
	all := ways(n)
	// A program that runs again after a restart is answered by servers as they are now, so
	// clients that never stop do not come to where they were: docs/fidelity.md.
	steady := map[string]bool{"load": true}
	if *repeatEmulated != "" {
		all = append(all, way{strings.Fields(*repeatEmulated), 2, false})
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			all := slices.DeleteFunc(slices.Clone(all), func(w way) bool { return w.restarts && steady[strings.TrimSuffix(filepath.Base(file), ".yaml")] })
			repeats(t, file, all)
		})
	}
}

// TestRandomScenariosRepeat does the same with scenarios that are drawn at random.
func TestRandomScenariosRepeat(t *testing.T) {
	t.Parallel()
	for i := range *repeatDraws {
		seed := *repeatSeed + i
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			t.Parallel()
			text := rapid.Custom(drawScenario).Example(seed)
			file := filepath.Join(t.TempDir(), "scenario.yaml")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			all := ways(often(3, 2))
			if *repeatEmulated != "" {
				all = append(all, way{strings.Fields(*repeatEmulated), 2, false})
			}
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("-repeat.seed=%d:\n%s", seed, text)
				}
			})
			repeats(t, file, all)
		})
	}
}
