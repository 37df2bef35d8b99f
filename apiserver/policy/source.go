package policy

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission/plugin/policy/generic"
	"k8s.io/client-go/tools/cache"
)

// object is a policy or a binding.
type object interface {
	runtime.Object
	metav1.Object
}

// config says what a source reads.
type config[P, B object, E any] struct {
	policies, bindings cache.SharedIndexInformer
	// policyOf returns the name of a binding's policy, params the kind of a policy's
	// params, or nil.
	policyOf func(B) string
	params   func(P) *admissionregistrationv1.ParamKind
	compile  func(P) E
	find     Params
}

// source has the policies that have bindings, compiled.
type source[P, B object, E any] struct {
	config[P, B, E]

	mu sync.Mutex
	// stale says that a commit has changed something since hooks were made, or that a
	// hook waits for something that may be there the next time.
	stale    bool
	hooks    []generic.PolicyHook[P, B, E]
	compiled map[string]compiled[E]
}

// compiled is a policy's evaluator.
type compiled[E any] struct {
	version   string
	evaluator E
}

func newSource[P, B object, E any](c config[P, B, E]) *source[P, B, E] {
	s := &source[P, B, E]{config: c, compiled: map[string]compiled[E]{}}
	changed := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stale = true
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { changed() }, UpdateFunc: func(any, any) { changed() }, DeleteFunc: func(any) { changed() },
	}
	for _, informer := range []cache.SharedIndexInformer{c.policies, c.bindings} {
		// An informer that commits fill takes every handler.
		_, _ = informer.AddEventHandler(handler)
	}
	return s
}

// Run implements generic.Source: commits do the work.
func (s *source[P, B, E]) Run(context.Context) error { return nil }

// HasSynced implements generic.Source.
func (s *source[P, B, E]) HasSynced() bool { return true }

// Hooks implements generic.Source.
func (s *source[P, B, E]) Hooks() []generic.PolicyHook[P, B, E] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stale {
		s.refresh()
	}
	return s.hooks
}

func (s *source[P, B, E]) refresh() {
	s.stale, s.hooks = false, nil
	bound := map[string][]B{}
	for _, each := range s.bindings.GetIndexer().List() {
		binding := each.(B)
		bound[s.policyOf(binding)] = append(bound[s.policyOf(binding)], binding)
	}
	for _, name := range slices.Sorted(maps.Keys(bound)) {
		bindings := bound[name]
		slices.SortFunc(bindings, func(a, b B) int { return cmp.Compare(a.GetName(), b.GetName()) })
		found, ok, err := s.policies.GetIndexer().GetByKey(name)
		if err != nil || !ok {
			continue // it is not there, or not yet
		}
		hook := s.hook(found.(P), bindings)
		s.stale = s.stale || hook.ConfigurationError != nil
		s.hooks = append(s.hooks, hook)
	}
	maps.DeleteFunc(s.compiled, func(name string, _ compiled[E]) bool { return bound[name] == nil })
}

func (s *source[P, B, E]) hook(policy P, bindings []B) generic.PolicyHook[P, B, E] {
	known, ok := s.compiled[policy.GetName()]
	if !ok || known.version != policy.GetResourceVersion() {
		known = compiled[E]{policy.GetResourceVersion(), s.compile(policy)}
		s.compiled[policy.GetName()] = known
	}
	hook := generic.PolicyHook[P, B, E]{Policy: policy, Bindings: bindings, Evaluator: known.evaluator}
	kind := s.params(policy)
	if kind == nil {
		return hook
	}
	gv, err := schema.ParseGroupVersion(kind.APIVersion)
	if err != nil {
		hook.ConfigurationError = fmt.Errorf("failed to parse paramKind APIVersion: %w", err)
		return hook
	}
	gvk := gv.WithKind(kind.Kind)
	if hook.ParamInformer, hook.ParamScope, err = s.find(gvk); err != nil {
		hook.ConfigurationError = fmt.Errorf("failed to find resource referenced by paramKind: '%v'", gvk)
	}
	return hook
}
