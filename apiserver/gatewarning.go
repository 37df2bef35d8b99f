package apiserver

import (
	"fmt"
	"net/http"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// movedMax is how far the clock may advance for a write without a Warning. Unit:
// virtual time.
const movedMax = 24 * time.Hour

// now returns the present instant of virtual time.
func (e *entrance) now() time.Time {
	if e.clock == nil {
		return time.Time{}
	}
	return e.clock.Now()
}

// warn tells the client of a write that began at an instant what a user would not
// expect: its answer is early, as err says, or the clock has advanced far.
func (e *entrance) warn(header http.Header, began time.Time, err error) {
	var texts []string
	now := e.now()
	if err != nil {
		texts = append(texts, "the cluster has not come to rest yet, and time goes on: 'kubesim clock' shows it, 'kubesim clock pause' stops it")
	}
	if moved := now.Sub(began); moved > movedMax {
		texts = append(texts, fmt.Sprintf("clock mode auto has moved virtual time by %s, to %s, for the work under way: --auto-max limits that, clock mode manual prevents it",
			moved.Round(time.Second), now.UTC().Format(time.RFC3339)))
	}
	for _, text := range texts {
		if warning, err := utilnet.NewWarningHeader(299, "-", text); err == nil {
			header.Add("Warning", warning)
		}
	}
}
