package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of everything that is kubesim's own.
const GroupName = "sim.kubesim.dev"

// GroupVersion returns the group and version of this package.
func GroupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}
}

// AddToScheme registers the types of this package.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion(), &PodScript{}, &PodScriptList{}, &Fault{}, &FaultList{}, &Clock{}, &ClockList{}, &ClockAdvance{})
	addDefaults(scheme)
	metav1.AddToGroupVersion(scheme, GroupVersion())
	return nil
}
