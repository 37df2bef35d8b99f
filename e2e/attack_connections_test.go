package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
)

// connectionsMax is how many connections of each kind are opened at the largest scale.
const connectionsMax = 400

// attackConnections opens connections of every bad kind and keeps them, while others must be
// answered; and then the server must end.
func attackConnections(t *testing.T, a *assault) {
	s := newServer(t, "--ephemeral", "--clock", "realtime", "--seed", "1")
	config, client := configOf(t, s), clientOf(t, s)
	fill(t, client)
	newPod(t, client, "shell", "busybox", "sh", "-c", "while :; do echo line; done")
	s.kubectl(t, "", "wait", "--for=condition=Ready", "pod/shell", "--timeout=1m")
	at, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	secure, err := rest.TLSConfigFor(config)
	if err != nil {
		t.Fatal(err)
	}
	secure.NextProtos = []string{"http/1.1"}
	const get = "GET /api/v1/configmaps?watch=1 HTTP/1.1\r\nHost: x\r\n"
	for _, one := range []struct {
		what, send string
		plain      bool
	}{
		{"connections that say nothing", "", true},
		{"half a handshake", "\x16\x03\x01\x02\x00\x01\x00\x01", true},
		{"no TLS", "GET / HTTP/1.1\r\n", true},
		{"noise", strings.Repeat("\xde\xad\xbe\xef", 1000), true},
		{"TLS that says nothing", "", false},
		{"half a request", "GET /api/v1/po", false},
		{"half a header", get + "X-A: " + strings.Repeat("a", 10_000), false},
		{"more headers than may be", get + strings.Repeat("X-A: "+strings.Repeat("a", 1000)+"\r\n", 1500), false},
		{"half a body", "POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{", false},
		{"half a chunk", "POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n{", false},
		{"two lengths", "POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}", false},
		{"a request hidden in another", "POST /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /api/v1/nodes HTTP/1.1\r\nHost: x\r\n\r\n", false},
		{"lists that nobody reads", "GET /api/v1/configmaps HTTP/1.1\r\nHost: x\r\n\r\n", false},
		{"watches that nobody reads", get + "\r\n", false},
		{"logs that nobody reads", "GET /api/v1/namespaces/default/pods/shell/log?follow=true HTTP/1.1\r\nHost: x\r\n\r\n", false},
		{"an upgrade to nothing", "GET /api/v1/namespaces/default/pods/shell/exec?command=yes&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", false},
		{"a WebSocket that sends noise", "GET /api/v1/namespaces/default/pods/shell/exec?command=yes&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n" + strings.Repeat("\xff", 1000), false},
		{"a SPDY that sends noise", "POST /api/v1/namespaces/default/pods/shell/exec?command=yes&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n" + strings.Repeat("\xff", 1000), false},
	} {
		n := times(connectionsMax)
		var held []net.Conn
		for range n {
			if conn, err := dial(at.Host, secure, one.plain); err == nil { // a refusal is fine
				held = append(held, conn)
				_ = conn.SetWriteDeadline(time.Now().Add(time.Second)) // who does not read need not be told more
				_, _ = io.WriteString(conn, one.send)
			}
		}
		wrong := honest(t, client, one.what)
		for range n {
			a.judge(t, "clients: bad connections", one.what, wrong)
		}
		t.Cleanup(func() {
			for _, conn := range held {
				_ = conn.Close()
			}
		})
	}
	storm(t, a, client, config)
	err = s.stop() // while all are connected still
	a.judge(t, "clients: server ends", "with every connection open", said(err))
}

// said is what an error says; nothing for none.
func said(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func dial(host string, config *tls.Config, plain bool) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: tunnelMax}
	if plain {
		return dialer.Dial("tcp", host)
	}
	return tls.DialWithDialer(dialer, "tcp", host, config)
}

// fill makes the lists of ConfigMaps too long for the buffers of a connection.
func fill(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	for i := range 40 {
		cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("fill-%d", i)}, Data: map[string]string{"a": strings.Repeat("x", 100_000)}}
		if _, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), cm, createOptions); err != nil {
			t.Fatal(err)
		}
	}
}

// honest makes some requests beside an attack, and says what was wrong with the answers.
func honest(t *testing.T, client kubernetes.Interface, what string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), tunnelMax)
	defer cancel()
	maps := client.CoreV1().ConfigMaps("default")
	for range 5 {
		cm, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "honest-"}, Data: map[string]string{"a": what}}, createOptions)
		if err != nil {
			return "an honest create: " + err.Error()
		}
		if got, err := maps.Get(ctx, cm.Name, metav1.GetOptions{}); err != nil || got.Data["a"] != what {
			return fmt.Sprintf("an honest get: %v, %v", got.Data, err)
		}
		if err := maps.Delete(ctx, cm.Name, metav1.DeleteOptions{}); err != nil {
			return "an honest delete: " + err.Error()
		}
	}
	return ""
}

// storm makes many watches, requests that are given up at once, and sessions, all at the same
// time.
func storm(t *testing.T, a *assault, client kubernetes.Interface, config *rest.Config) {
	t.Helper()
	n := times(connectionsMax)
	for _, one := range []struct {
		what string
		do   func(ctx context.Context)
	}{
		{"watches from the beginning", func(ctx context.Context) {
			if w, err := client.CoreV1().ConfigMaps("").Watch(ctx, metav1.ListOptions{ResourceVersion: "1"}); err == nil {
				<-w.ResultChan()
				w.Stop()
			}
		}},
		{"requests that are given up", func(ctx context.Context) {
			ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			_, _ = client.CoreV1().ConfigMaps("").List(ctx, metav1.ListOptions{})
		}},
		{"sessions that are given up", func(ctx context.Context) {
			ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			defer cancel()
			_ = execIn(ctx, config, client, remotecommand.StreamOptions{Stdin: strings.NewReader(""), Stdout: io.Discard}, "shell", "yes")
		}},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), tunnelMax)
		var all sync.WaitGroup
		for range n {
			all.Go(func() { one.do(ctx) })
		}
		wrong := honest(t, client, one.what)
		all.Wait()
		cancel()
		for range n {
			a.judge(t, "clients: storms", one.what, wrong)
		}
	}
}
