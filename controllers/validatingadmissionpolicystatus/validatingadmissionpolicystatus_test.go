package validatingadmissionpolicystatus

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type policy = admissionregistrationv1.ValidatingAdmissionPolicy

func at(generation, observed int64) *policy {
	return &policy{
		ObjectMeta: metav1.ObjectMeta{Name: "p", Generation: generation},
		Status:     admissionregistrationv1.ValidatingAdmissionPolicyStatus{ObservedGeneration: observed},
	}
}

func TestUnchecked(t *testing.T) {
	for name, tc := range map[string]struct {
		policy *policy
		want   bool
	}{
		"a new policy is to be checked":         {at(1, 0), true},
		"a policy is checked once a generation": {at(1, 1), false},
		"a changed policy is checked again":     {at(2, 1), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := unchecked(tc.policy); got != tc.want {
				t.Errorf("unchecked is %v, want %v", got, tc.want)
			}
		})
	}
}

func TestChecked(t *testing.T) {
	old := at(2, 1)
	old.Status.TypeChecking = &admissionregistrationv1.TypeChecking{ExpressionWarnings: []admissionregistrationv1.ExpressionWarning{{FieldRef: "old"}}}
	if diff := cmp.Diff(admissionregistrationv1.ValidatingAdmissionPolicyStatus{
		ObservedGeneration: 2, TypeChecking: &admissionregistrationv1.TypeChecking{},
	}, checked(old, nil).Status); diff != "" {
		t.Errorf("the status of a policy without warnings (-want +got):\n%s", diff)
	}
	if unchecked(checked(old, nil)) {
		t.Error("a policy that was checked is to be checked again")
	}
}
