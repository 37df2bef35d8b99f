package policy

import (
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	apiservercel "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/environment"
)

// The functions of this file are upstream's compilePolicy in k8s.io/apiserver
// pkg/admission/plugin/policy/{validating,mutating} v0.37.2, which nobody else may call.

func compileValidation(policy *validating.Policy) validating.Validator {
	spec := &policy.Spec
	all := cel.OptionalVariableDeclarations{HasParams: spec.ParamKind != nil, HasAuthorizer: true}
	// A message may not ask the authorizer.
	messages := cel.OptionalVariableDeclarations{HasParams: spec.ParamKind != nil}
	compiler, err := newCompiler(spec.Variables, all)
	if err != nil {
		return validating.NewValidator(nil, nil, nil, nil, spec.FailurePolicy, err)
	}
	validations := make([]cel.ExpressionAccessor, len(spec.Validations))
	texts := make([]cel.ExpressionAccessor, len(spec.Validations))
	for i, v := range spec.Validations {
		validations[i] = &validating.ValidationCondition{Expression: v.Expression, Message: v.Message, Reason: v.Reason}
		if v.MessageExpression != "" {
			texts[i] = &validating.MessageExpressionCondition{MessageExpression: v.MessageExpression}
		}
	}
	annotations := make([]cel.ExpressionAccessor, len(spec.AuditAnnotations))
	for i, a := range spec.AuditAnnotations {
		annotations[i] = &validating.AuditAnnotationCondition{Key: a.Key, ValueExpression: a.ValueExpression}
	}
	return validating.NewValidator(
		compiler.CompileCondition(validations, all, environment.StoredExpressions),
		newMatcher(compiler, spec.MatchConditions, all, spec.FailurePolicy, policy.Name),
		compiler.CompileCondition(annotations, all, environment.StoredExpressions),
		compiler.CompileCondition(texts, messages, environment.StoredExpressions),
		spec.FailurePolicy, nil)
}

func compileMutation(policy *mutating.Policy) mutating.PolicyEvaluator {
	spec := &policy.Spec
	all := cel.OptionalVariableDeclarations{HasParams: spec.ParamKind != nil, HasAuthorizer: true}
	compiler, err := newCompiler(spec.Variables, all)
	if err != nil {
		return mutating.PolicyEvaluator{Error: &apiservercel.Error{
			Type: apiservercel.ErrorTypeInternal, Detail: fmt.Sprintf("failed to initialize CEL compiler: %v", err),
		}}
	}
	patches := all
	patches.HasPatchTypes = true
	var patchers []patch.Patcher
	for _, m := range spec.Mutations {
		switch {
		case m.PatchType == admissionregistrationv1.PatchTypeJSONPatch && m.JSONPatch != nil:
			patchers = append(patchers, patch.NewJSONPatcher(compiler.CompileMutatingEvaluator(
				&patch.JSONPatchCondition{Expression: m.JSONPatch.Expression}, patches, environment.StoredExpressions)))
		case m.PatchType == admissionregistrationv1.PatchTypeApplyConfiguration && m.ApplyConfiguration != nil:
			patchers = append(patchers, patch.NewApplyConfigurationPatcher(compiler.CompileMutatingEvaluator(
				&patch.ApplyConfigurationCondition{Expression: m.ApplyConfiguration.Expression}, patches, environment.StoredExpressions)))
		}
	}
	return mutating.PolicyEvaluator{
		Matcher:  newMatcher(compiler, spec.MatchConditions, all, spec.FailurePolicy, policy.Name),
		Mutators: patchers, CompositedCompiler: compiler,
	}
}

func newCompiler(variables []admissionregistrationv1.Variable, declarations cel.OptionalVariableDeclarations) (*cel.CompositedCompiler, error) {
	compiler, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if err != nil {
		return nil, err
	}
	named := make([]cel.NamedExpressionAccessor, len(variables))
	for i, v := range variables {
		named[i] = &validating.Variable{Name: v.Name, Expression: v.Expression}
	}
	compiler.CompileAndStoreVariables(named, declarations, environment.StoredExpressions)
	return compiler, nil
}

func newMatcher(compiler *cel.CompositedCompiler, conditions []admissionregistrationv1.MatchCondition, declarations cel.OptionalVariableDeclarations,
	failure *admissionregistrationv1.FailurePolicyType, name string) matchconditions.Matcher {
	if len(conditions) == 0 {
		return nil
	}
	accessors := make([]cel.ExpressionAccessor, len(conditions))
	for i := range conditions {
		accessors[i] = (*matchconditions.MatchCondition)(&conditions[i])
	}
	return matchconditions.NewMatcher(compiler.CompileCondition(accessors, declarations, environment.StoredExpressions), failure, "policy", "validate", name)
}
