package testcluster

import (
	"bytes"
	"flag"
	"sync"

	"k8s.io/klog/v2"
)

// upstream is the log of upstream's libraries. They have one log for a process, so
// clusters share it.
//
//nolint:gochecknoglobals // the log is klog's, and global
var upstream upstreamLog

// upstreamLog keeps the last errors of upstream's log for tests that fail. The rest
// says nothing about a test.
type upstreamLog struct {
	once sync.Once
	mu   sync.Mutex
	text []byte
}

// upstreamMax bounds what is kept. Unit: bytes.
const upstreamMax = 64 << 10

// hush keeps the log out of the output of tests, unless the process has given klog a
// logger of its own.
func (l *upstreamLog) hush() {
	l.once.Do(func() {
		flags := flag.NewFlagSet("klog", flag.ContinueOnError)
		klog.InitFlags(flags)
		for name, value := range map[string]string{"logtostderr": "false", "stderrthreshold": "FATAL", "one_output": "true"} {
			_ = flags.Set(name, value) // never fails for these
		}
		klog.SetOutput(l)
	})
}

// Write implements io.Writer. klog writes one entry at a time, which begins with its
// severity.
func (l *upstreamLog) Write(p []byte) (int, error) {
	if !bytes.HasPrefix(p, []byte("E")) && !bytes.HasPrefix(p, []byte("F")) {
		return len(p), nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if over := len(l.text) - upstreamMax; over > upstreamMax {
		l.text = append([]byte(nil), l.text[over:]...)
	}
	return len(p), nil
}

// String returns what is kept.
func (l *upstreamLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}
