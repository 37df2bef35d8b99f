package apiserver

import (
	"context"
	"fmt"
	"maps"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-helpers/auth/rbac/reconciliation"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy"
)

// policy writes upstream's bootstrap policy in upstream's order, and adds to what an
// older kubesim has written. It adds to upstream's roles what kubesim's own group and
// that of the metrics need. As upstream, it takes nothing away, and leaves alone what
// has the annotation rbac.authorization.kubernetes.io/autoupdate=false. Upstream:
// ensureRBACPolicy, k8s.io/kubernetes pkg/registry/rbac/rest v1.37.2.
func (b *bootstrap) policy(ctx context.Context) {
	b.aggregated(ctx)
	b.split(ctx)
	for _, role := range slices.Concat(bootstrappolicy.ClusterRoles(), bootstrappolicy.ControllerRoles()) {
		role.Rules = slices.Concat(role.Rules, simRules(role.Name), metricsRules(role.Name))
		b.role(ctx, "clusterroles", reconciliation.ClusterRoleRuleOwner{ClusterRole: &role})
	}
	for _, binding := range slices.Concat(bootstrappolicy.ClusterRoleBindings(), bootstrappolicy.ControllerRoleBindings()) {
		b.binding(ctx, "clusterrolebindings", reconciliation.ClusterRoleBindingAdapter{ClusterRoleBinding: &binding})
	}
	roles := bootstrappolicy.NamespaceRoles()
	for _, namespace := range slices.Sorted(maps.Keys(roles)) {
		for _, role := range roles[namespace] {
			b.role(ctx, "roles", reconciliation.RoleRuleOwner{Role: &role})
		}
	}
	bindings := bootstrappolicy.NamespaceRoleBindings()
	for _, namespace := range slices.Sorted(maps.Keys(bindings)) {
		for _, binding := range bindings[namespace] {
			b.binding(ctx, "rolebindings", reconciliation.RoleBindingAdapter{RoleBinding: &binding})
		}
	}
}

// aggregated moves what users have added to the roles that an older release did not
// aggregate. Upstream: primeAggregatedClusterRoles.
func (b *bootstrap) aggregated(ctx context.Context) {
	roles := b.policyObjects(ctx, "clusterroles")
	names := bootstrappolicy.ClusterRolesToAggregate()
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if role, ok := roles.missing(names[name], name).(*rbacv1.ClusterRole); ok && role.AggregationRule == nil {
			b.failed(roles.create(&rbacv1.ClusterRole{
				ObjectMeta: metav1.ObjectMeta{Name: names[name], Labels: role.Labels, Annotations: role.Annotations}, Rules: role.Rules,
			}))
		}
	}
}

// split gives a binding that an older release did not have the subjects of the binding
// whose role it takes over in part. Upstream: primeSplitClusterRoleBindings.
func (b *bootstrap) split(ctx context.Context) {
	bindings := b.policyObjects(ctx, "clusterrolebindings")
	templates := bootstrappolicy.ClusterRoleBindingsToSplit()
	for _, name := range slices.Sorted(maps.Keys(templates)) {
		next := templates[name]
		if binding, ok := bindings.missing(next.Name, name).(*rbacv1.ClusterRoleBinding); ok {
			next.Subjects, next.Labels, next.Annotations = binding.Subjects, binding.Labels, binding.Annotations
			b.failed(bindings.create(&next))
		}
	}
}

func (b *bootstrap) role(ctx context.Context, resource string, role reconciliation.RuleOwner) {
	if b.err != nil {
		return
	}
	options := reconciliation.ReconcileRoleOptions{Role: role, Confirm: true, Client: localRoles{b.policyObjects(ctx, resource)}}
	if _, err := options.Run(); err != nil {
		b.failed(fmt.Errorf("%s %q: %w", resource, role.GetName(), err))
	}
}

func (b *bootstrap) binding(ctx context.Context, resource string, binding reconciliation.RoleBinding) {
	if b.err != nil {
		return
	}
	options := reconciliation.ReconcileRoleBindingOptions{RoleBinding: binding, Confirm: true, Client: localBindings{b.policyObjects(ctx, resource)}}
	if _, err := options.Run(); err != nil {
		b.failed(fmt.Errorf("%s %q: %w", resource, binding.GetName(), err))
	}
}

// policyObjects reads and writes one resource of the policy.
type policyObjects struct {
	b   *bootstrap
	ctx context.Context
	gr  schema.GroupResource
}

func (b *bootstrap) policyObjects(ctx context.Context, resource string) policyObjects {
	return policyObjects{b: b, ctx: ctx, gr: schema.GroupResource{Group: rbacv1.GroupName, Resource: resource}}
}

func (p policyObjects) get(namespace, name string) (Object, error) {
	return p.b.local.get(p.ctx, p.b.who, p.gr, namespace, name)
}

// missing returns the object with another name if there is none with the first one.
func (p policyObjects) missing(name, other string) Object {
	if p.b.err != nil || p.b.local.exists(p.ctx, p.b.who, p.gr, "", name) {
		return nil
	}
	obj, err := p.get("", other)
	if err != nil {
		return nil
	}
	return obj
}

// create does not report that another server of the cluster was faster.
func (p policyObjects) create(obj Object) error {
	return p.b.add(p.ctx, p.gr, obj)
}

func (p policyObjects) update(obj Object) error {
	_, err := p.b.local.Update(p.ctx, p.b.who, p.gr, "", obj)
	return err
}

// localRoles is a reconciliation.RuleOwnerModifier.
type localRoles struct{ policyObjects }

var _ reconciliation.RuleOwnerModifier = localRoles{}

// Get implements reconciliation.RuleOwnerModifier.
func (l localRoles) Get(namespace, name string) (reconciliation.RuleOwner, error) {
	obj, err := l.get(namespace, name)
	if err != nil {
		return nil, err
	}
	if role, ok := obj.DeepCopyObject().(*rbacv1.Role); ok {
		return reconciliation.RoleRuleOwner{Role: role}, nil
	}
	return reconciliation.ClusterRoleRuleOwner{ClusterRole: obj.DeepCopyObject().(*rbacv1.ClusterRole)}, nil
}

// Create implements reconciliation.RuleOwnerModifier.
func (l localRoles) Create(role reconciliation.RuleOwner) (reconciliation.RuleOwner, error) {
	return role, l.create(role.GetObject().(Object))
}

// Update implements reconciliation.RuleOwnerModifier.
func (l localRoles) Update(role reconciliation.RuleOwner) (reconciliation.RuleOwner, error) {
	return role, l.update(role.GetObject().(Object))
}

// localBindings is a reconciliation.RoleBindingModifier.
type localBindings struct{ policyObjects }

var _ reconciliation.RoleBindingModifier = localBindings{}

// Get implements reconciliation.RoleBindingModifier.
func (l localBindings) Get(namespace, name string) (reconciliation.RoleBinding, error) {
	obj, err := l.get(namespace, name)
	if err != nil {
		return nil, err
	}
	if binding, ok := obj.DeepCopyObject().(*rbacv1.RoleBinding); ok {
		return reconciliation.RoleBindingAdapter{RoleBinding: binding}, nil
	}
	return reconciliation.ClusterRoleBindingAdapter{ClusterRoleBinding: obj.DeepCopyObject().(*rbacv1.ClusterRoleBinding)}, nil
}

// Delete implements reconciliation.RoleBindingModifier: a binding whose role differs is
// replaced.
func (l localBindings) Delete(namespace, name string, uid types.UID) error {
	options := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}}
	return l.b.local.Delete(l.ctx, l.b.who, l.gr, types.NamespacedName{Namespace: namespace, Name: name}, options)
}

// Create implements reconciliation.RoleBindingModifier.
func (l localBindings) Create(binding reconciliation.RoleBinding) (reconciliation.RoleBinding, error) {
	return binding, l.create(binding.GetObject().(Object))
}

// Update implements reconciliation.RoleBindingModifier.
func (l localBindings) Update(binding reconciliation.RoleBinding) (reconciliation.RoleBinding, error) {
	return binding, l.update(binding.GetObject().(Object))
}
