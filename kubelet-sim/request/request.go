// Package request makes the kubelet's own requests to the servers in a Pod, for probes and
// hooks: HTTP, TCP and gRPC. Upstream's own client makes them; its transport leads to the
// simulated programs.
//
// Invariant: a request is answered within the call, at one instant of virtual time; the words
// of each failure are upstream's.
//
// Deviation: a server answers at once or never; a host that is not the Pod's own
// address refuses every connection.
package request

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/probe"
	httpprobe "k8s.io/kubernetes/pkg/probe/http"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// Target is where a request goes: to a container of a Pod, by way of the Pod's address.
type Target struct {
	IP string
	// Container is the spec, which names its ports.
	Container *corev1.Container
	// Servers are the Pod's.
	Servers Servers
}

// Servers are the programs of a Pod that listen: they share one address.
type Servers interface {
	// Serve sends a request to the one that listens on a port; ok is false if none does.
	Serve(port int32, request kernel.Request, now time.Time) (answer kernel.Response, ok bool)
	// Listens reports whether one does.
	Listens(port int32) bool
}

// Result is how a check ended. An error is the prober's own: it counts for
// nothing.
type Result struct {
	probe.Result
	Output string
	Err    error
}

// errNoAnswer is the transport's error for a server that accepts a connection and
// says nothing, in the words of a client that has waited in vain.
var errNoAnswer = errors.New("context deadline exceeded (Client.Timeout exceeded while awaiting headers)")

// Check makes the check of an http, tcp or grpc probe. answered is false if the
// server says nothing until the timeout; the result is what is true then.
func (t Target) Check(p *corev1.Probe, timeout time.Duration, now time.Time) (got Result, answered bool) {
	switch {
	case p.HTTPGet != nil:
		outcome, output, err := t.Get(p.HTTPGet, "probe", now)
		if errors.Is(err, errNoAnswer) {
			return Result{Result: probe.Failure, Output: err.Error()}, false
		}
		return Result{outcome, output, err}, true
	case p.TCPSocket != nil:
		return t.dial(p.TCPSocket), true
	}
	return t.health(p.GRPC, timeout, now)
}

// Get makes a GET request. The error of a probe is nil unless there is no such
// port, or no answer; the error of a hook is how it failed. Source:
// DoHTTPProbe in k8s.io/kubernetes pkg/probe/http v1.37.2.
func (t Target) Get(action *corev1.HTTPGetAction, purpose string, now time.Time) (probe.Result, string, error) {
	request, err := httpprobe.NewRequestForHTTPGetAction(action, t.Container, t.IP, purpose)
	if err != nil {
		return probe.Unknown, "", err
	}
	client := &http.Client{Transport: transport{t, now}, CheckRedirect: httpprobe.RedirectChecker(false)}
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
	Target
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
	answer, listening := t.serve(r.URL.Hostname(), port, kernel.Request{
		Method: r.Method, Path: r.URL.RequestURI(), Host: r.Host, Header: header, Secure: r.URL.Scheme == "https",
	}, t.now)
	switch {
	case !listening:
		return nil, refused(address)
	case answer.Status == 0:
		return nil, errNoAnswer
	case r.URL.Scheme == "https" && !answer.Secure:
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

// serve sends a request to the one that listens on a port of the Pod's.
func (t Target) serve(host, port string, request kernel.Request, now time.Time) (kernel.Response, bool) {
	number, err := strconv.ParseInt(port, 10, 32)
	if err != nil || host != t.IP {
		return kernel.Response{}, false
	}
	return t.Servers.Serve(int32(number), request, now)
}

// dial opens a connection. Source: DoTCPProbe in k8s.io/kubernetes
// pkg/probe/tcp v1.37.2.
func (t Target) dial(action *corev1.TCPSocketAction) Result {
	port, err := probe.ResolveContainerPort(action.Port, t.Container)
	if err != nil {
		return Result{Result: probe.Unknown, Err: err}
	}
	host := action.Host
	if host == "" {
		host = t.IP
	}
	if host != t.IP || !t.Servers.Listens(int32(port)) {
		return Result{Result: probe.Failure, Output: refused(net.JoinHostPort(host, strconv.Itoa(port))).Error()}
	}
	return Result{Result: probe.Success}
}

// health asks a gRPC server for its health: it answers a POST to the service's
// path with the text of its status. With a server that does not speak gRPC, the
// connection is never established. Source: grpcProber.Probe in k8s.io/kubernetes pkg/probe/grpc
// v1.37.2.
func (t Target) health(action *corev1.GRPCAction, timeout time.Duration, now time.Time) (got Result, answered bool) {
	port := strconv.Itoa(int(action.Port))
	address := net.JoinHostPort(t.IP, port)
	service := ""
	if action.Service != nil {
		service = *action.Service
	}
	answer, _ := t.serve(t.IP, port, kernel.Request{
		Method: http.MethodPost, Path: "/grpc.health.v1.Health/Check",
		Header: map[string]string{"Content-Type": "application/grpc"}, Body: []byte(service),
	}, now)
	switch {
	case answer.Header["Content-Type"] != "application/grpc":
		return Result{Result: probe.Failure, Output: fmt.Sprintf("timeout: failed to connect service %q within %v: context deadline exceeded", address, timeout)}, false
	case answer.Header["Grpc-Status"] != "0":
		return Result{Result: probe.Failure, Output: "error: health rpc probe failed: " + answer.Header["Grpc-Message"]}, true
	case string(answer.Body) != "SERVING":
		return Result{Result: probe.Failure, Output: fmt.Sprintf("service unhealthy (responded with %q)", answer.Body)}, true
	}
	return Result{Result: probe.Success}, true
}
