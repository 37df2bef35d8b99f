package testcluster

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	gocmp "github.com/google/go-cmp/cmp"
)

// Golden compares the timeline with testdata/NAME.golden of the test's package. With
// -testcluster.update it writes that file. Generated names are numbered in it, retry-#1
// for retry-x7k2p, so that a file says what happens and not which names the seed gave.
// With -testcluster.seed nothing is compared: other seeds have other durations.
func (c *Cluster) Golden(t TB, name string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	got := numbered(c.Timeline())
	if updating() {
		if err := writeGolden(path, got); err != nil {
			t.Fatalf("testcluster: %v", err)
		}
		return
	}
	if *seedFlag != 0 {
		t.Logf("%s is not looked at: it is not of seed %d", path, c.config.Seed)
		return
	}
	want, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s is not there: write it with -testcluster.update, read it, and commit it", path)
	}
	if err != nil {
		t.Fatalf("testcluster: %v", err)
	}
	if diff := gocmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got); -testcluster.update rewrites it:\n%s", path, diff)
	}
}

// updating reports whether golden files are to be written: because of our flag, or of
// one called update in the package under test.
func updating() bool {
	if *updateFlag {
		return true
	}
	theirs := flag.Lookup("update")
	if theirs == nil {
		return false
	}
	on, err := strconv.ParseBool(theirs.Value.String())
	return err == nil && on
}

func writeGolden(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// generated matches a line that says that a Pod or Job with a generated name was created. Source of
// the letters: k8s.io/apimachinery pkg/util/rand; a CronJob's Jobs are named by the minute.
var generated = regexp.MustCompile(`(?m)^ *\S+  (\S+-)([bcdfghjklmnpqrstvwxz2456789]{5}) +created$`)

// numbered replaces generated names by numbers.
func numbered(timeline string) string {
	count := map[string]int{}
	var names []string
	for _, m := range generated.FindAllStringSubmatch(timeline, -1) {
		count[m[1]]++
		names = append(names, m[1]+m[2], m[1]+"#"+strconv.Itoa(count[m[1]]))
	}
	// The columns are as wide as the longest name so far; a name's length changes them.
	return columns.ReplaceAllString(strings.NewReplacer(names...).Replace(timeline), "$1  ")
}

// columns matches the first two columns of a line, with the blanks behind them.
var columns = regexp.MustCompile(`(?m)^( *\S+  \S+) +`)
