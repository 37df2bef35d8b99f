package environment

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// viewOf returns a View that holds objects.
func viewOf(t *testing.T, objects ...engine.Object) *engine.View {
	t.Helper()
	e, err := engine.New(engine.Config{Mode: engine.Manual, Speed: 1, Start: time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	e.View().Track(engine.ConfigMaps, engine.Secrets, engine.Services, engine.Nodes)
	for i, object := range objects {
		e.Deliver(engine.Commit{Revision: int64(i) + 1, Type: watch.Added, Resource: resourceOf(t, object), Object: object})
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	if err := e.Advance(ctx, time.Second); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return e.View()
}

func resourceOf(t *testing.T, object engine.Object) engine.Resource {
	switch object.(type) {
	case *corev1.ConfigMap:
		return engine.ConfigMaps
	case *corev1.Secret:
		return engine.Secrets
	case *corev1.Service:
		return engine.Services
	case *corev1.Node:
		return engine.Nodes
	}
	t.Fatalf("no resource is known for a %T", object)
	return ""
}

func named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "work", Name: name}
}

func configMap(name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: named(name), Data: data}
}

func secret(name string, data map[string]string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: named(name), Data: map[string][]byte{}}
	for k, v := range data {
		s.Data[k] = []byte(v)
	}
	return s
}

func service(namespace, name, ip string, port int32) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       corev1.ServiceSpec{ClusterIP: ip, Ports: []corev1.ServicePort{{Port: port, Protocol: corev1.ProtocolTCP}}},
	}
}

// pod is one that runs on node-1, with the address 10.244.0.7.
func pod(change func(*corev1.PodSpec)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: named("web-0"), Spec: corev1.PodSpec{NodeName: "node-1", ServiceAccountName: "builder"}}
	p.Labels = map[string]string{"app": "web"}
	if change != nil {
		change(&p.Spec)
	}
	return p
}

func state() *podstate.State { return &podstate.State{HostIP: "10.0.0.11", IP: "10.244.0.7"} }
