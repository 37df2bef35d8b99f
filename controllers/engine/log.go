package engine

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/watch"
)

// eventLog writes one line for each commit, for each step that failed, for what clients
// ask for beside the API's writes, and for each resource that is added or removed while
// the engine runs. The lines are stamped in virtual time. Two runs with the same seed
// and the same inputs write the same log, byte for byte.
//
// A commit's line:  instant  r<revision>  who  what  resource/namespace/name
type eventLog struct {
	w io.Writer
}

func (l *eventLog) commit(a *arrival) {
	if l.w == nil {
		return
	}
	where := string(a.Resource)
	if ns := a.Object.GetNamespace(); ns != "" {
		where += "/" + ns
	}
	fmt.Fprintf(l.w, "%s r%d %s %s %s/%s\n", stampLine(a.at), a.Revision, oneLine(a.actor), verb(a.Type), where, a.Object.GetName())
}

func (l *eventLog) told(at time.Time, who, what string) {
	if l.w != nil {
		fmt.Fprintf(l.w, "%s - %s %s\n", stampLine(at), oneLine(who), oneLine(what))
	}
}

// served records that a resource is added or removed.
func (l *eventLog) served(a *arrival) {
	what := "serves "
	if a.served.gone {
		what = "withdraws "
	}
	l.told(a.at, a.actor, what+string(a.served.Name))
}

// oneLine escapes what is not printable text, as strconv quotes it. The name in a
// request that a Fault hits may contain anything, even the end of a line.
func oneLine(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !strconv.IsGraphic(r) }) < 0 && utf8.ValidString(s) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if part := s[i : i+size]; strconv.IsGraphic(r) && r != utf8.RuneError {
			out.WriteString(part)
		} else {
			quoted := strconv.Quote(part)
			out.WriteString(quoted[1 : len(quoted)-1])
		}
		i += size
	}
	return out.String()
}

func (l *eventLog) failed(at time.Time, key Key, err error) {
	if l.w == nil {
		return
	}
	fmt.Fprintf(l.w, "%s - %s error %q\n", stampLine(at), key, err)
}

func stampLine(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000000Z") }

func verb(t watch.EventType) string {
	switch t {
	case watch.Added:
		return "create"
	case watch.Modified:
		return "update"
	case watch.Deleted:
		return "delete"
	}
	return string(t)
}
