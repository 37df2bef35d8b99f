package static

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	podutil "k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/apis/core/helper"
	_ "k8s.io/kubernetes/pkg/apis/core/install" // legacyscheme has to know Pods
	k8scorev1 "k8s.io/kubernetes/pkg/apis/core/v1"
	"k8s.io/kubernetes/pkg/apis/core/validation"
	kubelettypes "k8s.io/kubernetes/pkg/kubelet/types"
	hashutil "k8s.io/kubernetes/pkg/util/hash"

	"github.com/kubesim-dev/kubesim/apiserver/apis/quantity"
)

// Manifest is a file in a node's manifestDir.
type Manifest struct {
	Data []byte
	// Seen is when the kubelet first saw it as it is.
	Seen time.Time
	// pod is the static Pod that it describes, err why it describes none. told: an
	// Event has said so.
	pod  *corev1.Pod
	err  error
	told bool
}

// newManifest reads a file as the kubelet of a node does.
func newManifest(file string, data []byte, nodeName string, seen time.Time) Manifest {
	m := Manifest{Data: data, Seen: seen}
	m.pod, m.err = staticPod(file, data, nodeName)
	m.told = len(data) == 0 // somebody begins to write it
	if m.err == nil {
		m.pod.Annotations[kubelettypes.ConfigFirstSeenAnnotationKey] = seen.UTC().Format(time.RFC3339Nano)
	}
	return m
}

// staticPod returns the Pod that a manifest describes, as the kubelet would run it. It
// reads nothing but its arguments. Source: tryDecodeSinglePod and applyDefaults in
// k8s.io/kubernetes pkg/kubelet/config v1.37.2.
func staticPod(file string, data []byte, nodeName string) (*corev1.Pod, error) {
	if err := quantity.Check("application/yaml", data); err != nil {
		return nil, err
	}
	json, err := utilyaml.ToJSON(data)
	if err != nil {
		return nil, err
	}
	obj, err := runtime.Decode(legacyscheme.Codecs.UniversalDecoder(), json)
	if err != nil {
		return nil, fmt.Errorf("couldn't parse as pod(%w), please check config file", err)
	}
	pod, ok := obj.(*core.Pod)
	switch {
	case !ok:
		return nil, fmt.Errorf("couldn't parse as pod(invalid pod: it is a %T), please check config file", obj)
	case pod.Name == "":
		return nil, errors.New("invalid pod: name is needed for the pod")
	}
	setStaticDefaults(pod, file, nodeName)
	opts := podutil.GetValidationOptionsFromPodSpecAndMeta(&pod.Spec, nil, &pod.ObjectMeta, nil)
	if errs := validation.ValidatePodCreate(pod, opts); len(errs) > 0 {
		return nil, fmt.Errorf("invalid pod: %v", errs)
	}
	_, resource, err := podutil.HasAPIObjectReference(pod)
	switch {
	case err != nil:
		return nil, err
	case resource != "":
		return nil, fmt.Errorf("static pods may not reference %s", resource)
	}
	out := &corev1.Pod{}
	return out, k8scorev1.Convert_core_Pod_To_v1_Pod(pod, out, nil)
}

// setStaticDefaults is applyDefaults in k8s.io/kubernetes pkg/kubelet/config v1.37.2, with the annotation of the source.
func setStaticDefaults(pod *core.Pod, file, nodeName string) {
	if pod.UID == "" {
		hasher := fnv.New128a()
		hashutil.DeepHashObject(hasher, pod)
		_, _ = fmt.Fprintf(hasher, "host:%sfile:%s", nodeName, file) // a hash takes everything
		pod.UID = types.UID(hex.EncodeToString(hasher.Sum(nil)))
	}
	pod.Name += "-" + strings.ToLower(nodeName)
	if pod.Namespace == "" {
		pod.Namespace = metav1.NamespaceDefault
	}
	pod.Spec.NodeName = nodeName
	if pod.Annotations == nil {
		pod.Annotations = map[string]string{}
	}
	pod.Annotations[kubelettypes.ConfigHashAnnotationKey] = string(pod.UID)
	pod.Annotations[kubelettypes.ConfigSourceAnnotationKey] = kubelettypes.FileSource
	helper.AddOrUpdateTolerationInPod(pod, &core.Toleration{Operator: core.TolerationOpExists, Effect: core.TaintEffectNoExecute})
	pod.Status.Phase = core.PodPending
}

// mirrorOf returns the mirror Pod of a static Pod. Source:
// basicMirrorClient.CreateMirrorPod in k8s.io/kubernetes pkg/kubelet/pod v1.37.2.
func mirrorOf(static *corev1.Pod, node *corev1.Node) *corev1.Pod {
	mirror := static.DeepCopy()
	mirror.UID = "" // the API server gives each mirror Pod one of its own
	mirror.Annotations[kubelettypes.ConfigMirrorAnnotationKey] = static.Annotations[kubelettypes.ConfigHashAnnotationKey]
	controller := true
	mirror.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID, Controller: &controller,
	}}
	return mirror
}
