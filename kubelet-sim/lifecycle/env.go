package lifecycle

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	resourceapi "k8s.io/kubernetes/pkg/api/v1/resource"
	podshelper "k8s.io/kubernetes/pkg/apis/core/pods"
	v1helper "k8s.io/kubernetes/pkg/apis/core/v1/helper"
	"k8s.io/kubernetes/pkg/fieldpath"
	"k8s.io/kubernetes/pkg/kubelet/envvars"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// missingError says that a Pod needs an object, or a key of one, that is not
// there.
type missingError struct {
	dependency
	text string
}

func (e *missingError) Error() string { return e.text }

// missing words the error as apimachinery's NewNotFound does.
func missing(resource engine.Resource, kind string, name types.NamespacedName) error {
	return &missingError{dependency{resource, name}, fmt.Sprintf("%s %q not found", kind, name.Name)}
}

func missingKey(resource engine.Resource, name types.NamespacedName, format string, args ...any) error {
	return &missingError{dependency{resource, name}, fmt.Sprintf(format, args...)}
}

// environment makes the environment of one container. Source:
// Kubelet.makeEnvironmentVariables in k8s.io/kubernetes pkg/kubelet v1.37.2.
type environment struct {
	view      *engine.View
	pod       *corev1.Pod
	container *corev1.Container
	state     *podstate.State
	// vars are set so far, names in the order of their first appearance.
	vars  map[string]string
	names []string
}

// makeEnvironment returns NAME=value in the order of the spec; the variables of
// Services come last, sorted.
//
// Deviation: upstream's order is that of a Go map.
func (r *Reconciler) makeEnvironment(run *podRun, container *corev1.Container) ([]string, map[string]string, error) {
	e := &environment{view: r.view, pod: run.pod, container: container, state: &run.State, vars: map[string]string{}}
	services := e.serviceVars()
	for i := range container.EnvFrom {
		if err := e.addAll(&container.EnvFrom[i]); err != nil {
			return nil, nil, err
		}
	}
	mapping := expansion.MappingFuncFor(e.vars, services)
	var x expander
	for i := range container.Env {
		v := &container.Env[i]
		value, ok, err := e.value(v, &x, mapping)
		if err != nil {
			return nil, nil, err
		}
		if ok {
			e.set(v.Name, value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(services)) {
		if _, ok := e.vars[name]; !ok {
			e.set(name, services[name])
		}
	}
	if err := e.fits(); err != nil {
		return nil, nil, err
	}
	list := make([]string, 0, len(e.names))
	for _, name := range e.names {
		list = append(list, name+"="+e.vars[name])
	}
	return list, e.vars, nil
}

func (e *environment) set(name, value string) {
	if _, ok := e.vars[name]; !ok {
		e.names = append(e.names, name)
	}
	e.vars[name] = value
}

// addAll adds every key of an object.
func (e *environment) addAll(from *corev1.EnvFromSource) error {
	data := map[string]string{}
	switch {
	case from.ConfigMapRef != nil:
		obj, err := e.configMap(from.ConfigMapRef.Name, from.ConfigMapRef.Optional)
		if err != nil || obj == nil {
			return err
		}
		data = obj.Data
	case from.SecretRef != nil:
		obj, err := e.secret(from.SecretRef.Name, from.SecretRef.Optional)
		if err != nil || obj == nil {
			return err
		}
		for k, v := range obj.Data {
			data[k] = string(v)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(data)) {
		e.set(from.Prefix+k, data[k])
	}
	return nil
}

// value returns a variable's value; ok is false if it stays unset.
func (e *environment) value(v *corev1.EnvVar, x *expander, mapping func(string) string) (value string, ok bool, err error) {
	if v.Value != "" {
		value, err = x.expand(v.Value, mapping)
		return value, true, err
	}
	if v.ValueFrom == nil {
		return "", true, nil
	}
	switch from := v.ValueFrom; {
	case from.FieldRef != nil:
		value, err = fieldValue(e.pod, e.state, from.FieldRef)
		return value, true, err
	case from.ResourceFieldRef != nil:
		value, err = resourceValue(e.view, e.pod, e.container, from.ResourceFieldRef)
		return value, true, err
	case from.ConfigMapKeyRef != nil:
		return e.configMapKey(from.ConfigMapKeyRef)
	case from.SecretKeyRef != nil:
		return e.secretKey(from.SecretKeyRef)
	}
	return "", true, nil
}

func (e *environment) configMapKey(ref *corev1.ConfigMapKeySelector) (string, bool, error) {
	obj, err := e.configMap(ref.Name, ref.Optional)
	if err != nil || obj == nil {
		return "", false, err
	}
	value, ok := obj.Data[ref.Key]
	if !ok && !isTrue(ref.Optional) {
		name := types.NamespacedName{Namespace: obj.Namespace, Name: obj.Name}
		return "", false, missingKey(engine.ConfigMaps, name, "couldn't find key %v in ConfigMap %v", ref.Key, name)
	}
	return value, ok, nil
}

func (e *environment) secretKey(ref *corev1.SecretKeySelector) (string, bool, error) {
	obj, err := e.secret(ref.Name, ref.Optional)
	if err != nil || obj == nil {
		return "", false, err
	}
	value, ok := obj.Data[ref.Key]
	if !ok && !isTrue(ref.Optional) {
		name := types.NamespacedName{Namespace: obj.Namespace, Name: obj.Name}
		return "", false, missingKey(engine.Secrets, name, "couldn't find key %v in Secret %v", ref.Key, name)
	}
	return string(value), ok, nil
}

// configMap returns nil if there is none but it is optional.
func (e *environment) configMap(name string, optional *bool) (*corev1.ConfigMap, error) {
	return getConfigMap(e.view, e.pod.Namespace, name, optional)
}

func (e *environment) secret(name string, optional *bool) (*corev1.Secret, error) {
	return getSecret(e.view, e.pod.Namespace, name, optional)
}

func getConfigMap(view *engine.View, namespace, name string, optional *bool) (*corev1.ConfigMap, error) {
	obj, ok := engine.Get[*corev1.ConfigMap](view, engine.ConfigMaps, namespace, name)
	if !ok && !isTrue(optional) {
		return nil, missing(engine.ConfigMaps, "configmap", types.NamespacedName{Namespace: namespace, Name: name})
	}
	return obj, nil
}

func getSecret(view *engine.View, namespace, name string, optional *bool) (*corev1.Secret, error) {
	obj, ok := engine.Get[*corev1.Secret](view, engine.Secrets, namespace, name)
	if !ok && !isTrue(optional) {
		return nil, missing(engine.Secrets, "secret", types.NamespacedName{Namespace: namespace, Name: name})
	}
	return obj, nil
}

func isTrue(b *bool) bool { return b != nil && *b }

// serviceVars are the variables of the Services that the Pod sees. Source:
// Kubelet.getServiceEnvVarMap in k8s.io/kubernetes pkg/kubelet v1.37.2.
func (e *environment) serviceVars() map[string]string {
	var services []*corev1.Service
	links := e.pod.Spec.EnableServiceLinks == nil || *e.pod.Spec.EnableServiceLinks
	if s, ok := engine.Get[*corev1.Service](e.view, engine.Services, metav1.NamespaceDefault, "kubernetes"); ok && v1helper.IsServiceIPSet(s) {
		services = append(services, s)
	}
	if links {
		for _, s := range engine.List[*corev1.Service](e.view, engine.Services, e.pod.Namespace) {
			master := s.Namespace == metav1.NamespaceDefault && s.Name == "kubernetes"
			if !master && v1helper.IsServiceIPSet(s) && len(s.Spec.Ports) > 0 {
				services = append(services, s)
			}
		}
	}
	vars := map[string]string{}
	for _, v := range envvars.FromServices(services) {
		vars[v.Name] = v.Value
	}
	return vars
}

// fieldValue is the value of a field of the Pod. Source:
// Kubelet.podFieldSelectorRuntimeValue in k8s.io/kubernetes pkg/kubelet
// v1.37.2.
func fieldValue(pod *corev1.Pod, s *podstate.State, ref *corev1.ObjectFieldSelector) (string, error) {
	path, _, err := podshelper.ConvertDownwardAPIFieldLabel(ref.APIVersion, ref.FieldPath, "")
	if err != nil {
		return "", err
	}
	switch path {
	case "spec.nodeName":
		return pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return pod.Spec.ServiceAccountName, nil
	case "status.hostIP", "status.hostIPs":
		return s.HostIP, nil
	case "status.podIP", "status.podIPs":
		return s.IP, nil
	}
	return fieldpath.ExtractFieldPathAsString(pod, path)
}

// resourceValue is the value of a request or limit; a limit that is not set is
// what the node has. Source: Kubelet.defaultPodLimitsForDownwardAPI, ibid.
func resourceValue(view *engine.View, pod *corev1.Pod, container *corev1.Container, ref *corev1.ResourceFieldSelector) (string, error) {
	if ref.ContainerName != "" {
		named := findContainer(pod, ref.ContainerName)
		if named == nil {
			return "", fmt.Errorf("container %s not found", ref.ContainerName)
		}
		container = named
	}
	if container == nil {
		return "", fmt.Errorf("container name is required for volume resource %q", ref.Resource)
	}
	if n, ok := engine.Get[*corev1.Node](view, engine.Nodes, "", pod.Spec.NodeName); ok && strings.HasPrefix(ref.Resource, "limits.") {
		container = container.DeepCopy()
		resourceapi.MergeContainerResourceLimits(container, n.Status.Allocatable)
	}
	return resourceapi.ExtractContainerResourceValue(ref, container)
}

func findContainer(pod *corev1.Pod, name string) *corev1.Container {
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}

// expandAll replaces $(NAME) in a command.
func expandAll(list []string, vars map[string]string) ([]string, error) {
	if len(list) == 0 {
		return nil, nil
	}
	mapping := expansion.MappingFuncFor(vars)
	out := make([]string, 0, len(list))
	var x expander
	for _, s := range list {
		expanded, err := x.expand(s, mapping)
		if err != nil {
			return nil, err
		}
		out = append(out, expanded)
	}
	return out, nil
}

// expandStatic replaces $(NAME) in the command of a probe, which knows only what
// the spec itself says of the variables. Source: ExpandContainerCommandOnlyStatic
// in k8s.io/kubernetes pkg/kubelet/container v1.37.2.
func expandStatic(list []string, c *corev1.Container) []string {
	vars := map[string]string{}
	for i := range c.Env {
		vars[c.Env[i].Name] = c.Env[i].Value
	}
	out, err := expandAll(list, vars)
	if err != nil {
		return list // it cannot be started either way
	}
	return out
}
