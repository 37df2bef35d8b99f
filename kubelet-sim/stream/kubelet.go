package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cri-streaming/pkg/streaming"
	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

// Host is the kubelet behind a Network. Its methods may be called from any
// goroutine and return when the engine has done what they ask for.
type Host interface {
	// Find says why there is no such container that runs, nil if there is one.
	Find(ctx context.Context, t Target) error
	// Exec runs a command in a container for a client, to its end. The error says
	// that it could not be started, or that ctx has ended.
	Exec(ctx context.Context, t Target, command []string, c Client) (code int32, err error)
	// Attach joins a client to a container's own streams until that ends.
	Attach(ctx context.Context, t Target, c Client) error
	// Listens says why nobody can be connected to, nil if somebody can.
	Listens(ctx context.Context, a Address) error
	// Connect joins a client to the server there until the connection is closed.
	Connect(ctx context.Context, a Address, c Client) error
}

// Target is a container of a Pod. The UID may be empty.
type Target struct {
	Namespace, Pod string
	UID            types.UID
	Container      string
}

// Address is a port of a node or a Pod: by IP, or inside of the Pod that is
// named.
type Address struct {
	IP             netip.Addr
	Namespace, Pod string
	Port           int32
}

// kubelet is the API of every node's kubelet. Source: Server in
// k8s.io/kubernetes pkg/kubelet/server v1.37.2.
type kubelet struct {
	n *Network
	http.ServeMux
}

func newKubelet(n *Network) *kubelet {
	k := &kubelet{n: n}
	k.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	for _, path := range []string{"{namespace}/{pod}/{container}", "{namespace}/{pod}/{uid}/{container}"} {
		k.HandleFunc("/exec/"+path, k.exec)
		k.HandleFunc("/attach/"+path, k.attach)
	}
	for _, path := range []string{"{namespace}/{pod}", "{namespace}/{pod}/{uid}"} {
		k.HandleFunc("/portForward/"+path, k.portForward)
	}
	return k
}

func targetOf(req *http.Request) Target {
	return Target{
		Namespace: req.PathValue("namespace"), Pod: req.PathValue("pod"),
		UID: types.UID(req.PathValue("uid")), Container: req.PathValue("container"),
	}
}

// serve answers a request for a stream with a container of a Pod: options reads what
// is wanted, talk does it. The request's context ends with the Network, early enough
// for its client to be told.
func serve[O any](k *kubelet, w http.ResponseWriter, req *http.Request, options func(*http.Request) (O, error), talk func(*http.Request, Target, O)) {
	t := targetOf(req)
	wanted, err := options(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ctx, done, err := k.n.begin(req.Context())
	if err == nil {
		defer done()
		err = k.n.host.Find(ctx, t)
	}
	if err != nil {
		_ = streaming.WriteError(err, w) // a client that has gone away is not our concern
		return
	}
	talk(req.WithContext(ctx), t, wanted)
}

func (k *kubelet) exec(w http.ResponseWriter, req *http.Request) {
	serve(k, w, req, remotecommand.NewOptions, func(req *http.Request, t Target, o *remotecommand.Options) {
		c := streaming.DefaultConfig
		remotecommand.ServeExec(w, req, executor{k.n.host, t}, t.Pod, string(t.UID), t.Container, req.Form[corev1.ExecCommandParam], o,
			c.StreamIdleTimeout, c.StreamCreationTimeout, c.SupportedRemoteCommandProtocols)
	})
}

func (k *kubelet) attach(w http.ResponseWriter, req *http.Request) {
	serve(k, w, req, remotecommand.NewOptions, func(req *http.Request, t Target, o *remotecommand.Options) {
		c := streaming.DefaultConfig
		remotecommand.ServeAttach(w, req, executor{k.n.host, t}, t.Pod, string(t.UID), t.Container, o,
			c.StreamIdleTimeout, c.StreamCreationTimeout, c.SupportedRemoteCommandProtocols)
	})
}

func (k *kubelet) portForward(w http.ResponseWriter, req *http.Request) {
	serve(k, w, req, portforward.NewV4Options, func(req *http.Request, t Target, o *portforward.V4Options) {
		c := streaming.DefaultConfig
		portforward.ServePortForward(w, req, forwarder{k.n, t}, t.Pod, string(t.UID), o,
			c.StreamIdleTimeout, c.StreamCreationTimeout, c.SupportedPortForwardProtocols)
	})
}

// executor runs what one request asks for.
type executor struct {
	host Host
	t    Target
}

var (
	_ remotecommand.Executor = executor{}
	_ remotecommand.Attacher = executor{}
)

func client(in io.Reader, out, errs io.WriteCloser, tty bool, resize <-chan remotecommand.TerminalSize) Client {
	c := Client{Stdin: in, TTY: tty, Resize: resize}
	// A nil WriteCloser is no nil Writer.
	if out != nil {
		c.Stdout = out
	}
	if errs != nil {
		c.Stderr = errs
	}
	return c
}

// ExecInContainer implements remotecommand.Executor.
func (e executor) ExecInContainer(ctx context.Context, _, _, _ string, cmd []string, in io.Reader, out, errs io.WriteCloser, tty bool, resize <-chan remotecommand.TerminalSize, _ time.Duration) error {
	code, err := e.host.Exec(ctx, e.t, cmd, client(in, out, errs, tty, resize))
	if err != nil {
		return cmp.Or(context.Cause(ctx), err)
	}
	if code != 0 {
		return utilexec.CodeExitError{Err: fmt.Errorf("error executing command %v, exit code %d", cmd, code), Code: int(code)}
	}
	return nil
}

// AttachContainer implements remotecommand.Attacher.
func (e executor) AttachContainer(ctx context.Context, _, _, _ string, in io.Reader, out, errs io.WriteCloser, tty bool, resize <-chan remotecommand.TerminalSize) error {
	if err := e.host.Attach(ctx, e.t, client(in, out, errs, tty, resize)); err != nil {
		return cmp.Or(context.Cause(ctx), err)
	}
	return nil
}

// forwarder connects clients with the ports of one Pod.
type forwarder struct {
	n *Network
	t Target
}

// PortForward implements portforward.PortForwarder. The error is containerd's.
func (f forwarder) PortForward(ctx context.Context, _, _ string, port int32, stream io.ReadWriteCloser) error {
	defer stream.Close()
	c, err := f.n.dial(ctx, Address{Namespace: f.t.Namespace, Pod: f.t.Pod, Port: port})
	if err != nil {
		netns := fmt.Sprintf("/var/run/netns/cni-%s-%s", f.t.Namespace, f.t.Pod)
		return fmt.Errorf("failed to execute portforward in network namespace %q: failed to connect to localhost:%d inside namespace %q, "+
			"IPv4: dial tcp4 127.0.0.1:%d: %w IPv6 dial tcp6 [::1]:%d: %w", netns, port, netns, port, err, port, err)
	}
	defer func() { _ = c.Close() }() // a pipe's never fails
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	go func() {
		_, _ = io.Copy(c, stream) // the client has gone, or the server has closed
		_ = c.CloseWrite()
	}()
	if _, err = io.Copy(stream, c); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	return nil
}
