package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/term"

	"github.com/kubesim-dev/kubesim/internal/play"
	"github.com/kubesim-dev/kubesim/internal/scenario"
)

// What `kubesim run` does with many seeds.

// exploreSeeds plays the file with many seeds and tells the first that fails.
func (f *runFlags) exploreSeeds(ctx context.Context, sc *scenario.Scenario, s streams) error {
	p := newProgress(s.errors, f.seeds)
	x := &play.Exploration{Child: f.child, From: f.seed, Count: f.seeds, Children: runtime.GOMAXPROCS(0), Progress: p.show}
	if x.Count > 0 {
		x.Children = int(min(uint64(x.Children), x.Count))
	}
	results, failed, err := x.Explore(ctx)
	p.end()
	if ctx.Err() != nil {
		return fmt.Errorf("%w after %d seeds, which all held: --seed %d goes on from there", errInterrupted, len(results), firstMissing(f.seed, results))
	}
	if err != nil {
		return err
	}
	if err := errors.Join(f.tellSeeds(sc, results, failed, f.writer(s)), f.writeJUnit(results)); err != nil {
		return err
	}
	if failed == nil {
		return nil
	}
	return fmt.Errorf("%s: seed %d failed: see it with: kubesim run %s --seed %d", f.file, failed.Seed, shellQuote(f.file), failed.Seed)
}

// child is this program again, as a worker.
func (f *runFlags) child(ctx context.Context) (*exec.Cmd, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, "run", f.file, "--worker")
	cmd.Args[0] = os.Args[0]
	return cmd, nil
}

// firstMissing is the smallest seed that was not played, as those that have come back
// in another order tell.
func firstMissing(from uint64, results []*scenario.Result) uint64 {
	seed := from
	for _, r := range results {
		if r.Seed == seed {
			seed++
		}
	}
	return seed
}

// explored is what --json prints of many seeds.
type explored struct {
	Scenario string `json:"scenario"`
	File     string `json:"file"`
	From     uint64 `json:"from"`
	Seeds    int    `json:"seeds"`
	Passed   bool   `json:"passed"`
	// Failed is the result of the smallest seed that did.
	Failed *scenario.Result `json:"failed,omitempty"`
}

func (f *runFlags) tellSeeds(sc *scenario.Scenario, results []*scenario.Result, failed *scenario.Result, w io.Writer) error {
	if f.json {
		return writeJSON(w, explored{Scenario: sc.Name, File: f.file, From: f.seed, Seeds: len(results), Passed: failed == nil, Failed: failed})
	}
	if failed != nil {
		if failed.Error != "" {
			fmt.Fprintln(w, failed.Error)
		}
		return scenario.NewPrinter(w, sc.Start).Result(failed)
	}
	_, err := fmt.Fprintf(w, "%s: all expectations held with each of %d seeds, from %d\n", sc.Name, len(results), f.seed)
	return err
}

// progress tells how far an exploration is: on a terminal in one line that changes,
// elsewhere a line for each tenth.
type progress struct {
	w        io.Writer
	of       uint64
	terminal bool
}

func newProgress(w io.Writer, of uint64) *progress {
	file, ok := w.(*os.File)
	return &progress{w: w, of: of, terminal: ok && term.IsTerminal(int(file.Fd()))}
}

// plainEvery is how many seeds a plain line is for, if there is no end.
const plainEvery = 100

func (p *progress) show(n int) {
	text := fmt.Sprintf("%d seeds held", n)
	if p.of > 0 {
		text = fmt.Sprintf("%d of %d seeds", n, p.of)
	}
	every := uint64(plainEvery)
	if p.of > 0 {
		every = max(1, p.of/10)
	}
	switch {
	case p.terminal:
		fmt.Fprintf(p.w, "\r%s", text)
	case uint64(n)%every == 0:
		fmt.Fprintln(p.w, text)
	}
}

// end makes room for what follows.
func (p *progress) end() {
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
