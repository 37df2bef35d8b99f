// Package apiservice says which APIServices of servers beside the cluster are available.
//
// Invariant: the condition Available of an APIService with a Service says what was found
// at the last look: True only if the server has answered its discovery path.
//
// It follows k8s.io/kube-aggregator pkg/controllers/status/remote v0.37.2. Conditions of
// local APIServices are there from the beginning.
//
// Deviation: the server is asked once, not five times at once. What it answers comes from
// outside, so a run with such a server is the same only if the server's answers are. While
// virtual time does not flow, a step waits a moment for the answer, so that whoever creates
// an APIService finds the condition. A later answer enters as an input, and the server is
// not waited for again before it has answered.
package apiservice

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"k8s.io/kube-aggregator/pkg/apis/apiregistration/v1/helper"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "apiservice"

// The wait before a server is asked again: while it does not answer, it is doubled each
// time, up to the other, at which a server that answers is asked, too. Unit: virtual time.
// Source: the rate limiter and the resync of New, pkg/controllers/status/remote.
const (
	retryStart = 5 * time.Millisecond
	resync     = 30 * time.Second
)

// Config is what a Reconciler needs.
type Config struct {
	engine.Host
	// Look begins to ask the server of an APIService, to which a Service leads, for its
	// discovery.
	Look func(ctx context.Context, service *apiregistrationv1.APIService, target *corev1.Service) Look
	// Ask makes a key due because of something outside; see Engine.Ask. Any goroutine may
	// call it.
	Ask func(key engine.Key, what string)
	// Waits reports whether a step may wait for a server: virtual time does not flow.
	Waits func() bool
	// Authority is the certificate that signs those of clients, and the server's own as one
	// of other servers, PEM.
	Authority string
	// Forget is told of an APIService that is gone or local.
	Forget func(name string)
}

// Look is a question to a server that is under way.
type Look interface {
	// Over is closed when there is an answer, or when too much time has passed.
	Over() <-chan struct{}
	// Learn is called in a step once Over is closed. If the server has answered, its
	// resources are found by clients afterwards.
	Learn() error
}

func (c *Config) validate() error {
	var errs []error
	if c.Look == nil || c.Forget == nil {
		errs = append(errs, errors.New("apiservice: Config.Look or Config.Forget is nil: pass those of the API server"))
	}
	if c.Authority == "" {
		errs = append(errs, errors.New("apiservice: Config.Authority is empty: pass the authority's certificate, PEM"))
	}
	if c.Ask == nil || c.Waits == nil {
		errs = append(errs, errors.New("apiservice: Config.Ask or Config.Waits is nil: pass those of the engine"))
	}
	return c.Validate(Name, errs...)
}

// Reconciler reconciles APIServices.
type Reconciler struct {
	cfg Config
	who engine.Identity
	// looks are those under way that took too long to wait for, and late has the
	// APIServices whose last one did, by name.
	looks map[string]*lateLook
	late  map[string]bool
}

var _ engine.Rememberer = (*Reconciler)(nil)

// byService is the index of APIServices by the Service that they refer to.
const byService = "service"

// New returns a Reconciler. It must be called before the engine starts.
func New(cfg Config) (*Reconciler, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.View.Track(engine.APIServices, engine.Services, engine.EndpointSlices, engine.ConfigMaps)
	cfg.View.Index(engine.APIServices, byService, func(obj engine.Object) []string {
		if ref := obj.(*apiregistrationv1.APIService).Spec.Service; ref != nil {
			return []string{ref.Namespace + "/" + ref.Name}
		}
		return nil
	})
	// The API server does this itself, as upstream's aggregator is a part of it.
	return &Reconciler{
		cfg: cfg, who: engine.Identity{User: "system:apiserver", Groups: []string{"system:masters"}},
		looks: map[string]*lateLook{}, late: map[string]bool{},
	}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	switch obj := c.Object.(type) {
	case *apiregistrationv1.APIService:
		old, _ := c.Old.(*apiregistrationv1.APIService)
		if obj.Spec.Service == nil && (old == nil || old.Spec.Service == nil) {
			return nil // it was always local
		}
		return append(r.trustOf(c), engine.Key{Controller: Name, Name: obj.Name})
	case *corev1.ConfigMap:
		return r.trustOf(c)
	case *corev1.Service:
		return r.keys(obj.Namespace, obj.Name)
	case *discoveryv1.EndpointSlice:
		return r.keys(obj.Namespace, obj.Labels[discoveryv1.LabelServiceName])
	}
	return nil
}

func (r *Reconciler) keys(namespace, service string) []engine.Key {
	var keys []engine.Key
	for _, s := range engine.ByIndex[*apiregistrationv1.APIService](r.cfg.View, engine.APIServices, byService, namespace+"/"+service) {
		keys = append(keys, engine.Key{Controller: Name, Name: s.Name})
	}
	return keys
}

// Remember implements engine.Rememberer: an APIService whose server has been asked.
func (r *Reconciler) Remember(key engine.Key) ([]byte, error) {
	if key.Kind == trust && r.remote() {
		return []byte{}, nil
	}
	if service, ok := engine.Get[*apiregistrationv1.APIService](r.cfg.View, engine.APIServices, "", key.Name); !ok || service.Spec.Service == nil {
		return nil, nil
	}
	return []byte{}, nil
}

// Recall implements engine.Rememberer. What the server has said is not stored.
func (r *Reconciler) Recall(context.Context, engine.Key, []byte, time.Time) error {
	return &engine.StaleError{Reason: "apiservice: the server is asked again"}
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	if key.Kind == trust {
		return engine.Wake{}, r.reconcileTrust(ctx)
	}
	service, ok := engine.Get[*apiregistrationv1.APIService](r.cfg.View, engine.APIServices, "", key.Name)
	if !ok || service.Spec.Service == nil || service.DeletionTimestamp != nil {
		r.forget(key.Name)
		r.cfg.Forget(key.Name)
		return engine.Wake{}, nil
	}
	target, v := r.decide(service.Spec.Service)
	var checked error
	if v.Reason == "" {
		var over bool
		if checked, over = r.look(ctx, key, service, target); !over {
			return engine.Wake{}, nil // the answer makes the key due
		}
	}
	c := condition(v, checked, now)
	if next := changed(service, c); next != nil {
		if _, err := r.cfg.API.Update(ctx, r.who, engine.APIServices, "status", next); err != nil && !apierrors.IsNotFound(err) {
			return engine.Wake{}, err
		}
		service = next
	}
	switch {
	case c.Status == apiregistrationv1.ConditionTrue:
		return engine.Upkeep(now.Add(resync)), nil
	case v.Reason != "":
		return engine.Wake{}, nil // a Service or its endpoints must change first
	}
	return engine.Poll(again(service, now)), nil
}

// decide returns the Service, too, unless there is none.
func (r *Reconciler) decide(ref *apiregistrationv1.ServiceReference) (*corev1.Service, verdict) {
	service, ok := engine.Get[*corev1.Service](r.cfg.View, engine.Services, ref.Namespace, ref.Name)
	if !ok {
		return nil, decide(ref, nil, nil)
	}
	var endpoints []*discoveryv1.EndpointSlice
	for _, s := range engine.List[*discoveryv1.EndpointSlice](r.cfg.View, engine.EndpointSlices, ref.Namespace) {
		if s.Labels[discoveryv1.LabelServiceName] == ref.Name {
			endpoints = append(endpoints, s)
		}
	}
	return service, decide(ref, service, endpoints)
}

// again is when a server that does not answer is asked again. Upstream's queue doubles
// its wait each time, and so does the time for which it has not answered.
func again(service *apiregistrationv1.APIService, now time.Time) time.Time {
	since := now
	if c := helper.GetAPIServiceConditionByType(service, apiregistrationv1.Available); c != nil {
		since = c.LastTransitionTime.Time
	}
	return now.Add(min(retryStart+max(0, now.Sub(since)), resync))
}
