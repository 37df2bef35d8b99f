package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/apis/core/validation"
	kubeletclient "k8s.io/kubernetes/pkg/kubelet/client"
	"k8s.io/kubernetes/pkg/registry/core/pod"
	podrest "k8s.io/kubernetes/pkg/registry/core/pod/rest"
	"k8s.io/utils/ptr"
)

// LogReader reads a container's log: the simulated kubelet.
type LogReader interface {
	// Logs returns the log that opts request; opts names the container. Errors are API
	// errors with the kubelet's own texts.
	Logs(ctx context.Context, namespace, name string, opts *corev1.PodLogOptions) (io.ReadCloser, error)
}

// PodLog is the pods/log subresource. Upstream's proxies the request to the node's
// kubelet. This one calls a LogReader in the same process. Everything before that is
// upstream's: the validation, and the choice of the container with all its errors.
type PodLog struct {
	podrest.LogREST
	Reader LogReader
}

// NewPodLog returns the subresource over the pods' store.
func NewPodLog(pods *genericregistry.Store, reader LogReader) *PodLog {
	return &PodLog{LogREST: podrest.LogREST{Store: pods, KubeletConn: inProcess{}}, Reader: reader}
}

var _ rest.GetterWithOptions = (*PodLog)(nil)

// Get implements rest.GetterWithOptions.
func (l *PodLog) Get(ctx context.Context, name string, opts runtime.Object) (runtime.Object, error) {
	logOpts, ok := opts.(*core.PodLogOptions)
	if !ok {
		return nil, fmt.Errorf("pods/log: options are %T, want PodLogOptions", opts)
	}
	if logOpts.Stream == nil {
		logOpts.Stream = ptr.To(core.LogStreamAll)
	}
	if errs := validation.ValidatePodLogOptions(logOpts, true); len(errs) > 0 {
		return nil, apierrors.NewInvalid(core.Kind("PodLogOptions"), name, errs)
	}
	location, _, err := pod.LogLocation(ctx, l.Store, l.KubeletConn, name, logOpts)
	if err != nil {
		return nil, err
	}
	if location == nil {
		// The Pod is not scheduled. Upstream streams nothing either, with status 204.
		return &logStream{}, nil
	}
	external := &corev1.PodLogOptions{}
	if err := legacyscheme.Scheme.Convert(logOpts, external, nil); err != nil {
		return nil, err
	}
	external.Container = containerOf(location.Path)
	return &logStream{reader: l.Reader, namespace: genericrequest.NamespaceValue(ctx), name: name, opts: external}, nil
}

// containerOf returns the container, which LogLocation has chosen, from the end of the
// kubelet's path /containerLogs/namespace/pod/container.
func containerOf(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[i+1:]
		}
	}
	return path
}

// logStream implements rest.ResourceStreamer.
type logStream struct {
	reader          LogReader
	namespace, name string
	opts            *corev1.PodLogOptions
}

var _ rest.ResourceStreamer = (*logStream)(nil)

// GetObjectKind implements runtime.Object: a stream has no kind.
func (s *logStream) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements runtime.Object: a stream cannot be copied.
func (s *logStream) DeepCopyObject() runtime.Object { return s }

// InputStream implements rest.ResourceStreamer.
func (s *logStream) InputStream(ctx context.Context, _, _ string) (io.ReadCloser, bool, string, error) {
	if s.reader == nil {
		return nil, false, "", nil
	}
	stream, err := s.reader.Logs(ctx, s.namespace, s.name, s.opts)
	return stream, s.opts.Follow, "text/plain", err
}

// inProcess stands for a kubelet to which nobody connects.
type inProcess struct{}

// GetConnectionInfo implements client.ConnectionInfoGetter.
func (inProcess) GetConnectionInfo(context.Context, types.NodeName) (*kubeletclient.ConnectionInfo, error) {
	return &kubeletclient.ConnectionInfo{Scheme: "https", Hostname: "kubelet", Port: "10250", Transport: noNetwork{}}, nil
}

// noNetwork refuses every request: no path leads from the simulated cluster to
// the host's network.
type noNetwork struct{}

// RoundTrip implements http.RoundTripper.
func (noNetwork) RoundTrip(*http.Request) (*http.Response, error) { return nil, errNoNetwork }

// errNoNetwork is what every attempt to leave the simulated cluster returns.
var errNoNetwork = errors.New("kubesim: this cluster has no network")
