package apiserver

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/audit"
)

// events is an audit backend that keeps what it is told.
type events struct {
	audit.Backend
	told []auditinternal.Event
}

func (e *events) ProcessEvents(all ...*auditinternal.Event) bool {
	for _, each := range all {
		e.told = append(e.told, *each)
	}
	return true
}

// hand is a clock that a test sets.
type hand struct{ at time.Time }

func (h *hand) Now() time.Time { return h.at }

func newAuditor(size int64) (*auditor, *events, *hand) {
	kept, clock := &events{}, &hand{time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	return &auditor{Backend: kept, clock: clock, size: size, received: map[types.UID]metav1.MicroTime{}}, kept, clock
}

// ask sends a request that takes an hour of virtual time, and returns its ID.
func ask(a *auditor, clock *hand, method, path, chosen string) types.UID {
	var id types.UID
	req := httptest.NewRequest(method, path, nil)
	if chosen != "" {
		req.Header.Set(auditinternal.HeaderAuditID, chosen)
	}
	a.identify(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		id = types.UID(req.Header.Get(auditinternal.HeaderAuditID))
		clock.at = clock.at.Add(time.Hour)
		a.ProcessEvents(&auditinternal.Event{
			AuditID: id, Stage: auditinternal.StageResponseComplete, RequestReceivedTimestamp: metav1.NowMicro(), StageTimestamp: metav1.NowMicro(),
			Annotations: map[string]string{"apiserver.latency.k8s.io/total": "600ms", "authorization.k8s.io/decision": "allow"},
		})
	})).ServeHTTP(httptest.NewRecorder(), req)
	clock.at = clock.at.Add(-time.Hour)
	return id
}

func TestAnAuditEventHasVirtualTime(t *testing.T) {
	a, kept, clock := newAuditor(0)
	id := ask(a, clock, http.MethodPost, "/api/v1/pods", "")
	want := []auditinternal.Event{{
		AuditID: id, Stage: auditinternal.StageResponseComplete,
		RequestReceivedTimestamp: metav1.NewMicroTime(clock.at), StageTimestamp: metav1.NewMicroTime(clock.at.Add(time.Hour)),
		Annotations: map[string]string{"authorization.k8s.io/decision": "allow"},
	}}
	if diff := cmp.Diff(want, kept.told); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
	if len(a.received) > 0 {
		t.Errorf("%d requests are remembered after their end", len(a.received))
	}
}

func TestAuditIDsFollowFromWhatIsAsked(t *testing.T) {
	a, _, clock := newAuditor(0)
	first, second := ask(a, clock, http.MethodPost, "/api/v1/pods", ""), ask(a, clock, http.MethodPost, "/api/v1/pods", "")
	if first == second {
		t.Error("two requests have one ID")
	}
	if got := ask(a, clock, http.MethodPost, "/api/v1/pods", "mine"); got != "mine" {
		t.Errorf("the ID is %s, want that of the client", got)
	}
	again, _, clock := newAuditor(0)
	ask(again, clock, http.MethodGet, "/api", "")
	if got := ask(again, clock, http.MethodPost, "/api/v1/pods", ""); got != first {
		t.Error("another request before it changes the ID")
	}
	longer, _, clock := newAuditor(100)
	if ask(longer, clock, http.MethodPost, "/api/v1/pods", "") == first {
		t.Error("a server that continues a log gives the IDs of the one before")
	}
}
