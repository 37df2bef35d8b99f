package flowcontrol

import (
	"context"
	"slices"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	"k8s.io/kubernetes/pkg/registry/flowcontrol/ensurer"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// object is one of the two kinds.
type object interface {
	comparable
	engine.Object
}

// kept are upstream's own objects of one kind.
type kept[T object] struct {
	ops                  ensurer.ObjectOps[T]
	mandatory, suggested []T
}

// find returns upstream's object with that name, and how it is kept.
func (k kept[T]) find(name string) (boot T, strategy ensurer.EnsureStrategy[T], ok bool) {
	named := func(obj T) bool { return obj.GetName() == name }
	if i := slices.IndexFunc(k.mandatory, named); i >= 0 {
		return annotated(k.ops.DeepCopy(k.mandatory[i])), ensurer.NewMandatoryEnsureStrategy[T](), true
	}
	if i := slices.IndexFunc(k.suggested, named); i >= 0 {
		return annotated(k.ops.DeepCopy(k.suggested[i])), ensurer.NewSuggestedEnsureStrategy[T](), true
	}
	return boot, nil, false
}

// annotated says that obj follows the release, as the first objects of a cluster say it.
func annotated[T object](obj T) T {
	annotations := map[string]string{flowcontrolv1.AutoUpdateAnnotationKey: "true"}
	obj.SetAnnotations(annotations)
	return obj
}

// concerned reports whether something is to be done about obj, or about its absence.
func (k kept[T]) concerned(obj T, gone bool) bool {
	boot, strategy, ok := k.find(obj.GetName())
	if !ok {
		return !gone && obj.GetAnnotations()[flowcontrolv1.AutoUpdateAnnotationKey] == "true"
	}
	if gone {
		return true
	}
	_, change, err := strategy.ReviseIfNeeded(k.ops, obj, boot)
	return change || err != nil
}

// ensure makes the object with that name what it must be. One that says that it follows
// the release, and is none of upstream's, goes: an older release may have had it.
func (k kept[T]) ensure(ctx context.Context, name string) error {
	boot, strategy, ok := k.find(name)
	if !ok {
		return ensurer.RemoveUnwantedObjects(ctx, k.ops, slices.Concat(k.mandatory, k.suggested))
	}
	return ensurer.EnsureConfiguration(ctx, k.ops, boot, strategy)
}
