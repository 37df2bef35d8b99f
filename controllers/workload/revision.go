package workload

import (
	"bytes"
	"encoding/json"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kubernetes/pkg/controller/history"
)

// TemplatePatch returns a strategic merge patch that puts a template into a StatefulSet or
// a DaemonSet: what their ControllerRevisions hold. Source: getPatch in k8s.io/kubernetes
// pkg/controller/statefulset v1.37.2, which has the same bytes, as they are hashed.
func TemplatePatch(template *corev1.PodTemplateSpec) ([]byte, error) {
	data, err := json.Marshal(template)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	fields["$patch"] = "replace"
	return json.Marshal(map[string]any{"spec": map[string]any{"template": fields}})
}

// NewRevision returns the ControllerRevision of a controller's template, with its
// annotations. Source: newRevision in k8s.io/kubernetes pkg/controller/statefulset v1.37.2.
func NewRevision(owner metav1.Object, kind schema.GroupVersionKind, template *corev1.PodTemplateSpec, revision int64, collisions *int32) (*appsv1.ControllerRevision, error) {
	patch, err := TemplatePatch(template)
	if err != nil {
		return nil, err
	}
	cr, err := history.NewControllerRevision(owner, kind, template.Labels, runtime.RawExtension{Raw: patch}, revision, collisions)
	if err != nil {
		return nil, err
	}
	cr.Namespace = owner.GetNamespace()
	if cr.Annotations = maps.Clone(owner.GetAnnotations()); cr.Annotations == nil {
		cr.Annotations = map[string]string{}
	}
	return cr, nil
}

// SameData reports whether two ControllerRevisions hold the same.
func SameData(a, b *appsv1.ControllerRevision) bool { return bytes.Equal(a.Data.Raw, b.Data.Raw) }
