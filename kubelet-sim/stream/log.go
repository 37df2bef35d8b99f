package stream

import (
	"bytes"
	"slices"
	"sync"
	"time"
)

// A container's log is a row of files, of which kubectl logs reads the newest. The
// kubelet looks at it every rotateInterval of virtual time, and begins a new file
// when the newest has SizeMax bytes. Source: containerLogMaxSize and
// containerLogMonitorInterval in k8s.io/kubernetes pkg/kubelet/apis/config/v1beta1,
// containerLogManager in pkg/kubelet/logs v1.37.2.
//
// Deviation: of the four files before the newest, which nobody can read through the
// API, one is kept for those who follow the log; and a file that has grown beyond
// fileMax meanwhile is followed by a new one at once, so that memory is bounded.
const (
	SizeMax        = 10 << 20
	fileMax        = SizeMax * 3 / 2
	rotateInterval = 10 * time.Second
)

// lineMax is where a line without an end is cut. Unit: bytes. Source:
// max_container_log_line_size of containerd's CRI plugin.
const lineMax = 16 << 10

// lineCost is what a line takes in a file beside its text: instant, stream, tag.
// Unit: bytes. Source: the CRI log format, pkg/kubelet/kuberuntime/logs.
const lineCost = 41

// line is one entry of a log: a line with its newline, or a part of one.
type line struct {
	at     time.Time
	stderr bool
	text   []byte
}

// Log is what one instance of a container printed. A line is entered when it
// ends, with that instant, as containerd does.
type Log struct {
	mu      sync.Mutex
	lines   []line    // of the newest file, and of the one before
	dropped int64     // lines that are gone from the front
	start   int64     // position of the newest file's first line
	size    int       // of the newest file
	full    time.Time // when it had SizeMax bytes; zero: it has less
	partial [2][]byte // standard output, standard error
	ended   bool
	changed chan struct{} // closed at the next change, nil if nobody waits
	// attached get what the container writes as it is written.
	attached []*Output
}

// Append adds what the container wrote at an instant.
func (l *Log) Append(at time.Time, stderr bool, data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.attached {
		o.Put(stderr, data)
	}
	part := &l.partial[0]
	if stderr {
		part = &l.partial[1]
	}
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n') + 1
		if end == 0 {
			end = len(data)
		}
		end = min(end, lineMax-len(*part))
		*part = append(*part, data[:end]...)
		data = data[end:]
		if text := *part; text[len(text)-1] == '\n' || len(text) >= lineMax {
			l.add(line{at, stderr, text})
			*part = nil
		}
	}
}

// End says that nothing more will come: the container ended at an instant. A
// line without an end is entered as it is.
func (l *Log) End(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, text := range l.partial {
		if len(text) > 0 {
			l.add(line{at, i == 1, text})
		}
	}
	l.partial, l.ended = [2][]byte{}, true
	for _, o := range l.attached {
		o.End()
	}
	l.attached = nil
	l.notify()
}

func (l *Log) add(entry line) {
	l.rotate(entry.at)
	l.lines = append(l.lines, entry)
	l.size += len(entry.text) + lineCost
	if l.size >= SizeMax && l.full.IsZero() {
		l.full = entry.at
	}
	if l.size >= fileMax {
		l.beginFile()
	}
	l.notify()
}

// rotate does what the kubelet has done until now: the logs of containers that have
// ended stay as they are.
func (l *Log) rotate(now time.Time) {
	if !l.ended && !l.full.IsZero() && now.Truncate(rotateInterval).After(l.full) {
		l.beginFile()
	}
}

// beginFile begins a new file, and forgets the one before the last.
func (l *Log) beginFile() {
	l.lines = append([]line(nil), l.lines[l.start-l.dropped:]...)
	l.dropped, l.start = l.start, l.start+int64(len(l.lines))
	l.size, l.full = 0, time.Time{}
}

// Attach lets o have what the container writes from now on, until it ends.
func (l *Log) Attach(o *Output) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		o.End()
		return
	}
	l.attached = append(l.attached, o)
}

// Detach ends o, which Attach was given.
func (l *Log) Detach(o *Output) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attached = slices.DeleteFunc(l.attached, func(other *Output) bool { return other == o })
	o.End()
}

func (l *Log) notify() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// Tail returns the text of the newest file's last lines: at most linesMax of them,
// and of those the last bytesMax bytes.
func (l *Log) Tail(linesMax, bytesMax int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b []byte
	for _, entry := range l.lines[max(len(l.lines)-linesMax, int(l.start-l.dropped)):] {
		b = append(b, entry.text...)
	}
	return string(b[max(len(b)-bytesMax, 0):])
}

// after returns the lines from position next on, the position behind them, and
// what is closed at the next change; nil once the container has ended.
func (l *Log) after(next int64) (lines []line, behind int64, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := max(next-l.dropped, 0)
	lines = l.lines[min(from, int64(len(l.lines))):]
	behind = l.dropped + int64(len(l.lines))
	if l.ended {
		return lines, behind, nil
	}
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return lines, behind, l.changed
}

// tailed returns the position of the newest file's last lines, of all of them if
// tail is negative, as of now.
func (l *Log) tailed(tail int64, now time.Time) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rotate(now)
	if tail < 0 {
		return l.start
	}
	return max(l.dropped+int64(len(l.lines))-tail, l.start)
}
