package webhook

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apiserver/pkg/util/proxy"
	webhookutil "k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
)

// Services leads to webhooks that are Services, as upstream does: by their cluster IP.
type Services struct{ services corelisters.ServiceLister }

// NewServices reads the informers of factory.
func NewServices(factory informers.SharedInformerFactory) Services {
	return Services{factory.Core().V1().Services().Lister()}
}

var _ webhookutil.ServiceResolver = Services{}

// ResolveEndpoint implements webhookutil.ServiceResolver.
func (s Services) ResolveEndpoint(namespace, name string, port int32) (*url.URL, error) {
	return proxy.ResolveCluster(s.services, namespace, name, port)
}

// Call is one conversation with a webhook that is a Service.
type Call struct {
	// Address is the Service's cluster IP and port.
	Address string
	// What says what is asked. Question, if set, identifies the question: an earlier answer
	// counts only for the same one.
	What, Question string
	// Timeout is the webhook's. Unit: virtual time.
	Timeout time.Duration
	// Talk speaks with the webhook, on one goroutine, and waits for nothing else. It
	// leaves the answer in Answer.
	Talk   func(net.Conn) error
	Answer *Answer
	// OnStage says that a client's write asks, which is on stage.
	OnStage bool
}

// Answer is what a webhook has answered.
type Answer struct {
	http.Response
	// Content is the body.
	Content []byte
	// uid is that of the question, if it has one.
	uid string
}

// response returns the answer as a transport gives it.
func (a *Answer) response(req *http.Request) *http.Response {
	r := a.Response
	r.Request, r.Header, r.Body = req, a.Header.Clone(), io.NopCloser(bytes.NewReader(a.Content))
	return &r
}

// ErrLater is the error of a Call that is not over yet, although the caller cannot wait:
// the request is made again when it is. Until then it must have no effect.
var ErrLater = errors.New("webhook: the answer comes later")

// errShared is the error of a server that has no engine.
//
// Deviation: the servers of a cluster in etcd cannot ask simulated Pods.
var errShared = errors.New("the servers of a cluster in etcd cannot ask a webhook in a simulated Pod: set clientConfig.url instead of clientConfig.service")

// timeoutDefault is the timeout of a call that has none, as that of a conversion. Source:
// requestTimeout... of admission is 10 s, and upstream's converter waits for 30 s.
const timeoutDefault = 30 * time.Second

// resolved is a connection to nowhere: where upstream's client would connect to.
type resolved struct {
	net.Conn
	address string
}

// nowhere is the dialer below that of upstream's client, which finds the address.
func nowhere(_ context.Context, _, address string) (net.Conn, error) {
	return resolved{address: address}, nil
}

// inside sends requests into the simulated cluster. next is the transport that upstream's
// client would use. It knows the address and how to verify the server.
//
// Deviation: each request has a connection of its own.
type inside struct {
	c    Config
	next http.RoundTripper
}

var _ utilnet.RoundTripperWrapper = inside{}

// WrappedRoundTripper implements utilnet.RoundTripperWrapper.
func (t inside) WrappedRoundTripper() http.RoundTripper { return t.next }

// RoundTrip implements http.RoundTripper. The request's context bounds it by the wall
// clock: that does not count here.
func (t inside) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.c.Call == nil {
		return nil, errShared
	}
	address, err := t.address(req)
	if err != nil {
		return nil, err
	}
	config, err := utilnet.TLSClientConfig(t.next)
	if err != nil || config == nil {
		return nil, errors.Join(errors.New("webhook: upstream's transport has no TLS configuration: look for it there"), err)
	}
	config = config.Clone()
	config.NextProtos, config.Time, config.DynamicRecordSizingDisabled = []string{"http/1.1"}, t.c.Clock.Now, true
	var message bytes.Buffer
	if err := req.Write(&message); err != nil {
		return nil, err
	}
	answer := &Answer{}
	names, _ := req.Context().Value(uidsKey{}).(*uids)
	question := ""
	if names != nil {
		answer.uid = names.asked
		if names.random == nil {
			question = names.asked
		}
	}
	call := Call{
		Answer:  answer,
		Address: address, Question: question, Timeout: timeoutOf(req.URL),
		What: fmt.Sprintf("%s https://%s%s", req.Method, req.URL.Host, req.URL.Path),
		Talk: func(conn net.Conn) error { return talk(tls.Client(conn, config), message.Bytes(), req, answer) },
	}
	if err := t.c.Call(req.Context(), call); err != nil {
		return nil, err
	}
	if names != nil {
		names.asked = answer.uid
	}
	return answer.response(req), nil
}

// address asks upstream's client where the Service is.
func (t inside) address(req *http.Request) (string, error) {
	dial, err := utilnet.DialerFor(t.next)
	if err != nil || dial == nil {
		return "", errors.Join(errors.New("webhook: upstream's transport has no dialer: look for it there"), err)
	}
	conn, err := dial(req.Context(), "tcp", req.URL.Host)
	if err != nil {
		return "", err
	}
	to, ok := conn.(resolved)
	if !ok {
		return "", fmt.Errorf("webhook: upstream's dialer has wrapped the connection in a %T", conn)
	}
	return to.address, nil
}

// timeoutOf is the timeout that upstream's client tells the webhook.
func timeoutOf(u *url.URL) time.Duration {
	if d, err := time.ParseDuration(u.Query().Get("timeout")); err == nil && d > 0 {
		return d
	}
	return timeoutDefault
}

// talk sends a request and reads the whole answer.
func talk(conn *tls.Conn, message []byte, req *http.Request, answer *Answer) error {
	if err := conn.Handshake(); err != nil {
		return err
	}
	if _, err := conn.Write(message); err != nil {
		return err
	}
	in := bufio.NewReader(conn)
	if _, err := in.Peek(1); err != nil {
		return err
	}
	response, err := http.ReadResponse(in, req)
	if err != nil {
		return err
	}
	content, err := io.ReadAll(response.Body)
	state := conn.ConnectionState()
	answer.Response, answer.Content, answer.TLS = *response, content, &state
	return errors.Join(err, response.Body.Close())
}
