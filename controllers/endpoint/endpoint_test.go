package endpoint

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func pod(name, ip string, ready corev1.ConditionStatus) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Status:     corev1.PodStatus{PodIP: ip, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}},
	}
}

func TestDecide(t *testing.T) {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"}, Spec: corev1.ServiceSpec{
		ClusterIP: "10.96.0.7", Ports: []corev1.ServicePort{{Protocol: corev1.ProtocolTCP, Port: 80, TargetPort: intstr.FromInt32(8080)}},
	}}
	loose := s.DeepCopy()
	loose.Spec.PublishNotReadyAddresses = true
	all := []*corev1.Pod{pod("b", "10.244.0.3", corev1.ConditionTrue), pod("a", "10.244.0.2", corev1.ConditionTrue), pod("c", "10.244.0.4", corev1.ConditionFalse)}
	for name, tc := range map[string]struct {
		service         *corev1.Service
		pods            []*corev1.Pod
		ready, notReady []string
	}{
		"a Service without Pods":                     {s, nil, nil, nil},
		"Pods that are not ready are kept apart":     {s, all, []string{"10.244.0.2", "10.244.0.3"}, []string{"10.244.0.4"}},
		"unless the Service wants them all the same": {loose, all, []string{"10.244.0.2", "10.244.0.3", "10.244.0.4"}, nil},
		"a Pod that is not ready is there all alone": {s, all[2:], nil, []string{"10.244.0.4"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := decide(tc.service, tc.pods, nil)
			var ready, notReady []string
			for _, subset := range got.Subsets {
				if subset.Ports[0].Port != 8080 {
					t.Errorf("port %d", subset.Ports[0].Port)
				}
				for _, a := range subset.Addresses {
					ready = append(ready, a.IP)
				}
				for _, a := range subset.NotReadyAddresses {
					notReady = append(notReady, a.IP)
				}
			}
			if diff := cmp.Diff([][]string{tc.ready, tc.notReady}, [][]string{ready, notReady}); diff != "" {
				t.Errorf("addresses (-want +got):\n%s", diff)
			}
			if again := decide(tc.service, tc.pods, got); again != nil {
				t.Errorf("a second look writes %v", again)
			}
		})
	}
}
