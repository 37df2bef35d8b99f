package customresourcedefinition

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiextensions-apiserver/pkg/apihelpers"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

func noon() time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) }

// definition is one of group example.com, with names after the plural.
func definition(plural string, edits ...func(*apiextensionsv1.CustomResourceDefinition)) *apiextensionsv1.CustomResourceDefinition {
	crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: plural + ".example.com"}}
	crd.Spec.Group = "example.com"
	singular := strings.TrimSuffix(plural, "s")
	name := strings.ToUpper(singular[:1]) + singular[1:]
	crd.Spec.Names = apiextensionsv1.CustomResourceDefinitionNames{Plural: plural, Singular: singular, Kind: name, ListKind: name + "List"}
	for _, edit := range edits {
		edit(crd)
	}
	return crd
}

func short(names ...string) func(*apiextensionsv1.CustomResourceDefinition) {
	return func(crd *apiextensionsv1.CustomResourceDefinition) { crd.Spec.Names.ShortNames = names }
}

func kind(name string) func(*apiextensionsv1.CustomResourceDefinition) {
	return func(crd *apiextensionsv1.CustomResourceDefinition) { crd.Spec.Names.Kind = name }
}

// named has the names that it asks for.
func named(crd *apiextensionsv1.CustomResourceDefinition) {
	crd.Status.AcceptedNames = crd.Spec.Names
	set(crd, noon(), apiextensionsv1.NamesAccepted, apiextensionsv1.ConditionTrue, "NoConflicts", "no conflicts found")
}

func ready(crd *apiextensionsv1.CustomResourceDefinition) {
	named(crd)
	set(crd, noon(), apiextensionsv1.Established, apiextensionsv1.ConditionTrue, "InitialNamesAccepted", "the initial names have been accepted")
}

func deleted(crd *apiextensionsv1.CustomResourceDefinition) {
	crd.DeletionTimestamp = ptr.To(metav1.NewTime(noon()))
	crd.Finalizers = []string{apiextensionsv1.CustomResourceCleanupFinalizer}
	set(crd, noon(), apiextensionsv1.Terminating, apiextensionsv1.ConditionTrue, "InstanceDeletionInProgress", "CustomResource deletion is in progress")
}

func deletedBefore(d time.Duration) func(*apiextensionsv1.CustomResourceDefinition) {
	return func(crd *apiextensionsv1.CustomResourceDefinition) {
		deleted(crd)
		apihelpers.FindCRDCondition(crd, apiextensionsv1.Terminating).LastTransitionTime = metav1.NewTime(noon().Add(-d))
	}
}

// because gives another reason for the condition Terminating.
func because(reason string) func(*apiextensionsv1.CustomResourceDefinition) {
	return func(crd *apiextensionsv1.CustomResourceDefinition) {
		apihelpers.FindCRDCondition(crd, apiextensionsv1.Terminating).Reason = reason
	}
}

func bundle(pem string) func(*apiextensionsv1.CustomResourceDefinition) {
	return func(crd *apiextensionsv1.CustomResourceDefinition) {
		crd.Spec.Conversion = &apiextensionsv1.CustomResourceConversion{Strategy: apiextensionsv1.WebhookConverter,
			Webhook: &apiextensionsv1.WebhookConversion{ClientConfig: &apiextensionsv1.WebhookClientConfig{CABundle: []byte(pem)}}}
	}
}

func ofKubernetes(annotation string) func(*apiextensionsv1.CustomResourceDefinition) {
	return func(crd *apiextensionsv1.CustomResourceDefinition) {
		crd.Spec.Group = "things.k8s.io"
		crd.Annotations = map[string]string{apiextensionsv1.KubeAPIApprovedAnnotation: annotation}
	}
}

// object is one of a definition.
func object(deleted bool) engine.Object {
	o := &metav1.PartialObjectMetadata{}
	if deleted {
		o.DeletionTimestamp = ptr.To(metav1.NewTime(noon()))
	}
	return o
}

// gist is a plan in words.
func gist(p plan) string {
	var out []string
	if !p.CheckAt.IsZero() {
		out = append(out, "check at "+p.CheckAt.Format(time.TimeOnly))
	}
	if p.DeleteInstances {
		out = append(out, "delete instances")
	}
	if p.Next != nil {
		for _, c := range p.Next.Status.Conditions {
			out = append(out, string(c.Type)+"="+string(c.Status)+" "+c.Reason+": "+c.Message)
		}
		if p.Next.DeletionTimestamp != nil && !apihelpers.CRDHasFinalizer(p.Next, apiextensionsv1.CustomResourceCleanupFinalizer) {
			out = append(out, "let it go")
		}
	}
	return strings.Join(out, "\n")
}

func TestDecide(t *testing.T) {
	const (
		accepted   = "NamesAccepted=True NoConflicts: no conflicts found\n"
		installing = "Established=False Installing: the initial names have been accepted"
		served     = "Established=True InitialNamesAccepted: the initial names have been accepted"
		refused    = "\nEstablished=False NotAccepted: not all names are accepted"
	)
	widgets := definition("widgets", short("w"), ready)
	for name, tc := range map[string]struct {
		crd  *apiextensionsv1.CustomResourceDefinition
		with []*apiextensionsv1.CustomResourceDefinition
		has  []engine.Object
		want string
	}{
		"the names of a new definition are accepted first": {crd: definition("gadgets"), want: accepted + installing},
		"then it is established":                           {crd: definition("gadgets", named), want: accepted + served},
		"then there is nothing to do":                      {crd: definition("gadgets", ready)},
		"a short name that is taken": {crd: definition("gadgets", short("g", "w")), with: []*apiextensionsv1.CustomResourceDefinition{widgets},
			want: `NamesAccepted=False ShortNamesConflict: "w" is already in use` + refused},
		"a kind that is taken": {crd: definition("gadgets", kind("Widget")), with: []*apiextensionsv1.CustomResourceDefinition{widgets},
			want: `NamesAccepted=False KindConflict: "Widget" is already in use` + refused},
		"a refused definition is left until names are free": {crd: definition("gadgets", func(crd *apiextensionsv1.CustomResourceDefinition) {
			named(crd)
			crd.Spec.Names.ShortNames = []string{"w"}
			set(crd, noon(), apiextensionsv1.NamesAccepted, apiextensionsv1.ConditionFalse, "ShortNamesConflict", `"w" is already in use`)
		}), with: []*apiextensionsv1.CustomResourceDefinition{widgets}},
		"one that is established stays so when it asks for more": {crd: definition("gadgets", ready, short("w")), with: []*apiextensionsv1.CustomResourceDefinition{widgets},
			want: `NamesAccepted=False ShortNamesConflict: "w" is already in use` + "\n" + served},
		"a conversion webhook with a bad bundle": {crd: definition("gadgets", named, bundle("x")), want: accepted + "Established=False InvalidCABundle: The conversion webhook CABundle is invalid"},
		"a group of Kubernetes' own": {crd: definition("gadgets", ready, ofKubernetes("unapproved, for a test")),
			want: accepted + served + "\n" + `KubernetesAPIApprovalPolicyConformant=False UnapprovedAnnotation: not approved: "unapproved, for a test"`},
		"a deleted definition deletes its objects": {crd: definition("gadgets", ready, deleted), has: []engine.Object{object(true), object(false)}, want: "check at 12:01:00\ndelete instances"},
		"and waits for them":                       {crd: definition("gadgets", ready, deleted), has: []engine.Object{object(true)}, want: "check at 12:01:00"},
		"for a minute": {crd: definition("gadgets", ready, deletedBefore(time.Minute)), has: []engine.Object{object(true)},
			want: accepted + served + "\nTerminating=True InstanceDeletionCheck: could not confirm zero CustomResources remaining: context deadline exceeded"},
		"then it has said so": {crd: definition("gadgets", ready, deleted, because(reasonCheck)), has: []engine.Object{object(true)}},
		"it still goes after the last one": {crd: definition("gadgets", ready, deleted, because(reasonCheck)),
			want: accepted + served + "\nTerminating=False InstanceDeletionCompleted: removed all instances\nlet it go"},
		"objects that cannot be deleted are tried again": {crd: definition("gadgets", ready, deleted, because(reasonFailed)), has: []engine.Object{object(false)}, want: "check at 12:01:00\ndelete instances"},
		"and then waited for": {crd: definition("gadgets", ready, deleted, because(reasonFailed)), has: []engine.Object{object(true)},
			want: accepted + served + "\nTerminating=True InstanceDeletionInProgress: CustomResource deletion is in progress"},
		"and goes after the last one": {crd: definition("gadgets", ready, deleted),
			want: accepted + served + "\nTerminating=False InstanceDeletionCompleted: removed all instances\nlet it go"},
		"one that was never established has none": {crd: definition("gadgets", named, deleted), has: nil,
			want: accepted + "Terminating=False NeverEstablished: resource was never established\nlet it go"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, gist(decide(tc.crd, append(tc.with, tc.crd), tc.has, noon()))); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAConditionKeepsItsTime while its status stays.
func TestAConditionKeepsItsTime(t *testing.T) {
	crd := definition("gadgets", ready, deleted)
	before := apihelpers.FindCRDCondition(crd, apiextensionsv1.Terminating).LastTransitionTime
	set(crd, noon().Add(time.Hour), apiextensionsv1.Terminating, apiextensionsv1.ConditionTrue, "Other", "")
	if after := apihelpers.FindCRDCondition(crd, apiextensionsv1.Terminating).LastTransitionTime; !after.Equal(&before) {
		t.Errorf("the time is %v, want still %v", after, before)
	}
}
