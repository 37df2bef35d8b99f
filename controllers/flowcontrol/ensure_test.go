package flowcontrol

import (
	"testing"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/registry/flowcontrol/ensurer"
)

func flow(name string, precedence int32, autoUpdate string) *flowcontrolv1.FlowSchema {
	f := &flowcontrolv1.FlowSchema{ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 1}, Spec: flowcontrolv1.FlowSchemaSpec{MatchingPrecedence: precedence}}
	if autoUpdate != "" {
		f.Annotations = map[string]string{flowcontrolv1.AutoUpdateAnnotationKey: autoUpdate}
	}
	return f
}

func TestConcerned(t *testing.T) {
	k := kept[*flowcontrolv1.FlowSchema]{
		ops:       ensurer.NewFlowSchemaOps(nil, nil),
		mandatory: []*flowcontrolv1.FlowSchema{flow("must", 1, "")}, suggested: []*flowcontrolv1.FlowSchema{flow("may", 2, "")},
	}
	for name, tc := range map[string]struct {
		flow *flowcontrolv1.FlowSchema
		gone bool
		want bool
	}{
		"a mandatory one is as it must be":             {flow("must", 1, "true"), false, false},
		"a mandatory one that was changed":             {flow("must", 7, "true"), false, true},
		"a mandatory one cannot be taken over":         {flow("must", 1, "false"), false, true},
		"a mandatory one comes back":                   {flow("must", 1, "true"), true, true},
		"a suggested one is as it should be":           {flow("may", 2, "true"), false, false},
		"a suggested one that was changed":             {flow("may", 7, "true"), false, true},
		"a suggested one that a user has taken over":   {flow("may", 7, "false"), false, false},
		"a suggested one comes back":                   {flow("may", 7, "false"), true, true},
		"a user's own":                                 {flow("mine", 7, ""), false, false},
		"a user's own that was deleted":                {flow("mine", 7, "true"), true, false},
		"one that an older release has left goes away": {flow("old", 7, "true"), false, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := k.concerned(tc.flow, tc.gone); got != tc.want {
				t.Errorf("concerned is %v, want %v", got, tc.want)
			}
		})
	}
}
