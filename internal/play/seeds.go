package play

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/kubesim-dev/kubesim/internal/scenario"
)

// exploration plays one scenario with many seeds, in child processes, until one fails.
//
// Invariant: seeds are handed out in order, and when one has failed those that were
// handed out before are played to their ends. So the seed that is told is the smallest
// that fails, however many processes there are.
type exploration struct {
	file string
	// from is the first seed; count how many there are, 0 for no end.
	from, count uint64
	children    int
	progress    *progress

	mu      sync.Mutex
	next    uint64
	results []*scenario.Result
	failed  *scenario.Result
	err     error
}

// seedsPerChild bounds how many clusters one process has had.
const seedsPerChild = 250

// childMax bounds how long a child that was told to end may take. Unit: wall time.
const childMax = 10 * time.Second

// explore returns the results in the order of their seeds; the last may be one that
// failed.
func (x *exploration) explore(ctx context.Context) error {
	x.next = x.from
	var under sync.WaitGroup
	for range x.children {
		under.Go(func() {
			more := true
			for more && ctx.Err() == nil {
				more = x.child(ctx)
			}
		})
	}
	under.Wait()
	slices.SortFunc(x.results, func(a, b *scenario.Result) int {
		if a.Seed < b.Seed {
			return -1
		}
		return 1
	})
	return x.err
}

// draw hands out the next seed, false if there is none.
func (x *exploration) draw() (uint64, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.failed != nil || x.err != nil || x.count > 0 && x.next-x.from >= x.count {
		return 0, false
	}
	x.next++
	return x.next - 1, true
}

func (x *exploration) done(r *scenario.Result) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.results = append(x.results, r)
	if !r.Passed && (x.failed == nil || r.Seed < x.failed.Seed) {
		x.failed = r
	}
	x.progress.show(len(x.results))
}

func (x *exploration) fail(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err == nil {
		x.err = err
	}
}

// child plays seeds in one process and reports whether another is to go on.
func (x *exploration) child(ctx context.Context) bool {
	path, err := os.Executable()
	if err != nil {
		x.fail(err)
		return false
	}
	cmd := exec.CommandContext(ctx, path, "run", x.file, "--worker")
	cmd.Args[0] = os.Args[0]
	// A child that is told to end removes its files.
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(syscall.SIGTERM) }, childMax
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	var out io.Reader
	if err == nil {
		out, err = cmd.StdoutPipe()
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		x.fail(err)
		return false
	}
	more, err := x.converse(in, json.NewDecoder(out))
	_ = in.Close() // so it ends
	waited := cmd.Wait()
	if err != nil && ctx.Err() == nil {
		x.fail(fmt.Errorf("%w: %w: %s", err, waited, strings.TrimSpace(stderr.String())))
	}
	return more && err == nil
}

// converse gives a child its seeds, one by one, and takes the results.
func (x *exploration) converse(in io.Writer, out *json.Decoder) (more bool, err error) {
	for range seedsPerChild {
		seed, ok := x.draw()
		if !ok {
			return false, nil
		}
		r := &scenario.Result{}
		if _, err = fmt.Fprintln(in, seed); err == nil {
			err = out.Decode(r)
		}
		if err != nil {
			return false, fmt.Errorf("the process that played seed %d has ended", seed)
		}
		x.done(r)
	}
	return true, nil
}

// work is what a child does: for each line with a seed it prints a result, as JSON.
func work(ctx context.Context, sc *scenario.Scenario, s streams) error {
	// Ctrl-C on a terminal goes to every process; the parent says what becomes of it.
	signal.Ignore(os.Interrupt)
	encoder := json.NewEncoder(s.document)
	for lines := bufio.NewScanner(s.in); lines.Scan(); {
		seed, err := strconv.ParseUint(lines.Text(), 10, 64)
		if err != nil {
			return err
		}
		sc.Spec.Seed = &seed
		result, err := playScenario(ctx, sc, nil, nil, false)
		if result == nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		result.Timeline = nil
		if err := encoder.Encode(result); err != nil {
			return err
		}
	}
	return nil
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

// exploreSeeds plays the file with many seeds and tells the first that fails.
func (f *runFlags) exploreSeeds(ctx context.Context, sc *scenario.Scenario, s streams) error {
	x := &exploration{file: f.file, from: f.seed, count: f.seeds, children: runtime.GOMAXPROCS(0), progress: newProgress(s.errors, f.seeds)}
	if x.count > 0 {
		x.children = int(min(uint64(x.children), x.count))
	}
	err := x.explore(ctx)
	x.progress.end()
	if ctx.Err() != nil {
		return fmt.Errorf("%w after %d seeds, which all held: --seed %d goes on from there", errInterrupted, len(x.results), x.firstMissing())
	}
	if err != nil {
		return err
	}
	if err := errors.Join(f.tellSeeds(sc, x, f.writer(s)), f.writeJUnit(x.results)); err != nil {
		return err
	}
	if x.failed == nil {
		return nil
	}
	return fmt.Errorf("%s: seed %d failed: see it with: kubesim run %s --seed %d", f.file, x.failed.Seed, shellQuote(f.file), x.failed.Seed)
}

// firstMissing is the smallest seed that was not played, as those that have come back
// in another order tell.
func (x *exploration) firstMissing() uint64 {
	seed := x.from
	for _, r := range x.results {
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

func (f *runFlags) tellSeeds(sc *scenario.Scenario, x *exploration, w io.Writer) error {
	if f.json {
		return writeJSON(w, explored{Scenario: sc.Name, File: f.file, From: x.from, Seeds: len(x.results), Passed: x.failed == nil, Failed: x.failed})
	}
	if x.failed != nil {
		if x.failed.Error != "" {
			fmt.Fprintln(w, x.failed.Error)
		}
		return scenario.NewPrinter(w, sc.Start).Result(x.failed)
	}
	_, err := fmt.Fprintf(w, "%s: all expectations held with each of %d seeds, from %d\n", sc.Name, len(x.results), x.from)
	return err
}
