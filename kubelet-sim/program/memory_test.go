package program

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// ledger is an account with room for limit bytes; 0 is no limit.
type ledger struct{ held, limit int64 }

func (l *ledger) Hold(n int64) bool {
	if n > 0 && l.limit > 0 && l.held+n > l.limit {
		return false
	}
	l.held += n
	return true
}

func (l *ledger) Force(n int64) { l.held += n }

// holders are the kinds of things in which a container can hold bytes of its host. Each
// holds some megabytes and then waits. A new kind belongs in here.
func holders() map[string]string {
	const big = "x=0123456789abcdef; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do x=$x$x; done; " // 512 KiB
	return map[string]string{
		"a variable":            big + "for i in 1 2 3 4 5 6 7 8 9; do eval \"y$i=\\$x.$i\"; done; sleep 9999",
		"a file":                "dd if=/dev/zero of=/tmp/f bs=1M count=8; sleep 9999",
		"many files":            "i=0; while [ $i -lt 5000 ]; do echo $i > /tmp/$i; i=$((i+1)); done; sleep 9999",
		"a file without a name": "exec 3> /tmp/f; dd if=/dev/zero bs=1M count=8 >&3; rm /tmp/f; sleep 9999",
		"files of the image":    "for f in /etc/*; do [ -f $f ] && dd if=/dev/zero of=$f bs=1M count=1; done; sleep 9999",
		"pipes":                 "for i in $(seq 100); do yes | sleep 9999 & done; sleep 9999",
		"a here-document":       big + "for i in 1 2 3 4 5 6 7 8 9; do sleep 9999 <<EOF &\n$x$i\nEOF\ndone; sleep 9999",
		"arguments":             big + "for i in 1 2 3 4 5 6 7 8 9; do sh -c 'sleep 9999' \"$x$i\" & done; sleep 9999",
		"the environment":       big + "for i in 1 2 3 4 5 6 7 8 9; do Y=\"$x$i\" sleep 9999 & done; sleep 9999",
		"a substitution":        "x=$(yes | head -c 900000; sleep 9999)",
		"connections":           "nc -lk -p 9000 -e sleep 9999 & sleep 1; for i in $(seq 40); do yes | nc 127.0.0.1 9000 & done; sleep 9999",
		"answers":               "dd if=/dev/zero of=/tmp/f bs=1M count=1; httpd -p 8080 -h /tmp; for i in $(seq 40); do (printf 'GET /f HTTP/1.0\\r\\n\\r\\n'; sleep 9999) | nc 127.0.0.1 8080 | sleep 9999 & done; sleep 9999",
		"many requests":         "dd if=/dev/zero of=/tmp/f bs=1M count=1; httpd -p 8080 -h /tmp; (for i in $(seq 100); do printf 'GET /f HTTP/1.1\\r\\n\\r\\n'; done; sleep 9999) | nc 127.0.0.1 8080 | sleep 9999",
		"processes":             "for i in $(seq 400); do sleep 9999 & done; sleep 9999",
		"shells":                "for i in $(seq 100); do (: ; sleep 9999; :) & done; sleep 9999",
		"nested shells":         "f() { if [ $1 = 0 ]; then sleep 9999; else (f $(($1-1)); :); fi; }; for i in $(seq 4); do f 80 & done; sleep 9999",
		"deep functions":        "f() { if [ $1 = 0 ]; then sleep 9999; else f $(($1-1)); fi; }; for i in $(seq 50); do f 150 & done; sleep 9999",
		"descriptors":           "for i in $(seq 20); do (n=3; while [ $n -lt 500 ]; do eval \"exec $n>/tmp/f\"; n=$((n+1)); done; sleep 9999) & done; sleep 9999",
		"functions":             "i=0; while [ $i -lt 3000 ]; do eval \"f$i() { echo a b c d e f g h i j k l m n o p $i; }\"; i=$((i+1)); done; sleep 9999",
		"positional parameters": "set -- $(seq 20000); sleep 9999",
		"a long script":         "s='sleep 9999; '; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do s=\"$s: a b c; \"; s=$s$s; [ ${#s} -gt 200000 ] && break; done; for i in 1 2 3; do sh -c \"$s\" & done; sleep 9999",
		"copied variables":      big + "for i in $(seq 20); do (x=\"$x$i\"; sleep 9999; :) & done; sleep 9999",
		"tables of subshells":   "i=0; while [ $i -lt 1000 ]; do eval v$i=1; i=$((i+1)); done; for i in $(seq 50); do (v1=2; sleep 9999; :) & done; sleep 9999",
		"awk":                   "awk 'BEGIN { while (i < 50000) a[i++] = \"some text \" i; system(\"sleep 9999\") }'",
		"sort":                  "(seq 200000; sleep 9999) | sort",
		"links":                 "i=0; while [ $i -lt 3000 ]; do ln -s /a/rather/long/name/of/a/file/that/is/not/there/$i /tmp/$i; i=$((i+1)); done; sleep 9999",
	}
}

// TestEveryHolderIsCharged lets a container hold bytes in each way that there is. What it
// is charged with is at least half of what the Go heap has grown by, and all of it is
// given back when the container ends.
func TestEveryHolderIsCharged(t *testing.T) {
	for name, script := range holders() {
		t.Run(name, func(t *testing.T) {
			catalog := NewCatalog()
			root, err := catalog.Root("busybox", noon())
			if err != nil {
				t.Fatal(err)
			}
			memory, disk := &ledger{}, &ledger{}
			root.Charge(disk)
			before, out := inUse(), ""
			p, err := Start(Spec{
				Image: "busybox", Command: []string{"sh", "-c", script}, User: -1, Group: -1, Root: root, Catalog: catalog,
				Output: func(c Chunk) { out += string(c.Data) }, Account: memory, Netns: &kernel.Netns{Account: memory},
			}, noon())
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			for range 20_000 {
				s := p.State()
				if s.Exited || s.WakeAt.IsZero() || s.WakeAt.Sub(noon()) > time.Hour {
					break
				}
				p.Resume(s.WakeAt)
			}
			if s := p.State(); s.Exited {
				t.Fatalf("the container has ended: %+v: %s", s, out)
			}
			const slack = 512 << 10 // what is parsed, the image's tree
			grown, charged := inUse()-before, memory.held+disk.held
			if charged < 256<<10 {
				t.Errorf("it holds only %d KiB", charged>>10)
			}
			t.Logf("charged %d KiB, the heap has grown by %d KiB", charged>>10, grown>>10)
			if grown > 2*charged+slack {
				t.Errorf("charged %d KiB, but the heap has grown by %d KiB", charged>>10, grown>>10)
			}
			p.Close()
			root.Release()
			if memory.held != 0 || disk.held != 0 {
				t.Errorf("after the end %d bytes of memory and %d of disk are still charged", memory.held, disk.held)
			}
		})
	}
}

// inUse is what lives on the heap and on the stacks of goroutines. Unit: bytes.
func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc + s.StackInuse)
}

// TestWhoIsRefusedFails lets the account of a container be full: a file finds no room, and
// a process that wants memory is killed.
func TestWhoIsRefusedFails(t *testing.T) {
	for name, tc := range map[string]struct {
		script string
		want   string
		killed bool
	}{
		"a file":     {"cat /dev/zero > /tmp/f", "cat: write error: No space left on device\n", false},
		"a variable": {"x=0123456789abcdef; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do x=$x$x; done; while :; do y=$y$x; done", "", true},
		"a pipe":     {"for i in $(seq 100); do yes | sleep 9999 & done; wait; echo end", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			catalog := NewCatalog()
			root, err := catalog.Root("busybox", noon())
			if err != nil {
				t.Fatal(err)
			}
			account := &ledger{limit: 1 << 20}
			root.Charge(account)
			out := ""
			p, err := Start(Spec{
				Image: "busybox", Command: []string{"sh", "-c", tc.script}, User: -1, Group: -1, Root: root, Catalog: catalog, Account: account,
				Output: func(c Chunk) { out += string(c.Data) },
			}, noon())
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			for range 2000 {
				s := p.State()
				if s.Exited || s.WakeAt.IsZero() || s.WakeAt.Sub(noon()) > time.Hour {
					break
				}
				p.Resume(s.WakeAt)
			}
			if got := p.State().OOMKilled; got != tc.killed || out != tc.want {
				t.Errorf("killed %v, want %v; printed %q, want %q; %s", got, tc.killed, out, tc.want, fmt.Sprint(p.State()))
			}
		})
	}
}
