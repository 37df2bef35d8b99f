// Package task is an example: an operator of controller-runtime with a custom resource, a
// defaulting and a validating webhook, a finalizer and a status; and its test against a
// simulated cluster.
package task

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Task is a command that is run once.
type Task struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   Spec   `json:"spec"`
	Status Status `json:"status,omitempty"`
}

// Spec says what is run.
type Spec struct {
	// Command is a shell command. It cannot be changed.
	Command string `json:"command"`
	// TimeoutSeconds bounds how long it runs. The default is an hour.
	TimeoutSeconds int64 `json:"timeoutSeconds,omitempty"`
}

// Status says how it is.
type Status struct {
	// Phase is Running, Complete or Failed.
	Phase string `json:"phase,omitempty"`
}

// List is a list of Tasks.
type List struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Task `json:"items"`
}

// DeepCopyObject implements runtime.Object.
func (t *Task) DeepCopyObject() runtime.Object {
	out := *t
	t.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	return &out
}

// DeepCopyObject implements runtime.Object.
func (l *List) DeepCopyObject() runtime.Object {
	out := *l
	l.ListMeta.DeepCopyInto(&out.ListMeta)
	out.Items = make([]Task, len(l.Items))
	for i := range l.Items {
		out.Items[i] = *l.Items[i].DeepCopyObject().(*Task)
	}
	return &out
}

// AddToScheme makes a scheme know Tasks.
func AddToScheme(scheme *runtime.Scheme) error {
	version := schema.GroupVersion{Group: "example.com", Version: "v1"}
	scheme.AddKnownTypeWithName(version.WithKind("Task"), &Task{})
	scheme.AddKnownTypeWithName(version.WithKind("TaskList"), &List{})
	metav1.AddToGroupVersion(scheme, version)
	return nil
}
