package scenario

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/kubesim-dev/kubesim/internal/terminal"
)

// The elements of a JUnit file, as CI systems read them. Times are virtual.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Time       string          `xml:"time,attr"`
		Timestamp  string          `xml:"timestamp,attr"`
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name      string        `xml:"name,attr"`
		Classname string        `xml:"classname,attr"`
		Time      string        `xml:"time,attr"`
		Failure   *junitMessage `xml:"failure,omitempty"`
		Error     *junitMessage `xml:"error,omitempty"`
		Skipped   *struct{}     `xml:"skipped,omitempty"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",cdata"`
	}
)

// JUnit writes results, a suite each, with a case for each expectation and one for the
// run itself.
func JUnit(w io.Writer, results []*Result) error {
	var all junitSuites
	for _, r := range results {
		all.Suites = append(all.Suites, suite(r))
	}
	data, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, data)
	return err
}

func suite(r *Result) junitSuite {
	s := junitSuite{
		Name: r.Scenario, Tests: len(r.Outcomes) + 1, Time: seconds(r.End.Sub(r.Start).Seconds()), Timestamp: r.Start.Format("2006-01-02T15:04:05"),
		Properties: []junitProperty{{Name: "seed", Value: strconv.FormatUint(r.Seed, 10)}},
	}
	run := junitCase{Name: "every step can be done", Classname: r.Scenario, Time: s.Time}
	if r.Error != "" {
		s.Errors++
		first, _, _ := strings.Cut(r.Error, "\n")
		run.Error = message(first, r.Error)
	}
	s.Cases = append(s.Cases, run)
	for i := range r.Outcomes {
		o := &r.Outcomes[i]
		c := junitCase{Name: o.Name, Classname: r.Scenario, Time: seconds(max(0, o.Time.Sub(r.Start).Seconds()))}
		switch o.State {
		case Failed:
			s.Failures++
			first, _, _ := strings.Cut(o.Actual, "\n")
			c.Failure = message(o.Expected+": "+first, failureText(r, o))
		case Skipped:
			s.Skipped++
			c.Time, c.Skipped = seconds(0), &struct{}{}
		}
		s.Cases = append(s.Cases, c)
	}
	return s
}

// message is an element with two texts. XML cannot hold every character that the
// cluster's texts may have, not even escaped: they are shown as on a terminal.
func message(first, text string) *junitMessage {
	return &junitMessage{Message: terminal.Text(first), Text: terminal.Text(text)}
}

func seconds(s float64) string { return strconv.FormatFloat(s, 'f', 3, 64) }

// failureText is what a person reads of a failure.
func failureText(r *Result, o *Outcome) string {
	var buf bytes.Buffer
	NewPrinter(&buf, r.Start).outcome(r, o) // a buffer takes everything
	return buf.String()
}
