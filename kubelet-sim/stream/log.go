package stream

import (
	"bytes"
	"slices"
	"sync"
	"time"
)

// SizeMax bounds one container instance's log; the oldest lines go first.
// Unit: bytes. Source: containerLogMaxSize in k8s.io/kubernetes
// pkg/kubelet/apis/config/v1beta1 v1.37.2.
//
// Deviation: kubelet keeps up to five rotated files of that size and reads the
// newest alone; we drop half a log's lines when it is full.
const SizeMax = 10 << 20

// lineMax is where a line without an end is cut. Unit: bytes. Source:
// max_container_log_line_size of containerd's CRI plugin.
const lineMax = 16 << 10

// lineCost is what a line takes beside its text. Unit: bytes.
const lineCost = 48

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
	lines   []line
	dropped int64 // lines that are gone from the front
	size    int
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
	l.lines = append(l.lines, entry)
	l.size += len(entry.text) + lineCost
	if l.size > SizeMax {
		l.drop()
	}
	l.notify()
}

// drop forgets the older half.
func (l *Log) drop() {
	n := 0
	for ; l.size > SizeMax/2 && n < len(l.lines)-1; n++ {
		l.size -= len(l.lines[n].text) + lineCost
	}
	l.lines = append([]line(nil), l.lines[n:]...)
	l.dropped += int64(n)
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

// Tail returns the text of the last lines: at most linesMax of them, and of
// those the last bytesMax bytes.
func (l *Log) Tail(linesMax, bytesMax int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b []byte
	for _, entry := range l.lines[max(len(l.lines)-linesMax, 0):] {
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

// count returns how many lines were entered so far.
func (l *Log) count() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped + int64(len(l.lines))
}
