// Package eventlog reads event logs, as 'kubesim serve --event-log' and 'kubesim run
// --log' write them. It says where two of them diverge, and why.
package eventlog

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// Line is a line of an event log.
type Line struct {
	// Number counts from 1; Text is the whole line.
	Number int
	Text   string
	// At is the virtual time. Revision is the revision of a commit, such as "r17", or
	// "-".
	At       time.Time
	Revision string
	// Actor is the key of a step, such as "job/default/pi", or "client".
	Actor string
	// Verb and Object are those of a commit: "create", "pods/default/pi-x7k2p". A line
	// that is not a commit has its text in Verb: "error …", "exec …", "fault/moody: …".
	Verb, Object string
}

// Client reports whether a line is about an external input.
func (l *Line) Client() bool { return l.Actor == client }

// client is the actor of every external client.
const client = "client"

// step returns the line without its time: two runs that do the same at another time
// have it too.
func (l *Line) step() string { return l.Actor + " " + l.Verb + " " + l.Object }

// lineForm is that of a line: an instant, a revision, an actor, and what happened.
var lineForm = regexp.MustCompile(`^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) (r\d+|-) (\S+) (.+)$`)

// Parse reads one line.
func Parse(number int, text string) (Line, error) {
	m := lineForm.FindStringSubmatch(text)
	if m == nil {
		return Line{}, fmt.Errorf("line %d is none of an event log: %.60q: want what 'kubesim serve --event-log FILE' or 'kubesim run --log FILE' writes", number, text)
	}
	at, err := time.Parse(time.RFC3339Nano, m[1])
	if err != nil {
		return Line{}, fmt.Errorf("line %d: %w", number, err)
	}
	l := Line{Number: number, Text: text, At: at, Revision: m[2], Actor: m[3], Verb: m[4]}
	if l.Revision != "-" {
		l.Verb, l.Object, _ = strings.Cut(m[4], " ")
	}
	return l, nil
}

// lineMax bounds a line. Unit: bytes.
const lineMax = 1 << 20

// Read reads a whole log.
func Read(r io.Reader) ([]Line, error) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, lineMax)
	var out []Line
	for s.Scan() {
		l, err := Parse(len(out)+1, s.Text())
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", len(out)+1, err)
	}
	if len(out) == 0 {
		return nil, errors.New("it is empty, and an event log is not: want what 'kubesim serve --event-log FILE' or 'kubesim run --log FILE' writes")
	}
	return out, nil
}
