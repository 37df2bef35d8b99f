// Package apiservice says which APIServices of servers beside the cluster are available.
//
// Invariant: the condition Available of an APIService with a Service says what was found
// at the last look: True only if the server has answered its discovery path.
//
// It follows k8s.io/kube-aggregator pkg/controllers/status/remote v0.37.2. Conditions of
// local APIServices are there from the beginning.
//
// Deviation: the server is asked once, not five times at once. Virtual time stands still
// meanwhile. What it answers comes from outside, so a run with such a server is the same
// only if the server's answers are.
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
	// Check asks the server of an APIService, to which a Service leads, for its discovery.
	// If it answers, its resources are found by clients afterwards.
	Check func(ctx context.Context, service *apiregistrationv1.APIService, target *corev1.Service) error
	// Forget is told of an APIService that is gone or local.
	Forget func(name string)
}

func (c *Config) validate() error {
	var errs []error
	if c.Check == nil || c.Forget == nil {
		errs = append(errs, errors.New("apiservice: Config.Check or Config.Forget is nil: pass those of the API server"))
	}
	return c.Validate(Name, errs...)
}

// Reconciler reconciles APIServices.
type Reconciler struct {
	cfg Config
	who engine.Identity
}

var _ engine.Rememberer = (*Reconciler)(nil)

// byService is the index of APIServices by the Service that they refer to.
const byService = "service"

// New returns a Reconciler. It must be called before the engine starts.
func New(cfg Config) (*Reconciler, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.View.Track(engine.APIServices, engine.Services, engine.EndpointSlices)
	cfg.View.Index(engine.APIServices, byService, func(obj engine.Object) []string {
		if ref := obj.(*apiregistrationv1.APIService).Spec.Service; ref != nil {
			return []string{ref.Namespace + "/" + ref.Name}
		}
		return nil
	})
	// The API server does this itself, as upstream's aggregator is a part of it.
	return &Reconciler{cfg: cfg, who: engine.Identity{User: "system:apiserver", Groups: []string{"system:masters"}}}, nil
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
		return []engine.Key{{Controller: Name, Name: obj.Name}}
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
	service, ok := engine.Get[*apiregistrationv1.APIService](r.cfg.View, engine.APIServices, "", key.Name)
	if !ok || service.Spec.Service == nil || service.DeletionTimestamp != nil {
		r.cfg.Forget(key.Name)
		return engine.Wake{}, nil
	}
	target, v := r.decide(service.Spec.Service)
	var checked error
	if v.Reason == "" {
		checked = r.cfg.Check(ctx, service, target)
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
