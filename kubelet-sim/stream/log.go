package stream

import (
	"bytes"
	"slices"
	"sort"
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
// API, one is kept for those who follow the log. A file that grows beyond fileMax
// is followed by a new one at once, so that memory is bounded.
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

// Log is what one instance of a container printed. A line is entered when it
// ends, with that instant, as containerd does.
type Log struct {
	mu      sync.Mutex
	blocks  []block   // of the newest file, and of the one before
	end     int64     // position behind the last line
	start   int64     // position of the newest file's first line
	size    int       // of the newest file
	before  int       // of the one before
	full    time.Time // when it had SizeMax bytes; zero: it has less
	partial [2][]byte // standard output, standard error
	ended   bool
	changed chan struct{} // closed at the next change, nil if nobody waits
	// attached get what the container writes as it is written.
	attached []*Output
	// held are the bytes of blocks, charged what account was told of them.
	held    int
	account Account
	charged int64
}

// Account is charged with the bytes that a log holds, or given them back if n is
// negative. It is false, and charges nothing, where there is no room for them.
type Account interface{ Hold(n int64) bool }

// page is the unit in which logs are charged, rounded down: what most containers print
// costs nothing. Unit: bytes.
const page = 4 << 10

// charge tells the account what the log holds. Where there is no room the log loses the
// file before the newest, and then that too: the container goes on.
func (l *Log) charge() {
	for !l.hold() && len(l.blocks) > 0 {
		l.beginFile()
	}
}

func (l *Log) hold() bool {
	if l.account == nil {
		return true
	}
	n := int64(l.held+len(l.partial[0])+len(l.partial[1]))/page*page - l.charged
	if n != 0 && !l.account.Hold(n) {
		return false
	}
	l.charged += n
	return true
}

// release gives back what the log was charged with: it can no longer be found.
func (l *Log) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.account != nil {
		l.account.Hold(-l.charged)
	}
	l.account, l.charged = nil, 0
}

// Size is what the log would take on a node's disk. Unit: bytes.
func (l *Log) Size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(l.size + l.before)
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
		text := data[:end]
		data = data[end:]
		if len(*part) > 0 {
			text = append(*part, text...)
		}
		if text[len(text)-1] == '\n' || len(text) >= lineMax {
			l.add(line{at, stderr, text})
			*part = nil
		} else {
			*part = append((*part)[:0], text...)
		}
	}
	l.charge()
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
	l.charge()
	for _, o := range l.attached {
		o.End()
	}
	l.attached = nil
	l.notify()
}

func (l *Log) add(entry line) {
	l.rotate(entry.at)
	if n := len(l.blocks); n == 0 || l.end == l.start || !l.blocks[n-1].room(len(entry.text)) {
		l.blocks = append(l.blocks, block{first: l.end})
	}
	b := &l.blocks[len(l.blocks)-1]
	l.held -= len(b.data)
	b.add(entry)
	l.held += len(b.data)
	l.end++
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
	l.blocks = slices.DeleteFunc(l.blocks, func(b block) bool { return b.first < l.start })
	l.held = 0
	for i := range l.blocks {
		l.held += len(l.blocks[i].data)
	}
	l.start, l.before, l.size, l.full = l.end, l.size, 0, time.Time{}
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
	last := l.view(max(l.end-int64(linesMax), l.start))
	for entry, ok := last.next(); ok; entry, ok = last.next() {
		b = append(b, entry.text...)
	}
	return string(b[max(len(b)-bytesMax, 0):])
}

// view returns the lines from position next on that were not dropped.
func (l *Log) view(next int64) view {
	i := sort.Search(len(l.blocks), func(i int) bool { return l.blocks[i].first+l.blocks[i].count > next })
	v := view{blocks: slices.Clone(l.blocks[i:])}
	if i < len(l.blocks) {
		v.skip = max(next-l.blocks[i].first, 0)
	}
	return v
}

// after returns the lines from position next on, the position behind them, and
// what is closed at the next change; nil once the container has ended.
func (l *Log) after(next int64) (lines view, behind int64, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines, behind = l.view(next), l.end
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
	return max(l.end-tail, l.start)
}
