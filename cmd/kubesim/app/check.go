package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kubesim-dev/kubesim/internal/datadir"
	"github.com/kubesim-dev/kubesim/storage"
)

func newCheck(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "check DIR|FILE",
		Short: "Verify the file of a data directory, or a snapshot",
		Long: "Verify the file of a data directory, or a snapshot.\n\n" +
			"Reads all of it and changes nothing. No server may run on it meanwhile. Prints what\n" +
			"is wrong, a line a problem, and then exits with status 1.",
		Example: "  kubesim check ~/.kubesim\n  kubesim check ~/.kubesim/snapshots/before-the-upgrade.db",
		Args:    oneArg("DIR or FILE, for example ~/.kubesim"),
		RunE:    func(cmd *cobra.Command, args []string) error { return check(cmd.Context(), s, args[0]) },
	}
}

func check(ctx context.Context, s streams, path string) error {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		path = filepath.Join(path, datadir.StoreFile)
		_, err = os.Stat(path)
	}
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("check %s: no such file: want the --data-dir of a server, or a snapshot", path)
	}
	if err != nil {
		return fmt.Errorf("check %s: %w", path, datadir.Cause(err))
	}
	progress, done := progressOn(s.errors)
	report, err := storage.CheckFile(ctx, path, progress)
	done()
	for _, problem := range report.Problems {
		fmt.Fprintln(s.out, strings.TrimSuffix(problem.Error(), ": "+storage.ErrCorrupt.Error()))
	}
	if ctx.Err() != nil {
		return fmt.Errorf("check %s: interrupted", path)
	}
	if errors.Is(err, storage.ErrInUse) {
		err = (&datadir.Dir{Path: filepath.Dir(path)}).Held(err)
	}
	if err != nil {
		return err
	}
	compacted := "never"
	if report.Compacted > 0 {
		compacted = fmt.Sprintf("at revision %d", report.Compacted)
	}
	_, err = fmt.Fprintf(s.out, "file:       %s\nformat:     %d\nrevision:   %d\nkeys:       %d\nsize:       %d bytes\ncompacted:  %s\nproblems:   none\n",
		path, report.Format, report.Revision, report.Keys, report.Bytes, compacted)
	return err
}

// progressOn returns what shows on a terminal what a long command does, and what
// clears that line again. Elsewhere both do nothing.
func progressOn(w io.Writer) (show func(what string), clear func()) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return func(string) {}, func() {}
	}
	const eraseLine = "\r\x1b[K"
	return func(what string) { fmt.Fprintf(w, "%schecking %s …", eraseLine, what) },
		func() { fmt.Fprint(w, eraseLine) }
}
