package e2e

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// nodePorts is how many node ports there are, and portsMax how many of them a Service of
// these attacks takes.
const (
	nodePorts = 2768
	portsMax  = 100
)

// attackPools takes all that there is of something: one more is refused, none is given
// twice, and what is given back can be taken again.
func attackPools(t *testing.T, a *assault) {
	s := newServer(t, "--ephemeral", "--clock", "manual", "--seed", "1", "--nodes", "1")
	client := clientOf(t, s)
	services := client.CoreV1().Services("default")
	for left := nodePorts; left > 0; left -= portsMax {
		if _, err := services.Create(t.Context(), nodePortService(fmt.Sprintf("ports-%d", left), min(left, portsMax)), createOptions); err != nil {
			t.Fatal(err)
		}
	}
	_, err := services.Create(t.Context(), nodePortService("one-more", 1), createOptions)
	a.judge(t, "pools that are used up", "one node port more", refusal(err))
	a.judge(t, "pools that are used up", "node ports", sharedNumbers(t, client))
	err = services.Delete(t.Context(), fmt.Sprintf("ports-%d", nodePorts), metav1.DeleteOptions{})
	if err == nil {
		_, err = services.Create(t.Context(), nodePortService("again", portsMax), createOptions)
	}
	a.judge(t, "pools that are used up", "node ports that were given back", said(err))
	a.judge(t, "pools that are used up", "node ports, again", sharedNumbers(t, client))
}

func nodePortService(name string, ports int) *corev1.Service {
	svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort}}
	for i := range ports {
		svc.Spec.Ports = append(svc.Spec.Ports, corev1.ServicePort{Name: fmt.Sprintf("p%d", i), Port: int32(1000 + i)})
	}
	return svc
}

// refusal says what is wrong where there was none.
func refusal(err error) string {
	if err == nil {
		return "it was not refused"
	}
	return ""
}

// sharedNumbers says which address or port two Services have.
func sharedNumbers(t *testing.T, client kubernetes.Interface) string {
	t.Helper()
	list, err := client.CoreV1().Services("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]string{}
	for _, svc := range list.Items {
		all := []string{svc.Spec.ClusterIP}
		for _, p := range svc.Spec.Ports {
			if p.NodePort != 0 {
				all = append(all, fmt.Sprint(p.NodePort))
			}
		}
		for _, one := range all {
			if other, ok := has[one]; ok {
				return fmt.Sprintf("%s and %s have %s", svc.Name, other, one)
			}
			has[one] = svc.Name
		}
	}
	return ""
}
