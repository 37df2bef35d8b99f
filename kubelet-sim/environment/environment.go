// Package environment says what a container is given beside its image and its volumes: its
// variables, what $(NAME) stands for in its command, its host name, /etc/hosts and
// /etc/resolv.conf.
//
// Invariant: it has no effect; what it says follows from the Pod, its state and the
// objects in the View. What cannot be said names the object that is missing, see depend.
package environment

import (
	"maps"
	"slices"

	"k8s.io/utils/ptr"

	corev1 "k8s.io/api/core/v1"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1helper "k8s.io/kubernetes/pkg/apis/core/v1/helper"
	"k8s.io/kubernetes/pkg/kubelet/envvars"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/depend"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

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

// Make returns NAME=value in the order of the spec; the variables of
// Services come last, sorted.
//
// Deviation: upstream's order is that of a Go map.
func Make(view *engine.View, pod *corev1.Pod, state *podstate.State, container *corev1.Container) (list []string, vars map[string]string, err error) {
	e := &environment{view: view, pod: pod, container: container, state: state, vars: map[string]string{}}
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
	list = make([]string, 0, len(e.names))
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
		value, err = FieldValue(e.pod, e.state, from.FieldRef)
		return value, true, err
	case from.ResourceFieldRef != nil:
		value, err = ResourceValue(e.view, e.pod, e.container, from.ResourceFieldRef)
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
	if !ok && !ptr.Deref(ref.Optional, false) {
		name := types.NamespacedName{Namespace: obj.Namespace, Name: obj.Name}
		return "", false, depend.Object{Resource: engine.ConfigMaps, Name: name}.Lacks("couldn't find key %v in ConfigMap %v", ref.Key, name)
	}
	return value, ok, nil
}

func (e *environment) secretKey(ref *corev1.SecretKeySelector) (string, bool, error) {
	obj, err := e.secret(ref.Name, ref.Optional)
	if err != nil || obj == nil {
		return "", false, err
	}
	value, ok := obj.Data[ref.Key]
	if !ok && !ptr.Deref(ref.Optional, false) {
		name := types.NamespacedName{Namespace: obj.Namespace, Name: obj.Name}
		return "", false, depend.Object{Resource: engine.Secrets, Name: name}.Lacks("couldn't find key %v in Secret %v", ref.Key, name)
	}
	return string(value), ok, nil
}

// configMap returns nil if there is none but it is optional.
func (e *environment) configMap(name string, optional *bool) (*corev1.ConfigMap, error) {
	return depend.ConfigMap(e.view, e.pod.Namespace, name, optional)
}

func (e *environment) secret(name string, optional *bool) (*corev1.Secret, error) {
	return depend.Secret(e.view, e.pod.Namespace, name, optional)
}

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
