package stream

import (
	"context"
	"io"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// timestampFormat is how a line's instant is printed. Source: RFC3339NanoFixed
// in k8s.io/kubernetes pkg/kubelet/types v1.37.2.
const timestampFormat = "2006-01-02T15:04:05.000000000Z07:00"

// selection is what of a log is wanted, in which form.
type selection struct {
	since      time.Time
	timestamps bool
	follow     bool
	tail       int64 // lines; negative: all
	limit      int64 // bytes; negative: no limit
	noStdout   bool
	noStderr   bool
}

// newSelection reads opts at an instant. Source: NewLogOptions in
// k8s.io/cri-client pkg/logs v0.37.2.
func newSelection(opts *corev1.PodLogOptions, now time.Time) selection {
	s := selection{timestamps: opts.Timestamps, follow: opts.Follow, tail: -1, limit: -1}
	if opts.SinceSeconds != nil {
		s.since = engine.After(now, -engine.Seconds(*opts.SinceSeconds))
	}
	if opts.SinceTime != nil && opts.SinceTime.After(s.since) {
		s.since = opts.SinceTime.Time
	}
	if opts.TailLines != nil {
		s.tail = *opts.TailLines
	}
	if opts.LimitBytes != nil {
		s.limit = *opts.LimitBytes
	}
	if opts.Stream != nil {
		s.noStdout = *opts.Stream == corev1.LogStreamStderr
		s.noStderr = *opts.Stream == corev1.LogStreamStdout
	}
	return s
}

// reader reads one log.
type reader struct {
	ctx     context.Context
	cancel  context.CancelFunc
	log     *Log
	sel     selection
	next    int64 // position in the log
	newLine bool  // the next text begins a line
	done    bool
	// lines are those that were found in the log and are not formatted yet, changed
	// is closed when there are more; last says that there will be none.
	lines      view
	changed    <-chan struct{}
	last       bool
	buf, spare []byte
	// end is where a reader stops that does not follow, zero before it has looked.
	end int64
	// buffers count what lines hold, which is held bytes. mu guards them from Close.
	buffers *Buffers
	mu      sync.Mutex
	held    int
	closed  bool
}

// newReader starts at the lines that the selection wants, as of now. The context
// bounds every Read; Close cancels it.
func newReader(ctx context.Context, cancel context.CancelFunc, log *Log, buffers *Buffers, sel selection, now time.Time) *reader {
	r := &reader{ctx: ctx, cancel: cancel, log: log, buffers: buffers, sel: sel, newLine: true}
	r.next = log.tailed(sel.tail, now)
	r.done = sel.limit == 0 || sel.tail == 0 && !sel.follow
	return r
}

// Read implements io.Reader. It waits for more if the log is followed.
func (r *reader) Read(p []byte) (int, error) {
	for len(r.buf) == 0 {
		if r.done {
			return 0, io.EOF
		}
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.buf)
	r.buf = r.buf[n:]
	return n, nil
}

// Close implements io.Closer and ends a Read that waits.
func (r *reader) Close() error {
	r.cancel()
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.hold(0)
	return nil
}

// fillMax is how much of a log is formatted at once for one reader. Unit: bytes.
const fillMax = 64 << 10

// fill formats what is next in the log, or waits for something new.
func (r *reader) fill() error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	r.buf = r.spare[:0]
	for len(r.buf) < fillMax && !r.done {
		entry, ok := r.lines.next()
		if !ok {
			break
		}
		r.put(entry)
	}
	r.spare = r.buf
	if len(r.buf) > 0 || r.done {
		return nil
	}
	return r.look()
}

// look takes what is new in the log, once what it had before is read; where there is
// nothing it waits.
func (r *reader) look() error {
	if r.changed != nil {
		select {
		case <-r.changed:
		case <-r.ctx.Done():
			return r.ctx.Err()
		}
	}
	if r.last {
		r.done = true
		return nil
	}
	lines, end, changed := r.log.after(r.next)
	if r.end == 0 {
		r.end = end
	}
	behind := end
	if !r.hold(lines.size()) && len(lines.blocks) > 1 {
		behind = lines.cut() // of the rest it reads what is not dropped by then
		r.hold(lines.size())
	}
	r.lines, r.next, r.changed = lines, behind, nil
	switch {
	case changed == nil && behind == end, !r.sel.follow && behind >= r.end:
		r.last = true
	case behind == end:
		r.changed = changed
	}
	return nil
}

// hold counts n bytes as what is kept for the client.
func (r *reader) hold(n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		n = 0
	}
	more := n - r.held
	r.held = n
	return r.buffers.hold(more)
}

// put formats one entry. Source: logWriter.write in k8s.io/cri-client pkg/logs
// v0.37.2: the limit counts the timestamps.
func (r *reader) put(entry line) {
	if entry.at.Before(r.sel.since) {
		return
	}
	if entry.stderr && r.sel.noStderr || !entry.stderr && r.sel.noStdout {
		return
	}
	start := len(r.buf)
	if r.sel.timestamps && r.newLine {
		r.buf = entry.at.AppendFormat(r.buf, timestampFormat)
		r.buf = append(r.buf, ' ')
	}
	r.buf = append(r.buf, entry.text...)
	r.newLine = entry.text[len(entry.text)-1] == '\n'
	if r.sel.limit < 0 {
		return
	}
	if n := int64(len(r.buf) - start); n < r.sel.limit {
		r.sel.limit -= n
		return
	}
	r.buf = r.buf[:start+int(r.sel.limit)]
	r.done = true
}
