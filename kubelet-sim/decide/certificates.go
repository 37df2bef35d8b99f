package decide

import (
	"time"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// certificates asks for what is due. Nothing waits for a refresh.
func certificates(s *podstate.State, now time.Time) Plan {
	var p Plan
	for i := range s.Certificates {
		c := &s.Certificates[i]
		switch {
		case c.AskAt.IsZero():
		case !now.Before(c.AskAt):
			return do(AskCertificates, -1)
		case c.Key == "":
			p = p.and(at(c.AskAt, attempts(c.Tries, sandboxTriesMax)))
		default:
			p = p.and(at(c.AskAt, engine.Routine))
		}
	}
	return p
}
