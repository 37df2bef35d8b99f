package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/metrics/pkg/apis/metrics"
)

// leaderLogs reads the logs of containers where they are: here, or at the
// leader, whichever server was asked.
type leaderLogs struct{ s *shared }

// forwarder is the user of a server that asks another.
const forwarder = "system:kubesim:forwarder"

// askLeader returns a client of the server that leads, and its address.
func (s *shared) askLeader(ctx context.Context) (client kubernetes.Interface, leader string, err error) {
	leader, err = s.leader(ctx)
	// Two servers that each believe that the other leads do not ask each other forever.
	if u, ok := genericrequest.UserFrom(ctx); errors.Is(err, errNoLeader) || ok && u.GetName() == forwarder {
		return nil, "", apierrors.NewServiceUnavailable(errNoLeader.Error())
	}
	if err != nil {
		return nil, "", err
	}
	client, err = kubernetes.NewForConfig(&rest.Config{Host: "https://" + leader, TLSClientConfig: s.forward})
	return client, leader, err
}

// noAnswer is the error of a request to the leader that nobody has answered.
func noAnswer(leader string, err error) error {
	if err != nil && apierrors.ReasonForError(err) == metav1.StatusReasonUnknown {
		return apierrors.NewServiceUnavailable(fmt.Sprintf("the kubesim server at %s, which runs the containers, does not answer: %v", leader, err))
	}
	return err
}

// Logs implements registry.LogReader.
func (l leaderLogs) Logs(ctx context.Context, namespace, name string, opts *corev1.PodLogOptions) (io.ReadCloser, error) {
	if here := l.s.logs.Load(); here != nil {
		return (*here).Logs(ctx, namespace, name, opts)
	}
	client, leader, err := l.s.askLeader(ctx)
	if err != nil {
		return nil, err
	}
	log, err := client.CoreV1().Pods(namespace).GetLogs(name, opts).Stream(ctx)
	return log, noAnswer(leader, err)
}

// leaderMetrics reads what containers use where they are, as leaderLogs does.
type leaderMetrics struct{ s *shared }

// PodMetrics implements registry.MetricsReader.
func (l leaderMetrics) PodMetrics(ctx context.Context, namespace string) ([]metrics.PodMetrics, error) {
	if here := l.s.metrics.Load(); here != nil {
		return here.PodMetrics(ctx, namespace)
	}
	path := "/apis/metrics.k8s.io/v1beta1/pods"
	if namespace != "" {
		path = "/apis/metrics.k8s.io/v1beta1/namespaces/" + namespace + "/pods"
	}
	list := &metrics.PodMetricsList{}
	err := l.read(ctx, path, list)
	return list.Items, err
}

// NodeMetrics implements registry.MetricsReader.
func (l leaderMetrics) NodeMetrics(ctx context.Context) ([]metrics.NodeMetrics, error) {
	if here := l.s.metrics.Load(); here != nil {
		return here.NodeMetrics(ctx)
	}
	list := &metrics.NodeMetricsList{}
	err := l.read(ctx, "/apis/metrics.k8s.io/v1beta1/nodes", list)
	return list.Items, err
}

func (l leaderMetrics) read(ctx context.Context, path string, into runtime.Object) error {
	client, leader, err := l.s.askLeader(ctx)
	if err != nil {
		return err
	}
	answer, err := client.Discovery().RESTClient().Get().AbsPath(path).DoRaw(ctx)
	if err != nil {
		return noAnswer(leader, err)
	}
	return runtime.DecodeInto(legacyscheme.Codecs.UniversalDecoder(metrics.SchemeGroupVersion), answer, into)
}
