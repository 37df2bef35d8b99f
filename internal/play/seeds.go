package play

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/kubesim-dev/kubesim/internal/scenario"
)

// Exploration plays one scenario with many seeds, in child processes, until one fails.
//
// Invariant: seeds are handed out in order, and when one has failed those that were
// handed out before are played to their ends. So the seed that is told is the smallest
// that fails, however many processes there are.
type Exploration struct {
	// Child makes a process that does Work on the scenario, until ctx ends.
	Child func(ctx context.Context) (*exec.Cmd, error)
	// Children is how many there are at a time.
	Children int
	// From is the first seed; Count how many there are, 0 for no end.
	From, Count uint64
	// Progress is told how many have been played.
	Progress func(n int)

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

// Explore plays until all seeds have been played, one has failed or ctx ends. It returns
// the results in the order of their seeds, and the smallest one that failed, if any has.
func (x *Exploration) Explore(ctx context.Context) (results []*scenario.Result, failed *scenario.Result, err error) {
	x.next = x.From
	var under sync.WaitGroup
	for range x.Children {
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
	return x.results, x.failed, x.err
}

// draw hands out the next seed, false if there is none.
func (x *Exploration) draw() (uint64, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.failed != nil || x.err != nil || x.Count > 0 && x.next-x.From >= x.Count {
		return 0, false
	}
	x.next++
	return x.next - 1, true
}

func (x *Exploration) done(r *scenario.Result) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.results = append(x.results, r)
	if !r.Passed && (x.failed == nil || r.Seed < x.failed.Seed) {
		x.failed = r
	}
	x.Progress(len(x.results))
}

func (x *Exploration) fail(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err == nil {
		x.err = err
	}
}

// child plays seeds in one process and reports whether another is to go on.
func (x *Exploration) child(ctx context.Context) bool {
	cmd, err := x.Child(ctx)
	if err != nil {
		x.fail(err)
		return false
	}
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
func (x *Exploration) converse(in io.Writer, out *json.Decoder) (more bool, err error) {
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

// Work is what a child does: for each line with a seed it prints a result, as JSON.
func Work(ctx context.Context, sc *scenario.Scenario, in io.Reader, out io.Writer) error {
	encoder := json.NewEncoder(out)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		seed, err := strconv.ParseUint(lines.Text(), 10, 64)
		if err != nil {
			return err
		}
		sc.Spec.Seed = &seed
		result, err := Play(ctx, sc, Config{})
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
