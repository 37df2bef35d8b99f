package lifecycle

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/probe"
	httpprobe "k8s.io/kubernetes/pkg/probe/http"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// The kubelet's requests to the servers in a Pod. Upstream's own client makes
// them; its transport is the simulated program.
//
// Deviation: a server answers at once or never; a host that is not the Pod's own
// address refuses every connection.

// errNoAnswer is the transport's error for a server that accepts a connection and
// says nothing, in the words of a client that has waited in vain.
var errNoAnswer = errors.New("context deadline exceeded (Client.Timeout exceeded while awaiting headers)")

// ask makes the check of an http, tcp or grpc probe. answered is false if the
// server says nothing until the timeout; the result is what is true then.
func (run *podRun) ask(i int, p *corev1.Probe, timeout time.Duration, now time.Time) (got result, answered bool) {
	switch {
	case p.HTTPGet != nil:
		outcome, output, err := run.get(i, p.HTTPGet, "probe", now)
		if errors.Is(err, errNoAnswer) {
			return result{Result: probe.Failure, output: err.Error()}, false
		}
		return result{outcome, output, err}, true
	case p.TCPSocket != nil:
		return run.dial(i, p.TCPSocket), true
	}
	return run.health(p.GRPC, timeout, now)
}

// get makes a GET request. The error of a probe is nil unless there is no such
// port, or no answer; the error of a hook is how it failed. Source:
// DoHTTPProbe in k8s.io/kubernetes pkg/probe/http v1.37.2.
func (run *podRun) get(i int, action *corev1.HTTPGetAction, purpose string, now time.Time) (probe.Result, string, error) {
	request, err := httpprobe.NewRequestForHTTPGetAction(action, run.Spec(run.pod, i), run.IP, purpose)
	if err != nil {
		return probe.Unknown, "", err
	}
	client := &http.Client{Transport: transport{run, now}, CheckRedirect: httpprobe.RedirectChecker(false)}
	if purpose == "probe" {
		kept := &keepError{client: client}
		outcome, output, err := httpprobe.DoHTTPProbe(request, kept)
		if errors.Is(kept.err, errNoAnswer) {
			err = kept.err
		}
		return outcome, output, err
	}
	response, err := client.Do(request)
	if err != nil {
		return probe.Failure, "", err
	}
	return probe.Success, "", response.Body.Close()
}

// keepError remembers how the request failed, of which DoHTTPProbe only keeps
// the text.
type keepError struct {
	client *http.Client
	err    error
}

func (k *keepError) Do(r *http.Request) (*http.Response, error) {
	response, err := k.client.Do(r)
	k.err = err
	return response, err
}

// transport takes requests to the programs of a Pod.
type transport struct {
	run *podRun
	now time.Time
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	port := r.URL.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[r.URL.Scheme]
	}
	address := net.JoinHostPort(r.URL.Hostname(), port)
	header := map[string]string{}
	for name, values := range r.Header {
		header[name] = values[0]
	}
	answer, listening := t.run.serve(r.URL.Hostname(), port, kernel.Request{
		Method: r.Method, Path: r.URL.RequestURI(), Host: r.Host, Header: header,
	}, t.now)
	switch {
	case !listening:
		return nil, refused(address)
	case answer.Status == 0:
		return nil, errNoAnswer
	case r.URL.Scheme == "https":
		return nil, errors.New("http: server gave HTTP response to HTTPS client")
	}
	response := &http.Response{
		StatusCode: answer.Status, Header: http.Header{}, Body: io.NopCloser(answer.Reader()), Request: r,
	}
	for name, value := range answer.Header {
		response.Header.Set(name, value)
	}
	return response, nil
}

// refused is the error of a connection to a port that nobody listens on.
func refused(address string) error {
	return fmt.Errorf("dial tcp %s: connect: connection refused", address)
}

// serve sends a request to the container of the Pod that listens on a port: they
// share one address.
func (run *podRun) serve(host, port string, request kernel.Request, now time.Time) (kernel.Response, bool) {
	number, err := strconv.ParseInt(port, 10, 32)
	if err != nil || host != run.IP {
		return kernel.Response{}, false
	}
	i := run.listener(int32(number))
	if i < 0 {
		return kernel.Response{}, false
	}
	answer, ok := run.parts[i].process.Serve(int32(number), request, now)
	run.collect(i, now)
	return answer, ok
}

// listener is the container that listens on a port, -1 if none does.
func (run *podRun) listener(port int32) int {
	return slices.IndexFunc(run.parts, func(p part) bool {
		return p.process != nil && slices.Contains(p.process.State().Listening, port)
	})
}

// dial opens a connection. Source: DoTCPProbe in k8s.io/kubernetes
// pkg/probe/tcp v1.37.2.
func (run *podRun) dial(i int, action *corev1.TCPSocketAction) result {
	port, err := probe.ResolveContainerPort(action.Port, run.Spec(run.pod, i))
	if err != nil {
		return result{Result: probe.Unknown, err: err}
	}
	host := action.Host
	if host == "" {
		host = run.IP
	}
	if host != run.IP || run.listener(int32(port)) < 0 {
		return result{Result: probe.Failure, output: refused(net.JoinHostPort(host, strconv.Itoa(port))).Error()}
	}
	return result{Result: probe.Success}
}

// health asks a gRPC server for its health: it answers a POST to the service's
// path with the text of its status. Who is no gRPC server never gets the
// connection up. Source: grpcProber.Probe in k8s.io/kubernetes pkg/probe/grpc
// v1.37.2.
func (run *podRun) health(action *corev1.GRPCAction, timeout time.Duration, now time.Time) (got result, answered bool) {
	port := strconv.Itoa(int(action.Port))
	address := net.JoinHostPort(run.IP, port)
	service := ""
	if action.Service != nil {
		service = *action.Service
	}
	answer, _ := run.serve(run.IP, port, kernel.Request{
		Method: http.MethodPost, Path: "/grpc.health.v1.Health/Check",
		Header: map[string]string{"Content-Type": "application/grpc"}, Body: []byte(service),
	}, now)
	switch {
	case answer.Header["Content-Type"] != "application/grpc":
		return result{Result: probe.Failure, output: fmt.Sprintf("timeout: failed to connect service %q within %v: context deadline exceeded", address, timeout)}, false
	case answer.Header["Grpc-Status"] != "0":
		return result{Result: probe.Failure, output: "error: health rpc probe failed: " + answer.Header["Grpc-Message"]}, true
	case string(answer.Body) != "SERVING":
		return result{Result: probe.Failure, output: fmt.Sprintf("service unhealthy (responded with %q)", answer.Body)}, true
	}
	return result{Result: probe.Success}, true
}
