package customresourcedefinition

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"k8s.io/apiextensions-apiserver/pkg/apihelpers"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/sets"
)

// name accepts the names that crd asks for, unless another definition of its group has
// them. Source: calculateNamesAndConditions and sync of NamingConditionController.
func name(crd *apiextensionsv1.CustomResourceDefinition, group []*apiextensionsv1.CustomResourceDefinition, now time.Time) {
	if equality.Semantic.DeepEqual(crd.Spec.Names, crd.Status.AcceptedNames) {
		return
	}
	used := namesOf(group)
	accepted, clash := acceptable(crd, used)
	old := apihelpers.FindCRDCondition(crd, apiextensionsv1.NamesAccepted)
	verdict := apiextensionsv1.CustomResourceDefinitionCondition{
		Type: apiextensionsv1.NamesAccepted, Status: apiextensionsv1.ConditionTrue, Reason: "NoConflicts", Message: "no conflicts found",
	}
	if clash != nil {
		verdict.Status, verdict.Reason, verdict.Message = apiextensionsv1.ConditionFalse, clash.reason, clash.err.Error()
	}
	if reflect.DeepEqual(crd.Status.AcceptedNames, accepted) && apihelpers.IsCRDConditionEquivalent(&verdict, old) {
		return
	}
	crd.Status.AcceptedNames = accepted
	set(crd, now, verdict.Type, verdict.Status, verdict.Reason, verdict.Message)
	established := apihelpers.FindCRDCondition(crd, apiextensionsv1.Established)
	switch {
	case established != nil && established.Status == apiextensionsv1.ConditionTrue:
	case clash == nil:
		set(crd, now, apiextensionsv1.Established, apiextensionsv1.ConditionFalse, "Installing", "the initial names have been accepted")
	case established == nil:
		set(crd, now, apiextensionsv1.Established, apiextensionsv1.ConditionFalse, "NotAccepted", "not all names are accepted")
	}
}

// names are those that are taken in a group.
type names struct{ resources, kinds sets.Set[string] }

func namesOf(group []*apiextensionsv1.CustomResourceDefinition) names {
	n := names{sets.New[string](), sets.New[string]()}
	for _, crd := range group {
		a := &crd.Status.AcceptedNames
		n.resources.Insert(a.Plural, a.Singular).Insert(a.ShortNames...)
		n.kinds.Insert(a.Kind, a.ListKind)
	}
	return n
}

// conflict is why a definition does not get its names.
type conflict struct {
	reason string
	err    error
}

// acceptable returns the names that crd gets: those that it asks for and that are free,
// and else those that it has. The conflict is the last one.
func acceptable(crd *apiextensionsv1.CustomResourceDefinition, used names) (apiextensionsv1.CustomResourceDefinitionNames, *conflict) {
	asked, has := &crd.Spec.Names, &crd.Status.AcceptedNames
	out := *has
	var clash *conflict
	take := func(to *string, want string, taken sets.Set[string], reason string) {
		if err := free(want, *to, taken); err != nil {
			clash = &conflict{reason, err}
			return
		}
		*to = want
	}
	take(&out.Plural, asked.Plural, used.resources, "PluralConflict")
	take(&out.Singular, asked.Singular, used.resources, "SingularConflict")
	if !reflect.DeepEqual(asked.ShortNames, has.ShortNames) {
		var errs []error
		for _, short := range asked.ShortNames {
			if slices.Contains(has.ShortNames, short) {
				continue
			}
			if err := free(short, "", used.resources); err != nil {
				errs = append(errs, err)
			}
		}
		if err := utilerrors.NewAggregate(errs); err != nil {
			clash = &conflict{"ShortNamesConflict", err}
		} else {
			out.ShortNames = asked.ShortNames
		}
	}
	take(&out.Kind, asked.Kind, used.kinds, "KindConflict")
	take(&out.ListKind, asked.ListKind, used.kinds, "ListKindConflict")
	out.Categories = asked.Categories
	return out, clash
}

// free is equalToAcceptedOrFresh.
func free(want, has string, used sets.Set[string]) error {
	if want == has || !used.Has(want) {
		return nil
	}
	return fmt.Errorf("%q is already in use", want)
}
