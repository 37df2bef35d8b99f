package stream

import (
	"context"
	"io"
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
	buf     []byte
}

// newReader starts at the lines that the selection wants, as of now. The context
// bounds every Read; Close cancels it.
func newReader(ctx context.Context, cancel context.CancelFunc, log *Log, sel selection, now time.Time) *reader {
	r := &reader{ctx: ctx, cancel: cancel, log: log, sel: sel, newLine: true}
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
	return nil
}

// fill takes over what is new in the log, or waits for something new.
func (r *reader) fill() error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	lines, behind, changed := r.log.after(r.next)
	r.next = behind
	for _, entry := range lines {
		r.put(entry)
		if r.done {
			return nil
		}
	}
	if !r.sel.follow || changed == nil {
		r.done = true
		return nil
	}
	if len(r.buf) > 0 {
		return nil
	}
	select {
	case <-changed:
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
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
