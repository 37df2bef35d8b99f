package testcluster

import (
	"fmt"
	"regexp"
	"strings"
)

// reportMax is how many lines a report has of each log.
const reportMax = 100

// report returns what the log of a failed test needs: what happened, and how to see it
// again.
func (c *Cluster) report() string {
	var b strings.Builder
	fmt.Fprintf(&b, "testcluster: seed %d, it is %s, revision log of %d lines; the timeline:\n", c.config.Seed, stamp(c.Now()), strings.Count(c.EventLog(), "\n"))
	b.WriteString(last(c.Timeline(), reportMax))
	if text := upstream.String(); text != "" {
		b.WriteString("Errors that upstream's libraries logged, in all clusters of this process:\n" + last(text, reportMax))
	}
	fmt.Fprintf(&b, "To see it again: go test -run '%s' -testcluster.seed=%d", pattern(c.t.Name()), c.config.Seed)
	return b.String()
}

// last is the last n lines of text.
func last(text string, n int) string {
	lines := strings.SplitAfter(text, "\n")
	if left := len(lines) - 1 - n; left > 0 {
		return fmt.Sprintf("… %d lines before\n%s", left, strings.Join(lines[left:], ""))
	}
	return text
}

// pattern selects a test, or a test in a test, by -run.
func pattern(test string) string {
	parts := strings.Split(test, "/")
	for i, part := range parts {
		parts[i] = "^" + regexp.QuoteMeta(part) + "$"
	}
	return strings.Join(parts, "/")
}
