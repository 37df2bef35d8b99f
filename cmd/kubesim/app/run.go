package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/spf13/cobra"

	"github.com/kubesim-dev/kubesim/internal/datadir"
	"github.com/kubesim-dev/kubesim/internal/memory"
	"github.com/kubesim-dev/kubesim/internal/play"
	"github.com/kubesim-dev/kubesim/internal/scenario"
)

// runFlags are what run's flags set.
type runFlags struct {
	file, log, junit string
	seed, seeds      uint64
	seeded, json     bool
	quiet            bool
	// untilFailure: seeds without end; worker: this is a child, see play.Work.
	untilFailure, worker bool
	// restarts: see play.Config.
	restarts bool
}

func newRun(s streams) *cobra.Command {
	f := &runFlags{}
	cmd := &cobra.Command{
		Use:   "run SCENARIO.yaml",
		Short: "Play a scenario in virtual time and judge what it expects",
		Long: "Play a scenario in virtual time and judge what it expects.\n\n" +
			"A scenario is a file with manifests, timed actions, faults and expectations. It is played from start to end in a cluster\n" +
			"of its own, without a server: its timeline is printed, and at the end what held and what did not.\n\n" +
			"Exit status 0 if everything held, 1 if not or if the file is not valid, 2 if the command line is wrong.",
		Example: "  kubesim run retry.yaml\n" +
			"  kubesim run retry.yaml --seed 7 --log retry.log",
		Args: oneArg("SCENARIO.yaml"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.file, f.seeded = args[0], cmd.Flags().Changed("seed")
			if err := f.check(cmd.Flags().Changed("seeds")); err != nil {
				return usageError{err}
			}
			return f.run(cmd.Context(), s)
		},
	}
	flags := cmd.Flags()
	flags.Uint64Var(&f.seed, "seed", 1, "decides every name and random number (default: the file's)")
	flags.Uint64Var(&f.seeds, "seeds", 0, "play `N` seeds, from 1 or --seed, in parallel processes, and stop at the first that fails")
	flags.BoolVar(&f.untilFailure, "until-failure", false, "play seed after seed, from 1 or --seed, in parallel processes, until one fails")
	flags.StringVar(&f.log, "log", "", "`file` to write the event log to: a line for each commit")
	flags.StringVar(&f.junit, "junit", "", "`file` to write the result to, as JUnit XML")
	flags.BoolVar(&f.json, "json", false, "print the result and the timeline as JSON, and nothing else")
	flags.BoolVar(&f.quiet, "quiet", false, "print no timeline")
	flags.BoolVar(&f.worker, "worker", false, "play the seeds that stdin names")
	_ = flags.MarkHidden("worker") // it is there
	flags.BoolVar(&f.restarts, "restarts", false, "stop and start the cluster again in between")
	_ = flags.MarkHidden("restarts") // it is there; for kubesim's own tests
	return cmd
}

// errScenario: an expectation did not hold, or a step could not be done.
var errScenario = errors.New("the scenario failed")

// many: there is more than one seed to play.
func (f *runFlags) many() bool { return f.seeds > 0 || f.untilFailure }

func (f *runFlags) check(seeds bool) error {
	switch {
	case seeds && f.seeds == 0:
		return errors.New("--seeds 0: want how many seeds to play, for example 100")
	case seeds && f.untilFailure:
		return errors.New("--seeds and --until-failure: want one of them")
	case f.many() && f.log != "":
		return errors.New("--log: it is for one seed, not for many")
	case f.many() && f.quiet:
		return errors.New("--quiet: many seeds have no timeline")
	}
	return nil
}

func (f *runFlags) run(ctx context.Context, s streams) error {
	sc, err := scenario.Read(f.file)
	if err != nil {
		return err
	}
	memory.TuneGC()
	switch {
	case f.worker:
		// Ctrl-C on a terminal goes to every process; the parent says what becomes of it.
		signal.Ignore(os.Interrupt)
		return play.Work(ctx, sc, s.in, s.document)
	case f.many():
		return f.exploreSeeds(ctx, sc, s)
	}
	return f.play(ctx, sc, s)
}

// play plays one seed.
func (f *runFlags) play(ctx context.Context, sc *scenario.Scenario, s streams) error {
	if f.seeded {
		sc.Spec.Seed = &f.seed
	}
	log, closeLog, err := f.openLog()
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f.writer(s))
	printer := scenario.NewPrinter(out, sc.Start)
	var show func(scenario.Entry)
	if !f.json && !f.quiet {
		show = printer.Entry
	}
	result, err := play.Play(ctx, sc, play.Config{Show: show, Log: log, Restarts: f.restarts})
	err = errors.Join(err, closeLog())
	if ctx.Err() != nil {
		return errors.Join(errInterrupted, out.Flush())
	}
	if result == nil || err != nil && len(result.Timeline) == 0 && !f.json {
		return err // nothing has happened
	}
	var wrote error
	if f.json {
		wrote = writeJSON(out, result)
	} else {
		wrote = printer.Result(result)
	}
	if err := errors.Join(wrote, out.Flush(), f.writeJUnit([]*scenario.Result{result})); err != nil {
		return err
	}
	return verdict(result, err)
}

// writer is where the result goes.
func (f *runFlags) writer(s streams) io.Writer {
	if f.json {
		return s.document
	}
	return s.out
}

// verdict is the one line with which a run that failed ends.
func verdict(r *scenario.Result, err error) error {
	if err != nil || r.Passed {
		return err
	}
	return fmt.Errorf("%s: %d of %d expectations did not hold: %w", r.File, r.Failed(), len(r.Outcomes), errScenario)
}

// openLog opens the event log; it is nil if none is wanted.
func (f *runFlags) openLog() (io.Writer, func() error, error) {
	if f.log == "" {
		return nil, func() error { return nil }, nil
	}
	file, err := datadir.CreatePrivate(f.log)
	if err != nil {
		return nil, nil, fmt.Errorf("--log %s: %w", f.log, datadir.Cause(err))
	}
	log := bufio.NewWriter(file)
	return log, func() error { return errors.Join(log.Flush(), file.Close()) }, nil
}

func writeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

func (f *runFlags) writeJUnit(results []*scenario.Result) error {
	if f.junit == "" {
		return nil
	}
	file, err := datadir.CreatePrivate(f.junit)
	if err != nil {
		return fmt.Errorf("--junit %s: %w", f.junit, datadir.Cause(err))
	}
	return errors.Join(scenario.JUnit(file, results), file.Close())
}
