package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/remotecommand"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/cluster"
)

// closeMax is far more than the two seconds in which a server ends, and less than what
// any of these clients could hold it up for: upstream's server waits five seconds for a
// connection without a request, and a minute for an answer that nobody reads.
const closeMax = 4 * time.Second

// With 50 there are a thousand watches and two thousand idle connections.
var closeScale = flag.Int("close.scale", 1, "how many times more clients hold up a server that ends")

// TestAServerEndsWhateverItsClientsDo has clients that do not read, do not go on, or do
// not go away.
func TestAServerEndsWhateverItsClientsDo(t *testing.T) {
	for name, clients := range map[string]func(t *testing.T, v *visitor){
		"a TCP connection without a handshake": func(t *testing.T, v *visitor) { v.dial(t) },
		"a TLS connection without a request":   func(t *testing.T, v *visitor) { v.tls(t, "http/1.1") },
		"half a request": func(t *testing.T, v *visitor) {
			v.send(t, "POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
		},
		"watches that nobody reads": func(t *testing.T, v *visitor) {
			for range 20 * *closeScale {
				v.send(t, "GET /api/v1/namespaces/default/configmaps?watch=true HTTP/1.1\r\nHost: x\r\n\r\n")
			}
			v.fill(t, 20)
		},
		"lists that nobody reads": func(t *testing.T, v *visitor) {
			v.fill(t, 20)
			for range 5 {
				v.send(t, "GET /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\n\r\n")
			}
		},
		"idle HTTP/2 connections": func(t *testing.T, v *visitor) {
			for range 40 * *closeScale {
				v.idle(t)
			}
		},
		"a request that a Fault delays by a day": func(t *testing.T, v *visitor) {
			fault := `{"apiVersion":"sim.kubesim.dev/v1alpha1","kind":"Fault","metadata":{"name":"slow"},"spec":{"requests":{"resources":["configmaps"]},"latency":"24h"}}`
			post := v.cluster.Client().CoreV1().RESTClient().Post().AbsPath("/apis/sim.kubesim.dev/v1alpha1/faults").
				SetHeader("Content-Type", "application/json").SetHeader("Accept", "application/json")
			if _, err := post.Body([]byte(fault)).Do(t.Context()).Raw(); err != nil {
				t.Fatal(err)
			}
			conn := v.tls(t, "http/1.1")
			if _, err := conn.Write([]byte("DELETE /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
				t.Fatal(err)
			}
		},
		"a command that prints for ever, to nobody": func(t *testing.T, v *visitor) { v.exec(t, "yes") },
		"a command that sleeps":                     func(t *testing.T, v *visitor) { v.exec(t, "sleep", "100000") },
	} {
		t.Run(name, func(t *testing.T) {
			options := inProcess(t, engine.Realtime)
			c, err := cluster.Start(t.Context(), options)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.AwaitReady(t.Context()); err != nil {
				t.Fatal(err)
			}
			clients(t, newVisitor(t, c))
			start := time.Now()
			c.Close()
			if took := time.Since(start); took > closeMax {
				t.Errorf("the end took %s", took)
			} else {
				t.Logf("the end took %s", took)
			}
		})
	}
}

// visitor is a client that knows how to be a nuisance.
type visitor struct {
	cluster *cluster.Cluster
	config  *rest.Config
	tlsConf *tls.Config
	address string
}

func newVisitor(t *testing.T, c *cluster.Cluster) *visitor {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(config.CertData, config.KeyData)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(config.CAData)
	return &visitor{
		cluster: c, config: config, address: strings.TrimPrefix(config.Host, "https://"),
		tlsConf: &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: roots, MinVersion: tls.VersionTLS12},
	}
}

// dial opens a connection that takes in as little as possible.
func (v *visitor) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", v.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	return conn
}

func (v *visitor) tls(t *testing.T, protocol string) net.Conn {
	t.Helper()
	conf := v.tlsConf.Clone()
	conf.ServerName, conf.NextProtos = "127.0.0.1", []string{protocol}
	conn := tls.Client(v.dial(t), conf)
	if err := conn.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return conn
}

// send sends text and reads nothing but the first byte of the answer to a whole request.
func (v *visitor) send(t *testing.T, text string) {
	t.Helper()
	conn := v.tls(t, "http/1.1")
	if _, err := conn.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(text, "GET") {
		return
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

// fill creates ConfigMaps of a megabyte.
func (v *visitor) fill(t *testing.T, n int) {
	t.Helper()
	maps := v.cluster.Client().CoreV1().ConfigMaps("default")
	for i := range n {
		big := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("big-", i)}, Data: map[string]string{"x": strings.Repeat("x", 1_000_000)}}
		if _, err := maps.Create(t.Context(), big, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// idle makes a request and keeps the connection.
func (v *visitor) idle(t *testing.T) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{TLSClientConfig: v.tlsConf.Clone(), ForceAttemptHTTP2: true}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.config.Host+"/version", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if answer.ProtoMajor != 2 {
		t.Fatalf("protocol %s, want HTTP/2", answer.Proto)
	}
	_ = answer.Body.Close()
	t.Cleanup(client.CloseIdleConnections)
}

// exec runs a command in a Pod, and reads one chunk of what it prints, if that is anything.
func (v *visitor) exec(t *testing.T, command ...string) {
	t.Helper()
	client := v.cluster.Client()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "shell"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "busybox", Command: []string{"sleep", "100000"}}}},
	}
	if _, err := client.CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	awaitRunning(t, client, "shell")
	url := client.CoreV1().RESTClient().Post().Resource("pods").Namespace("default").Name("shell").SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Container: "main", Command: command, Stdout: true, Stdin: true}, scheme.ParameterCodec).URL()
	url.Host = v.address
	executor, err := remotecommand.NewWebSocketExecutor(v.config, http.MethodGet, url.String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	out := stuck{ctx: ctx, wrote: make(chan struct{}, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: silence{ctx}, Stdout: out}) // it is cut off
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	if command[0] == "yes" {
		<-out.wrote
	}
}

// silence is a reader that has nothing until its end.
type silence struct{ ctx context.Context }

func (s silence) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

func awaitRunning(t *testing.T, client kubernetes.Interface, name string) {
	t.Helper()
	for t.Context().Err() == nil {
		pod, err := client.CoreV1().Pods("default").Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if pod.Status.Phase == corev1.PodRunning {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
