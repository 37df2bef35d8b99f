package lifecycle

import (
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/cri"
)

// A fake program has no streams.

func (p *fakeProcess) Streams() cri.Streams { return p }

func (p *fakeProcess) WakeAt() time.Time { return p.state.WakeAt }

func (p *fakeProcess) Input([]byte, bool, time.Time) {}

func (p *fakeProcess) Room() bool { return true }

func (p *fakeProcess) Drained(time.Time) {}

func (p *fakeProcess) Resize(int, int, time.Time) {}

func (p *fakeProcess) Hangup(time.Time) { p.exit(129) }
