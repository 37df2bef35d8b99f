package program

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestTwoRunsAreAlike runs a script that uses all that might differ: random
// numbers, jobs, pipes, the clock, directory order, PIDs.
func TestTwoRunsAreAlike(t *testing.T) {
	const script = `
for i in 1 2 3; do (sleep 0.$((RANDOM % 10)); echo job $i $RANDOM $$ $!) & done; wait
mktemp; shuf -i 1-20 | tr '\n' ' '; head -c 8 /dev/urandom | md5sum; date +%s.%N
yes | head -n 1000 | wc -l; (while :; do echo x; done) | head -n 500 | sort | uniq -c
ls -l /bin | md5sum; env; ps; awk 'BEGIN { srand(); print rand() }'; find /etc | sort -r
while [ $(date +%s) -lt 1735732810 ]; do :; done; date +%s`
	record := func(seed uint64) []Chunk {
		var chunks []Chunk
		spec := busyboxSh(script)
		spec.Seed, spec.Hostname = seed, "web-0"
		spec.Output = func(c Chunk) { chunks = append(chunks, c) }
		p, err := Start(spec, noon())
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		for s := p.State(); !s.Exited && !s.WakeAt.IsZero() && s.WakeAt.Sub(noon()) < time.Hour; s = p.State() {
			p.Resume(s.WakeAt)
		}
		if s := p.State(); !s.Exited || s.ExitCode != 0 {
			t.Errorf("state %+v", s)
		}
		return chunks
	}
	first := record(7)
	if diff := cmp.Diff(first, record(7)); diff != "" {
		t.Errorf("a second run differs (-first +second):\n%s", diff)
	}
	if cmp.Equal(first, record(8)) {
		t.Error("another seed makes no difference")
	}
}
