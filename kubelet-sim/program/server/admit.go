package server

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// verdict is what a webhook says of a request.
type verdict struct {
	*admissionv1.AdmissionResponse
	// after is how long it thinks. silent says that it never answers.
	after  time.Duration
	silent bool
}

// admitters are agnhost's webhooks by path. Source: k8s.io/kubernetes
// test/images/agnhost/webhook v1.37.2, whose functions are not exported.
func (s *webhook) admitters() map[string]func(*admissionv1.AdmissionRequest) verdict {
	return map[string]func(*admissionv1.AdmissionRequest) verdict{
		"/always-allow-delay-5s":    s.alwaysAllow,
		"/always-deny":              s.alwaysDeny,
		"/add-label":                s.addLabel,
		"/pods":                     s.admitPods,
		"/pods/attach":              s.admitAttachment,
		"/mutating-pods":            s.mutatePods,
		"/mutating-pods-sidecar":    s.addSidecar,
		"/configmaps":               s.admitConfigMaps,
		"/mutating-configmaps":      s.mutateConfigMaps,
		"/custom-resource":          s.admitCustomResources,
		"/mutating-custom-resource": s.mutateCustomResources,
		"/crd":                      s.admitDefinitions,
	}
}

func allowed() verdict {
	return verdict{AdmissionResponse: &admissionv1.AdmissionResponse{Allowed: true}}
}

// denied refuses with a message.
func denied(message string) verdict {
	return verdict{AdmissionResponse: &admissionv1.AdmissionResponse{Result: &metav1.Status{Message: message}}}
}

// patched allows with a JSON patch, if there is one.
func patched(patch string) verdict {
	v := allowed()
	if patch != "" {
		kind := admissionv1.PatchTypeJSONPatch
		v.Patch, v.PatchType = []byte(patch), &kind
	}
	return v
}

// broken refuses because of an error.
func (s *webhook) broken(where string, err error) verdict {
	s.log('E', where, err.Error())
	return denied(err.Error())
}

// about reports whether a request is for a resource of the core group; if not, it
// returns the error.
func about(r *admissionv1.AdmissionRequest, resource string) error {
	want := metav1.GroupVersionResource{Version: "v1", Resource: resource}
	if r.Resource != want {
		return fmt.Errorf("expect resource to be %s", want)
	}
	return nil
}

func (s *webhook) alwaysAllow(*admissionv1.AdmissionRequest) verdict {
	s.tell("alwaysallow.go:29", "always-allow-with-delay sleeping for 5 seconds")
	v := allowed()
	v.Result, v.after = &metav1.Status{Message: "this webhook allows all requests"}, 5*time.Second
	return v
}

func (s *webhook) alwaysDeny(*admissionv1.AdmissionRequest) verdict {
	s.tell("alwaysdeny.go:27", "calling always-deny")
	return denied("this webhook denies all requests")
}

func (s *webhook) addLabel(r *admissionv1.AdmissionRequest) verdict {
	s.tell("addlabel.go:41", "calling add-label")
	var obj metav1.PartialObjectMetadata
	if err := json.Unmarshal(r.Object.Raw, &obj); err != nil {
		return s.broken("addlabel.go:48", err)
	}
	value, has := obj.Labels["added-label"]
	switch {
	case len(obj.Labels) == 0:
		return patched(`[{"op": "add", "path": "/metadata/labels", "value": {"added-label": "yes"}}]`)
	case !has:
		return patched(`[{"op": "add", "path": "/metadata/labels/added-label", "value": "yes"}]`)
	case value != "yes":
		return patched(`[{"op": "replace", "path": "/metadata/labels/added-label", "value": "yes"}]`)
	}
	return allowed()
}

func (s *webhook) admitPods(r *admissionv1.AdmissionRequest) verdict {
	s.tell("pods.go:40", "admitting pods")
	if err := about(r, "pods"); err != nil {
		return s.broken("pods.go:44", err)
	}
	var pod corev1.Pod
	if err := json.Unmarshal(r.Object.Raw, &pod); err != nil {
		return s.broken("pods.go:52", err)
	}
	var reasons []string
	switch pod.Labels["webhook-e2e-test"] {
	case "webhook-disallow":
		reasons = append(reasons, "the pod contains unwanted label;")
	case "wait-forever":
		return verdict{silent: true}
	}
	for _, c := range pod.Spec.Containers {
		if strings.Contains(c.Name, "webhook-disallow") {
			reasons = append(reasons, "the pod contains unwanted container name;")
		}
	}
	if len(reasons) > 0 {
		return denied(strings.Join(reasons, " "))
	}
	return allowed()
}

func (s *webhook) admitAttachment(r *admissionv1.AdmissionRequest) verdict {
	s.tell("pods.go:146", "handling attaching pods")
	if r.Name != "to-be-attached-pod" {
		return allowed()
	}
	if want := (metav1.GroupVersionResource{Version: "v1", Resource: "pods"}); r.Resource != want {
		return s.broken("pods.go:153", fmt.Errorf("expect resource to be %s, got %s", want, r.Resource))
	}
	if r.SubResource != "attach" {
		return s.broken("pods.go:158", fmt.Errorf("expect subresource to be attach, got %s", r.SubResource))
	}
	var options corev1.PodAttachOptions
	if err := json.Unmarshal(r.Object.Raw, &options); err != nil {
		return s.broken("pods.go:166", err)
	}
	if !options.Stdin || options.Container != "container1" {
		return allowed()
	}
	return denied("attaching to pod 'to-be-attached-pod' is not allowed")
}

// patchPods patches Pods that want it.
func (s *webhook) patchPods(r *admissionv1.AdmissionRequest, wants func(*corev1.Pod) bool, patch string) verdict {
	s.tell("pods.go:119", "mutating pods")
	if err := about(r, "pods"); err != nil {
		s.log('E', "pods.go:122", err.Error())
		return verdict{}
	}
	var pod corev1.Pod
	if err := json.Unmarshal(r.Object.Raw, &pod); err != nil {
		return s.broken("pods.go:130", err)
	}
	if wants(&pod) {
		return patched(patch)
	}
	return allowed()
}

func hasContainer(list []corev1.Container, name string) bool {
	return slices.ContainsFunc(list, func(c corev1.Container) bool { return c.Name == name })
}

func (s *webhook) mutatePods(r *admissionv1.AdmissionRequest) verdict {
	return s.patchPods(r, func(pod *corev1.Pod) bool {
		return pod.Name == "webhook-to-be-mutated" && !hasContainer(pod.Spec.InitContainers, "webhook-added-init-container")
	}, `[{"op":"add","path":"/spec/initContainers","value":[{"image":"webhook-added-image","name":"webhook-added-init-container","resources":{}}]}]`)
}

func (s *webhook) addSidecar(r *admissionv1.AdmissionRequest) verdict {
	if s.sidecar == "" {
		v := denied("No image specified by the sidecar-image parameter")
		v.Result.Status, v.Result.Code = metav1.StatusFailure, 500
		return v
	}
	return s.patchPods(r, func(pod *corev1.Pod) bool { return !hasContainer(pod.Spec.Containers, "webhook-added-sidecar") },
		fmt.Sprintf(`[{"op":"add", "path":"/spec/containers/-","value":{"image":"%v","name":"webhook-added-sidecar","resources":{}}}]`, s.sidecar))
}

func (s *webhook) admitConfigMaps(r *admissionv1.AdmissionRequest) verdict {
	s.tell("configmap.go:37", "admitting configmaps")
	if err := about(r, "configmaps"); err != nil {
		s.log('E', "configmap.go:40", err.Error())
		return verdict{}
	}
	return s.judgeData(r, "configmap.go:53", "the configmap contains unwanted key and value",
		"the configmap cannot be deleted because it contains unwanted key and value")
}

func (s *webhook) admitCustomResources(r *admissionv1.AdmissionRequest) verdict {
	s.tell("customresource.go:67", "admitting custom resource")
	return s.judgeData(r, "customresource.go:81", "the custom resource contains unwanted data",
		"the custom resource cannot be deleted because it contains unwanted key and value")
}

// withData is an object with data, as ConfigMaps and agnhost's custom resources are.
type withData struct {
	Data map[string]string `json:"data"`
}

// judgeData looks for data that must not be written, or deleted.
func (s *webhook) judgeData(r *admissionv1.AdmissionRequest, where, unwanted, undeletable string) verdict {
	raw := r.Object.Raw
	if r.Operation == admissionv1.Delete {
		raw = r.OldObject.Raw
	}
	var obj withData
	if err := json.Unmarshal(raw, &obj); err != nil {
		return s.broken(where, err)
	}
	reason := ""
	switch value := obj.Data["webhook-e2e-test"]; {
	case value == "webhook-disallow" && (r.Operation == admissionv1.Create || r.Operation == admissionv1.Update):
		reason = unwanted
	case value == "webhook-nondeletable" && r.Operation == admissionv1.Delete:
		reason = undeletable
	}
	if reason == "" {
		return allowed()
	}
	return verdict{AdmissionResponse: &admissionv1.AdmissionResponse{Result: &metav1.Status{Reason: metav1.StatusReason(reason)}}}
}

func (s *webhook) mutateConfigMaps(r *admissionv1.AdmissionRequest) verdict {
	s.tell("configmap.go:77", "mutating configmaps")
	if err := about(r, "configmaps"); err != nil {
		s.log('E', "configmap.go:80", err.Error())
		return verdict{}
	}
	return s.mutateData(r, "configmap.go:88")
}

func (s *webhook) mutateCustomResources(r *admissionv1.AdmissionRequest) verdict {
	s.tell("customresource.go:37", "mutating custom resource")
	return s.mutateData(r, "customresource.go:46")
}

// mutateData adds the next stage to data.
func (s *webhook) mutateData(r *admissionv1.AdmissionRequest, where string) verdict {
	var obj withData
	if err := json.Unmarshal(r.Object.Raw, &obj); err != nil {
		return s.broken(where, err)
	}
	switch {
	case obj.Data["mutation-stage-1"] == "yes":
		return patched(`[{"op": "add", "path": "/data/mutation-stage-2", "value": "yes"}]`)
	case obj.Data["mutation-start"] == "yes":
		return patched(`[{"op": "add", "path": "/data/mutation-stage-1", "value": "yes"}]`)
	}
	return allowed()
}

func (s *webhook) admitDefinitions(r *admissionv1.AdmissionRequest) verdict {
	s.tell("crd.go:31", "admitting crd")
	gvr := func(version string) metav1.GroupVersionResource {
		return metav1.GroupVersionResource{Group: "apiextensions.k8s.io", Version: version, Resource: "customresourcedefinitions"}
	}
	if beta, v1 := gvr("v1beta1"), gvr("v1"); r.Resource != beta && r.Resource != v1 {
		return s.broken("crd.go:62", fmt.Errorf("expect resource to be one of [%v, %v] but got %v", beta, v1, r.Resource))
	}
	var crd metav1.PartialObjectMetadata
	if err := json.Unmarshal(r.Object.Raw, &crd); err != nil {
		return s.broken("crd.go:56", err)
	}
	if crd.Labels["webhook-e2e-test"] == "webhook-disallow" {
		return denied("the crd contains unwanted label")
	}
	return allowed()
}
