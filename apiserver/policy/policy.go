// Package policy runs ValidatingAdmissionPolicies and MutatingAdmissionPolicies.
//
// Upstream matches, evaluates and patches. Its source of policies compiles them once in a
// second of wall time, in the order of a map, and lists params through informers of its
// own. This package has another source, which reads what commits fill.
//
// Invariant: a policy, a binding or a param has an effect on the next request after its
// commit, and policies are asked in the order of their names, then of their bindings'.
package policy

import (
	"context"
	"io"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/admission/plugin/policy/generic"
	"k8s.io/apiserver/pkg/admission/plugin/policy/matching"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/features"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/component-base/featuregate"
)

// Params finds the objects of a kind that policies may name as their params. The error
// says that the kind is not served.
type Params func(schema.GroupVersionKind) (informers.GenericInformer, meta.RESTScope, error)

// RegisterValidating returns the function that registers ValidatingAdmissionPolicy.
func RegisterValidating(params Params) func(*admission.Plugins) {
	return func(plugins *admission.Plugins) {
		plugins.Register(validating.PluginName, func(io.Reader) (admission.Interface, error) {
			return newValidator(params), nil
		})
	}
}

// RegisterMutating returns the function that registers MutatingAdmissionPolicy.
func RegisterMutating(params Params, schemas Schemas) func(*admission.Plugins) {
	return func(plugins *admission.Plugins) {
		plugins.Register(mutating.PluginName, func(io.Reader) (admission.Interface, error) {
			return newMutator(params, schemas), nil
		})
	}
}

type validator struct {
	*generic.Plugin[validating.PolicyHook]
}

var _ admission.ValidationInterface = validator{}

func newValidator(params Params) validator {
	sources := func(f informers.SharedInformerFactory, _ kubernetes.Interface, _ dynamic.Interface, _ meta.RESTMapper) generic.Source[validating.PolicyHook] {
		return newSource(config[*validating.Policy, *validating.PolicyBinding, validating.Validator]{
			policies: f.Admissionregistration().V1().ValidatingAdmissionPolicies().Informer(),
			bindings: f.Admissionregistration().V1().ValidatingAdmissionPolicyBindings().Informer(),
			policyOf: func(b *validating.PolicyBinding) string { return b.Spec.PolicyName },
			params:   func(p *validating.Policy) *admissionregistrationv1.ParamKind { return p.Spec.ParamKind },
			compile:  compileValidation, find: params,
		})
	}
	p := generic.NewPlugin(admission.NewHandler(admission.Connect, admission.Create, admission.Delete, admission.Update), sources,
		func(a authorizer.UnconditionalAuthorizer, m *matching.Matcher, _ kubernetes.Interface) generic.Dispatcher[validating.PolicyHook] {
			return idle[validating.PolicyHook]{validating.NewDispatcher(a, generic.NewPolicyMatcher(m))}
		})
	p.SetEnabled(true)
	return validator{p}
}

// Validate implements admission.ValidationInterface.
func (v validator) Validate(ctx context.Context, a admission.Attributes, o admission.ObjectInterfaces) error {
	return v.Dispatch(ctx, a, o)
}

type mutator struct {
	*generic.Plugin[mutating.PolicyHook]
}

var (
	_ admission.MutationInterface = mutator{}
	_ initializer.WantsFeatures   = mutator{}
)

func newMutator(params Params, schemas Schemas) mutator {
	sources := func(f informers.SharedInformerFactory, _ kubernetes.Interface, _ dynamic.Interface, _ meta.RESTMapper) generic.Source[mutating.PolicyHook] {
		return newSource(config[*mutating.Policy, *mutating.PolicyBinding, mutating.PolicyEvaluator]{
			policies: f.Admissionregistration().V1().MutatingAdmissionPolicies().Informer(),
			bindings: f.Admissionregistration().V1().MutatingAdmissionPolicyBindings().Informer(),
			policyOf: func(b *mutating.PolicyBinding) string { return b.Spec.PolicyName },
			params:   func(p *mutating.Policy) *admissionregistrationv1.ParamKind { return p.Spec.ParamKind },
			compile:  compileMutation, find: params,
		})
	}
	return mutator{generic.NewPlugin(admission.NewHandler(admission.Create, admission.Update, admission.Connect), sources,
		func(a authorizer.UnconditionalAuthorizer, m *matching.Matcher, _ kubernetes.Interface) generic.Dispatcher[mutating.PolicyHook] {
			return idle[mutating.PolicyHook]{mutating.NewDispatcher(a, m, newConverters(schemas))}
		})}
}

// Admit implements admission.MutationInterface.
func (m mutator) Admit(ctx context.Context, a admission.Attributes, o admission.ObjectInterfaces) error {
	return m.Dispatch(ctx, a, o)
}

// InspectFeatureGates implements initializer.WantsFeatures.
func (m mutator) InspectFeatureGates(gates featuregate.FeatureGate) {
	m.SetEnabled(gates.Enabled(features.MutatingAdmissionPolicy))
}

// idle does nothing for a request while there are no policies.
type idle[H any] struct{ generic.Dispatcher[H] }

// Dispatch implements generic.Dispatcher.
func (d idle[H]) Dispatch(ctx context.Context, a admission.Attributes, o admission.ObjectInterfaces, hooks []H) error {
	if len(hooks) == 0 {
		return nil
	}
	return d.Dispatcher.Dispatch(ctx, a, o, hooks)
}
