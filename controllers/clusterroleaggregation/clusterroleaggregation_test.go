package clusterroleaggregation

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func role(name string, edits ...func(*rbacv1.ClusterRole)) *rbacv1.ClusterRole {
	r := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, edit := range edits {
		edit(r)
	}
	return r
}

// to labels a role for the aggregation of another.
func to(name string) func(*rbacv1.ClusterRole) {
	return func(r *rbacv1.ClusterRole) { r.Labels = map[string]string{"to-" + name: "true"} }
}

// from adds a selector for each name.
func from(names ...string) func(*rbacv1.ClusterRole) {
	return func(r *rbacv1.ClusterRole) {
		r.AggregationRule = &rbacv1.AggregationRule{}
		for _, name := range names {
			r.AggregationRule.ClusterRoleSelectors = append(r.AggregationRule.ClusterRoleSelectors,
				metav1.LabelSelector{MatchLabels: map[string]string{"to-" + name: "true"}})
		}
	}
}

func rules(verbs ...string) []rbacv1.PolicyRule {
	var out []rbacv1.PolicyRule
	for _, verb := range verbs {
		out = append(out, rbacv1.PolicyRule{Verbs: []string{verb}, APIGroups: []string{""}, Resources: []string{"pods"}})
	}
	return out
}

func may(verbs ...string) func(*rbacv1.ClusterRole) {
	return func(r *rbacv1.ClusterRole) { r.Rules = rules(verbs...) }
}

func TestDecide(t *testing.T) {
	readers, writers := role("a", to("view"), may("get", "list")), role("b", to("edit"), may("create"))
	for name, tc := range map[string]struct {
		role *rbacv1.ClusterRole
		all  []*rbacv1.ClusterRole
		want plan
	}{
		"a role without an aggregationRule keeps its rules": {role("r", may("get")), []*rbacv1.ClusterRole{readers}, plan{}},
		"a selector brings the rules of what it matches":    {role("r", from("view")), []*rbacv1.ClusterRole{readers, writers}, plan{Write: true, Rules: rules("get", "list")}},
		"the order is that of the selectors, then of the names": {
			role("r", from("edit", "view")), []*rbacv1.ClusterRole{readers, writers, role("c", to("view"), may("watch"))},
			plan{Write: true, Rules: rules("create", "get", "list", "watch")},
		},
		"a rule that two roles have comes once": {
			role("r", from("view")), []*rbacv1.ClusterRole{readers, role("c", to("view"), may("list", "watch"))},
			plan{Write: true, Rules: rules("get", "list", "watch")},
		},
		"a role that matches itself adds nothing": {
			role("r", from("view"), to("view"), may("delete")), []*rbacv1.ClusterRole{readers, role("r", to("view"), may("delete"))},
			plan{Write: true, Rules: rules("get", "list")},
		},
		"what nobody gives any more goes":         {role("r", from("view"), may("get")), []*rbacv1.ClusterRole{writers}, plan{Write: true}},
		"a role that has its rules is left alone": {role("r", from("view"), may("get", "list")), []*rbacv1.ClusterRole{readers}, plan{}},
		"an empty role that gets nothing as well": {role("r", from("view")), nil, plan{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decide(tc.role, tc.all)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecideNamesASelectorThatCannotBeRead(t *testing.T) {
	r := role("r", from("view"))
	r.AggregationRule.ClusterRoleSelectors[0].MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "k", Operator: "Near"}}
	_, err := decide(r, nil)
	const want = `clusterrole r: aggregationRule.clusterRoleSelectors[0]: "Near" is not a valid label selector operator`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
