package e2e

import (
	"os"
	"regexp"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// rightsUsers are the columns of docs/security.md: a role, bound in a Namespace or in all.
func rightsUsers() []struct{ name, role, namespace string } {
	return []struct{ name, role, namespace string }{
		{"view-default", "view", "default"}, {"edit-default", "edit", "default"}, {"admin-default", "admin", "default"},
		{"view-all", "view", ""}, {"edit-all", "edit", ""}, {"admin-all", "admin", ""}, {"cluster-admin-all", "cluster-admin", ""},
	}
}

// rightsRow is "verb resource.group/subresource", or "verb /path", in backquotes.
var rightsRow = regexp.MustCompile("^\\| `([a-z]+) ([a-z./0-9]+)`( in another Namespace)? \\|(.*)\\|$")

// TestRightsAreAsDocumented asks the server for each cell of the table in docs/security.md.
func TestRightsAreAsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	client := clientOf(t, newServer(t, "--ephemeral", "--nodes", "0"))
	users := rightsUsers()
	for _, u := range users {
		bindRole(t, client, u.name, u.role, u.namespace)
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		m := rightsRow.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		rows++
		cells := strings.Split(m[4], "|")
		if len(cells) != len(users) {
			t.Errorf("%s has %d cells, want %d", line, len(cells), len(users))
			continue
		}
		for i, cell := range cells {
			want := strings.TrimSpace(cell) == "yes"
			if got := mayDo(t, client, users[i].name, m[1], m[2], m[3] != ""); got != want {
				t.Errorf("%s %s%s: allowed to %s: %v, docs/security.md says %v", m[1], m[2], m[3], users[i].name, got, want)
			}
		}
	}
	if rows < 30 {
		t.Errorf("docs/security.md has %d rows of rights, want the whole table", rows)
	}
}

func bindRole(t *testing.T, client kubernetes.Interface, user, role, namespace string) {
	t.Helper()
	meta := metav1.ObjectMeta{Name: user}
	subjects := []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}}
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}
	var err error
	if namespace == "" {
		_, err = client.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{ObjectMeta: meta, Subjects: subjects, RoleRef: ref}, metav1.CreateOptions{})
	} else {
		_, err = client.RbacV1().RoleBindings(namespace).Create(t.Context(), &rbacv1.RoleBinding{ObjectMeta: meta, Subjects: subjects, RoleRef: ref}, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func mayDo(t *testing.T, client kubernetes.Interface, user, verb, what string, elsewhere bool) bool {
	t.Helper()
	spec := authorizationv1.SubjectAccessReviewSpec{User: user, Groups: []string{"system:authenticated"}}
	if strings.HasPrefix(what, "/") {
		spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Verb: verb, Path: what}
	} else {
		resource, subresource, _ := strings.Cut(what, "/")
		resource, group, _ := strings.Cut(resource, ".")
		spec.ResourceAttributes = &authorizationv1.ResourceAttributes{Verb: verb, Group: group, Resource: resource, Subresource: subresource, Namespace: "default"}
		switch {
		case elsewhere:
			spec.ResourceAttributes.Namespace = "kube-public"
		case clusterWide(resource):
			spec.ResourceAttributes.Namespace = ""
		}
	}
	review, err := client.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{Spec: spec}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}

// clusterWide reports whether objects of a resource are in no Namespace.
func clusterWide(resource string) bool {
	switch resource {
	case "nodes", "namespaces", "persistentvolumes", "storageclasses", "clusterroles", "clusterrolebindings", "podscripts", "faults", "clocks":
		return true
	}
	return false
}
