package apiserver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/audit/policy"
	genericapiserver "k8s.io/apiserver/pkg/server"
	pluginlog "k8s.io/apiserver/plugin/pkg/audit/log"

	"github.com/kubesim-dev/kubesim/apiserver/registry"
)

// auditor puts virtual time and repeatable IDs into upstream's audit log. Without it,
// they would come from the wall clock and from a random source. The writes of controllers
// and kubelets are logged too, see localAudit.
type auditor struct {
	audit.Backend
	clock registry.Clock

	// size is that of the log at first, so that a server that continues a log gives other
	// IDs.
	size int64

	mu sync.Mutex
	// alike counts the requests of the present instant by what they ask for. So the ID of
	// one does not depend on how often a client looks up which resources there are.
	instant time.Time
	alike   map[string]int
	// received is when the requests under way came.
	received map[types.UID]metav1.MicroTime
}

// AuditConfig says which requests are logged where.
type AuditConfig struct {
	// PolicyFile says which requests are logged, and how much of them, as kube-apiserver's
	// --audit-policy-file.
	PolicyFile string
	// Path is the log, to which lines are appended. Format is json or legacy, as
	// upstream's.
	Path, Format string
}

// Validate returns an error if the policy cannot be read, or the format is unknown.
func (a *AuditConfig) Validate() error {
	switch {
	case a.PolicyFile == "":
		return errors.New("--audit-log-path: want --audit-policy-file, too: without a policy nothing is logged")
	case a.Path == "":
		return errors.New("--audit-policy-file: want --audit-log-path, too: there is no other place for the log")
	case !slices.Contains(pluginlog.AllowedFormats, a.Format):
		return fmt.Errorf("--audit-log-format %q: want one of %s", a.Format, strings.Join(pluginlog.AllowedFormats, ", "))
	}
	if _, err := policy.LoadPolicyFromFile(a.PolicyFile); err != nil {
		return fmt.Errorf("loading audit policy file: %w", err)
	}
	return nil
}

// auditTo makes c audit requests as config says. It returns nil if they are not audited.
// The log is closed when ctx ends.
func auditTo(ctx context.Context, c *genericapiserver.Config, config *AuditConfig, clock registry.Clock) (*auditor, error) {
	if config == nil {
		return nil, nil
	}
	rules, err := policy.LoadPolicyFromFile(config.PolicyFile)
	if err != nil {
		return nil, fmt.Errorf("loading audit policy file: %w", err)
	}
	log, err := os.OpenFile(config.Path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--audit-log-path: %w", err)
	}
	context.AfterFunc(ctx, func() { _ = log.Close() })
	info, err := log.Stat()
	if err != nil {
		return nil, fmt.Errorf("--audit-log-path: %w", err)
	}
	a := &auditor{
		Backend: pluginlog.NewBackend(log, config.Format, auditv1.SchemeGroupVersion),
		clock:   clock, size: info.Size(), received: map[types.UID]metav1.MicroTime{},
	}
	c.AuditBackend, c.AuditPolicyRuleEvaluator = a, policy.NewPolicyRuleEvaluator(rules)
	return a, nil
}

// identify gives each request an ID, and remembers when it came.
func (a *auditor) identify(next http.Handler) http.Handler {
	if a == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		id := a.begin(req)
		defer a.end(id)
		req = req.Clone(req.Context())
		req.Header.Set(auditinternal.HeaderAuditID, string(id))
		next.ServeHTTP(w, req)
	})
}

// begin returns the ID that the client has chosen, or draws one.
func (a *auditor) begin(req *http.Request) types.UID {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.clock.Now()
	id := types.UID(req.Header.Get(auditinternal.HeaderAuditID))
	if id == "" {
		if !now.Equal(a.instant) {
			a.instant, a.alike = now, map[string]int{}
		}
		asked := req.Method + " " + req.URL.RequestURI()
		a.alike[asked]++
		id = types.UID(uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "%d %d %d %s", a.size, now.UnixNano(), a.alike[asked], asked)).String())
	}
	a.received[id] = metav1.NewMicroTime(now)
	return id
}

func (a *auditor) end(id types.UID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.received, id)
}

// ProcessEvents implements audit.Sink.
func (a *auditor) ProcessEvents(events ...*auditinternal.Event) bool {
	settled := make([]*auditinternal.Event, len(events))
	for i, each := range events {
		settled[i] = a.settle(*each)
	}
	return a.Backend.ProcessEvents(settled...)
}

// settle takes the wall clock out of an event.
func (a *auditor) settle(e auditinternal.Event) *auditinternal.Event {
	a.mu.Lock()
	received, ok := a.received[e.AuditID]
	a.mu.Unlock()
	e.StageTimestamp = metav1.NewMicroTime(a.clock.Now())
	if !ok {
		received = e.StageTimestamp
	}
	e.RequestReceivedTimestamp = received
	if e.Stage == auditinternal.StageRequestReceived {
		e.StageTimestamp = received
	}
	e.Annotations = maps.Clone(e.Annotations)
	maps.DeleteFunc(e.Annotations, func(key, _ string) bool { return strings.HasPrefix(key, "apiserver.latency.k8s.io/") })
	return &e
}
