package lifecycle

import (
	"time"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// decideCertificates asks for what is due. Nothing waits for a refresh.
func decideCertificates(s *podstate.State, now time.Time) plan {
	var p plan
	for i := range s.Certificates {
		c := &s.Certificates[i]
		switch {
		case c.AskAt.IsZero():
		case !now.Before(c.AskAt):
			return do(askCertificates, -1)
		case c.Key == "":
			p = p.and(at(c.AskAt, workFor(c.Tries, sandboxTriesMax)))
		default:
			p = p.and(at(c.AskAt, engine.Recurring))
		}
	}
	return p
}
