package plugin

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/admission"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/kubernetes/plugin/pkg/admission/security/podsecurity"
	podsecurityadmission "k8s.io/pod-security-admission/admission"
)

// podCheckLong is more time than any check takes, and less than overflows an instant.
const podCheckLong = math.MaxInt64 / 4 * time.Nanosecond

// SteadyPodSecurity makes the PodSecurity plugin's answers the same in every run. When a
// namespace's labels change, the plugin looks at the namespace's Pods in any order and
// for a second of wall time, and warns of what it has seen. Here it looks at them by
// name and does not watch the clock: it looks at no more than 3,000.
func SteadyPodSecurity(pods corelisters.PodLister) admission.Decorator {
	return admission.DecoratorFunc(func(handler admission.Interface, _ string) admission.Interface {
		inner, ok := handler.(*podsecurity.Plugin)
		if !ok {
			return handler
		}
		field := reflect.ValueOf(inner).Elem().FieldByName("delegate")
		if !field.IsValid() || field.Type() != reflect.TypeFor[*podsecurityadmission.Admission]() {
			panic("apiserver/plugin: the PodSecurity plugin keeps its rules elsewhere: look for them there")
		}
		rules := (*podsecurityadmission.Admission)(field.UnsafePointer())
		rules.PodLister = podsByName{pods}
		timeout := reflect.ValueOf(rules).Elem().FieldByName("namespacePodCheckTimeout")
		if !timeout.IsValid() || timeout.Type() != reflect.TypeFor[time.Duration]() {
			panic("apiserver/plugin: PodSecurity keeps its time limit elsewhere: look for it there")
		}
		*(*time.Duration)(timeout.Addr().UnsafePointer()) = podCheckLong
		return handler
	})
}

// podsByName lists Pods by name.
type podsByName struct{ lister corelisters.PodLister }

var _ podsecurityadmission.PodLister = podsByName{}

// ListPods implements podsecurityadmission.PodLister.
func (l podsByName) ListPods(_ context.Context, namespace string) ([]*corev1.Pod, error) {
	pods, err := l.lister.Pods(namespace).List(labels.Everything())
	if err != nil {
		return nil, fmt.Errorf("the Pods of namespace %s: %w", namespace, err)
	}
	slices.SortFunc(pods, func(a, b *corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	return pods, nil
}
