package customresource

import (
	"fmt"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/klog/v2"
)

// Most definitions of a cluster are not used, and registries are large: schemas in three
// forms, and what validates by them. So the Handler makes them for the first request, and
// drops some when there are too many.

// weightMax bounds the registries that are kept while nobody uses them. Upstream keeps
// all of them. Unit: schemas, of some 1.3 kB each; a container's schema has 250.
const weightMax = 40_000

// weightLeast is what registries weigh beside their schemas: codecs, and a scheme for
// each version.
const weightLeast = 80

// use makes the registries of a definition, unless they are there, and keeps them until
// done is called. If that fails, the front answers 500, as upstream does.
func (h *Handler) use(name string) (done func()) {
	h.mu.RLock()
	d := h.known[name]
	if d == nil {
		h.mu.RUnlock()
		return func() {}
	}
	d.users.Add(1)
	d.last.Store(h.uses.Add(1))
	missing := !d.built && d.served != nil
	h.mu.RUnlock()
	if missing {
		h.make(name)
	}
	return func() { d.users.Add(-1) }
}

func (h *Handler) make(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.known[name]
	if d == nil || d.built || d.served == nil {
		return
	}
	if err := h.build(d); err != nil {
		klog.Background().Error(err, "A custom resource cannot be served", "name", name)
	}
}

// build makes and stamps the registries of d, and gives them to the front. Needs mu.
func (h *Handler) build(d *known) error {
	d.built = false
	whole, err := h.whole(d)
	if apierrors.IsNotFound(err) {
		return nil // it is about to be forgotten
	}
	if err != nil {
		return err
	}
	h.builder.definitions.put(whole)
	h.builder.definitions.events.OnAdd(whole, false) // forgets those of another spec
	_, err = h.builder.handler.GetCustomResourceListerCollectionDeleter(whole)
	h.builder.definitions.put(d.crd)
	if err == nil {
		err = h.builder.slim(d.crd)
	}
	if err == nil {
		err = h.stamp(d)
	}
	if d.built = err == nil; d.built {
		h.dropIdle(d)
	}
	h.front.registries.Store(h.builder.registries.Load())
	return err
}

// whole returns d with schemas, but without their descriptions, which only OpenAPI shows.
func (h *Handler) whole(d *known) (*apiextensionsv1.CustomResourceDefinition, error) {
	loaded, err := h.cfg.Load(d.crd.Name)
	if err != nil {
		return nil, err
	}
	if loaded.UID != d.crd.UID {
		return nil, fmt.Errorf("customresource: %s was made anew", d.crd.Name)
	}
	whole := *d.crd
	whole.Spec, d.weight = undescribed(&loaded.Spec)
	d.weight += weightLeast
	return &whole, nil
}

func (h *Handler) stamp(d *known) error {
	versions, err := h.builder.versions(d.crd.UID)
	for _, v := range versions {
		h.cfg.Stamp(v.CustomResource.Store)
	}
	return err
}

// dropIdle makes room for the registries of kept: it drops those that were not used for
// the longest time. Those that are in use stay, for example by a watch.
func (h *Handler) dropIdle(kept *known) {
	weight := 0
	for _, d := range h.known {
		if d.built {
			weight += d.weight
		}
	}
	for weight > h.weightMax {
		var idle *known
		for _, d := range h.known {
			if d.built && d != kept && d.users.Load() == 0 && (idle == nil || d.last.Load() < idle.last.Load()) {
				idle = d
			}
		}
		if idle == nil {
			return
		}
		weight -= idle.weight
		idle.built = false
		h.builder.definitions.drop(idle.crd)
		h.builder.definitions.events.OnDelete(idle.crd) // forgets registries without a definition
	}
}
