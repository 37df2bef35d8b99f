// Package autoregister keeps an APIService for each served version of the groups of
// CustomResourceDefinitions.
//
// Invariant: it writes only APIServices that it has made, and that still have its label.
//
// It follows k8s.io/kubernetes pkg/controlplane/controller/crdregistration v1.37.2 and the
// part of k8s.io/kube-aggregator pkg/controllers/autoregister v0.37.2 that works all the
// time. The API server itself writes those of its own groups, at start.
package autoregister

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "autoregister"

// definitions are what the reconciler follows.
const definitions engine.Resource = "customresourcedefinitions.apiextensions.k8s.io"

// byGroup files definitions and APIServices under their group.
const byGroup = "autoregister/group"

// Reconciler reconciles APIServices.
type Reconciler struct {
	engine.Host
	who engine.Identity
	// before are the UIDs of those that are gone, by name.
	before map[string]types.UID
}

var _ engine.Reconciler = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(host engine.Host) (*Reconciler, error) {
	if err := host.Validate(Name); err != nil {
		return nil, err
	}
	host.View.Track(engine.APIServices, definitions)
	host.View.Index(definitions, byGroup, func(obj engine.Object) []string {
		return []string{obj.(*apiextensionsv1.CustomResourceDefinition).Spec.Group}
	})
	host.View.Index(engine.APIServices, byGroup, func(obj engine.Object) []string {
		return []string{obj.(*apiregistrationv1.APIService).Spec.Group}
	})
	// The API server does this itself.
	return &Reconciler{Host: host, who: engine.Identity{User: "system:apiserver", Groups: []string{"system:masters"}}, before: map[string]types.UID{}}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler. The names of an APIService's group and version
// cannot change.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	switch obj := c.Object.(type) {
	case *apiextensionsv1.CustomResourceDefinition:
		keys := r.versions(nil, obj)
		if old, ok := c.Old.(*apiextensionsv1.CustomResourceDefinition); ok {
			if old.Generation == obj.Generation && c.Type == watch.Modified {
				return nil
			}
			keys = r.versions(keys, old)
		}
		return keys
	case *apiregistrationv1.APIService:
		gone := c.Type == watch.Deleted && len(r.wanting(obj.Spec.Group)) > 0
		if c.Type == watch.Deleted && managed(obj) {
			r.before[obj.Name] = obj.UID
		}
		if gone || c.Type != watch.Deleted && managed(obj) {
			return []engine.Key{{Controller: Name, Namespace: obj.Spec.Group, Name: obj.Spec.Version}}
		}
	}
	return nil
}

// versions adds the keys of all versions of crd.
func (r *Reconciler) versions(keys []engine.Key, crd *apiextensionsv1.CustomResourceDefinition) []engine.Key {
	for _, v := range crd.Spec.Versions {
		keys = append(keys, engine.Key{Controller: Name, Namespace: crd.Spec.Group, Name: v.Name})
	}
	return keys
}

// wanting returns the definitions of a group, by name.
func (r *Reconciler) wanting(group string) []*apiextensionsv1.CustomResourceDefinition {
	return engine.ByIndex[*apiextensionsv1.CustomResourceDefinition](r.View, definitions, byGroup, group)
}

// Reconcile implements engine.Reconciler. A key's namespace is a group, and its name a
// version.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	name := key.Name + "." + key.Namespace
	have, _ := engine.Get[*apiregistrationv1.APIService](r.View, engine.APIServices, "", name)
	siblings := engine.ByIndex[*apiregistrationv1.APIService](r.View, engine.APIServices, byGroup, key.Namespace)
	p := decide(have, desired(key.Namespace, key.Name, r.wanting(key.Namespace), siblings))
	return engine.Wake{}, r.apply(ctx, p, now)
}

// apply carries a plan out. What has changed in the meantime is looked at again.
func (r *Reconciler) apply(ctx context.Context, p plan, now time.Time) (err error) {
	switch {
	case p.Create != nil:
		// An object that every cluster with a definition has must not change the names that
		// a seed gives to others.
		p.Create.UID = r.uid(p.Create.Name, now)
		_, err = r.API.Create(ctx, r.who, engine.APIServices, p.Create)
	case p.Update != nil:
		_, err = r.API.Update(ctx, r.who, engine.APIServices, "", p.Update)
	case p.Delete != nil:
		err = r.API.Delete(ctx, r.who, engine.APIServices, types.NamespacedName{Name: p.Delete.Name},
			metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(p.Delete.UID))})
	}
	if apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// uid derives a UID that differs from that of an earlier object of the same name, which may
// have been deleted at this instant.
func (r *Reconciler) uid(name string, now time.Time) types.UID {
	from := strings.Join([]string{"apiservices", name, now.UTC().String(), string(r.before[name])}, "\n")
	return types.UID(uuid.NewSHA1(uuid.NameSpaceOID, []byte(from)).String())
}
