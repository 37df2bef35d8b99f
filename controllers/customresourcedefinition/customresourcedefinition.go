// Package customresourcedefinition accepts the names of CustomResourceDefinitions, has
// their objects served, and deletes these objects with their definition.
//
// Invariant: a definition is Established only after its resource is served. It goes only
// after the last of its objects.
//
// It follows the controllers status, establish, apiapproval and finalizer of
// k8s.io/apiextensions-apiserver pkg/controller v0.37.2.
package customresourcedefinition

import (
	"context"
	"errors"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "customresourcedefinition"

// Definitions are what the reconciler reconciles.
const Definitions engine.Resource = "customresourcedefinitions.apiextensions.k8s.io"

// groupIndex files definitions under their group.
const groupIndex = "customresourcedefinition/group"

// ErrLater is the error of a Server that waits for a conversion webhook in a Pod: it makes
// the step begin anew.
var ErrLater = errors.New(Name + ": a conversion webhook answers later")

// Server serves the objects of definitions.
type Server interface {
	// Apply makes the objects of a definition served as it says now; Forget ends that.
	Apply(crd *apiextensionsv1.CustomResourceDefinition) error
	Forget(name string)
	// Knows reports whether a definition has that name. It may be called in Apply.
	Knows(name string) bool
	// DeleteInstances deletes all objects of a definition, which may wait for finalizers.
	DeleteInstances(ctx context.Context, name string) error
}

// Config is what a Reconciler needs.
type Config struct {
	engine.Host
	Server Server
}

// Reconciler reconciles CustomResourceDefinitions.
type Reconciler struct {
	view   *engine.View
	api    engine.API
	server Server
}

var _ engine.Reconciler = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(cfg Config) (*Reconciler, error) {
	var missing error
	if cfg.Server == nil {
		missing = errors.New(Name + ": Config.Server is nil: pass the API server's handler of custom resources")
	}
	if err := cfg.Validate(Name, missing); err != nil {
		return nil, err
	}
	cfg.View.Index(Definitions, groupIndex, func(obj engine.Object) []string {
		if crd, ok := obj.(*apiextensionsv1.CustomResourceDefinition); ok {
			return []string{crd.Spec.Group}
		}
		return nil
	})
	cfg.View.TrackServed(func(s engine.Served) bool { return cfg.Server.Knows(string(s.Name)) })
	return &Reconciler{view: cfg.View, api: cfg.API, server: cfg.Server}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler. The names of a definition may be free when
// another of its group changes. A definition that is being deleted waits for its last
// object.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	if c.Resource != Definitions {
		if crd, ok := engine.Get[*apiextensionsv1.CustomResourceDefinition](r.view, Definitions, "", string(c.Resource)); ok && c.Type == watch.Deleted && waits(crd) {
			return []engine.Key{{Controller: Name, Name: crd.Name}}
		}
		return nil
	}
	crd, ok := c.Object.(*apiextensionsv1.CustomResourceDefinition)
	if !ok {
		return nil
	}
	keys := []engine.Key{{Controller: Name, Name: crd.Name}}
	old, _ := c.Old.(*apiextensionsv1.CustomResourceDefinition)
	if c.Type == watch.Deleted || old != nil && !equality.Semantic.DeepEqual(old.Status.AcceptedNames, crd.Status.AcceptedNames) {
		for _, other := range r.group(crd.Spec.Group) {
			if other.Name != crd.Name {
				keys = append(keys, engine.Key{Controller: Name, Name: other.Name})
			}
		}
	}
	return keys
}

// group returns the definitions of a group, by name.
func (r *Reconciler) group(name string) []*apiextensionsv1.CustomResourceDefinition {
	return engine.ByIndex[*apiextensionsv1.CustomResourceDefinition](r.view, Definitions, groupIndex, name)
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	crd, ok := engine.Get[*apiextensionsv1.CustomResourceDefinition](r.view, Definitions, "", key.Name)
	if !ok {
		r.server.Forget(key.Name)
		return engine.Wake{}, nil
	}
	if err := r.server.Apply(crd); err != nil {
		return engine.Wake{}, err
	}
	p := decide(crd, r.group(crd.Spec.Group), r.instances(crd.Name), now)
	return engine.Cleanup(p.CheckAt), r.apply(ctx, crd, p, now)
}

// instances returns the objects of a definition.
func (r *Reconciler) instances(name string) []engine.Object {
	if resource := engine.Resource(name); r.view.Tracks(resource) {
		return engine.List[engine.Object](r.view, resource, "")
	}
	return nil
}

func (r *Reconciler) apply(ctx context.Context, crd *apiextensionsv1.CustomResourceDefinition, p plan, now time.Time) error {
	if p.Next != nil {
		return r.write(ctx, p.Next)
	}
	if !p.DeleteInstances {
		return nil
	}
	err := r.server.DeleteInstances(ctx, crd.Name)
	if err == nil || errors.Is(err, ErrLater) {
		return err
	}
	if next := failed(crd, err, now); changed(crd, next) {
		err = errors.Join(err, r.write(ctx, next))
	}
	return err
}

func (r *Reconciler) write(ctx context.Context, next *apiextensionsv1.CustomResourceDefinition) error {
	_, err := r.api.Update(ctx, serverIdentity(), Definitions, "status", next)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// serverIdentity is the API server's own: upstream's controllers of definitions are part
// of it.
func serverIdentity() engine.Identity {
	return engine.Identity{User: "system:apiserver", Groups: []string{"system:masters", "system:authenticated"}}
}
