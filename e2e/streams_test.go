package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/remotecommand"
)

// streamMax bounds what a stream may take. Unit: wall time.
const streamMax = 2 * time.Minute

func configOf(t *testing.T, s *server) *rest.Config {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func newPod(t *testing.T, client kubernetes.Interface, name, image string, command ...string) {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: name, Image: image, Command: command}}},
	}
	if _, err := client.CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// execIn is what kubectl exec does.
func execIn(ctx context.Context, config *rest.Config, client kubernetes.Interface, streams remotecommand.StreamOptions, pod string, command ...string) error {
	url := client.CoreV1().RESTClient().Get().Resource("pods").Namespace("default").Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Command: command, Stdin: streams.Stdin != nil, Stdout: streams.Stdout != nil, Stderr: streams.Stderr != nil, TTY: streams.Tty,
		}, scheme.ParameterCodec).URL()
	executor, err := remotecommand.NewWebSocketExecutor(config, "GET", url.String())
	if err != nil {
		return err
	}
	return executor.StreamWithContext(ctx, streams)
}

// output runs a command in a Pod and returns what it has written.
func output(t *testing.T, config *rest.Config, client kubernetes.Interface, pod string, command ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), streamMax)
	defer cancel()
	var out bytes.Buffer
	if err := execIn(ctx, config, client, remotecommand.StreamOptions{Stdout: &out}, pod, command...); err != nil {
		t.Fatalf("%q in %s: %v", command, pod, err)
	}
	return out.String()
}

// TestPortForward asks nginx from outside, over both protocols and through
// kubectl proxy, and a port where nobody listens.
func TestPortForward(t *testing.T) {
	t.Parallel()
	s := newServer(t, "--ephemeral", "--clock", "auto")
	newPod(t, clientOf(t, s), "web", "nginx")
	for name, tc := range map[string]struct {
		env, path string
		args      []string
	}{
		"over WebSocket": {"KUBECTL_PORT_FORWARD_WEBSOCKETS=true", "/", []string{"port-forward", "pod/web", ":80"}},
		"over SPDY":      {"KUBECTL_PORT_FORWARD_WEBSOCKETS=false", "/", []string{"port-forward", "web", ":80"}},
		"kubectl proxy":  {"A=", "/api/v1/namespaces/default/pods/web:80/proxy/", []string{"proxy", "--port=0"}},
	} {
		t.Run(name, func(t *testing.T) {
			address, _ := background(t, s, tc.env, tc.args...)
			for range 3 { // connections of their own
				code, body := httpGet(t, "http://"+address+tc.path)
				if code != http.StatusOK || !strings.Contains(body, "Welcome to nginx!") {
					t.Errorf("status %d: %s", code, body)
				}
			}
		})
	}
	t.Run("where nobody listens", func(t *testing.T) {
		address, stderr := background(t, s, "A=", "port-forward", "web", ":81")
		if response, err := http.Get("http://" + address); err == nil {
			t.Errorf("an answer from a port where nobody listens: %s", response.Status)
			_ = response.Body.Close()
		}
		const want = "IPv4: dial tcp4 127.0.0.1:81: connect: connection refused"
		if said := stderr(); !strings.Contains(said, want) {
			t.Errorf("kubectl says %q, want %q", said, want)
		}
	})
}

func httpGet(t *testing.T, url string) (code int, body string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: streamMax}
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(data)
}

// background starts a kubectl that listens, and returns the address that it
// prints, and a function that waits for its end and returns its errors.
func background(t *testing.T, s *server, env string, args ...string) (address string, stderr func() string) {
	t.Helper()
	cmd := exec.Command("kubectl", args...)
	cmd.Env = append(cmd.Environ(), "KUBECONFIG="+s.kubeconfig, env)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	line := make([]byte, 256)
	n, err := out.Read(line)
	if err != nil {
		t.Fatalf("kubectl %v: %v: %s", args, err, errs.String())
	}
	address = regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(string(line[:n]))
	if address == "" {
		t.Fatalf("kubectl %v prints no address: %s", args, line[:n])
	}
	return address, func() string {
		_, _ = io.Copy(io.Discard, out) // until it ends
		_ = cmd.Wait()                  // its status is not of interest
		return errs.String()
	}
}

// lockedBuffer is a buffer for two goroutines.
type lockedBuffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

// await waits until text was written.
func (b *lockedBuffer) await(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(streamMax); ; time.Sleep(untilInterval) {
		b.mu.Lock()
		got := b.data.String()
		b.mu.Unlock()
		if strings.Contains(got, text) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v, %q has no %q", streamMax, got, text)
		}
	}
}

// stuck is a client that never reads.
type stuck struct {
	ctx   context.Context
	wrote chan struct{}
}

func (s stuck) Write([]byte) (int, error) {
	select {
	case s.wrote <- struct{}{}:
	default:
	}
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

// TestClientsOfSessions lets clients go away, not read, and wait, and looks that
// nobody else notices.
func TestClientsOfSessions(t *testing.T) {
	t.Parallel()
	s := newServer(t, "--ephemeral", "--clock", "auto")
	config, client := configOf(t, s), clientOf(t, s)
	newPod(t, client, "box", "busybox", "sleep", "100000")

	t.Run("a client that disconnects leaves nothing behind", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		in, _ := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			ended <- execIn(ctx, config, client, remotecommand.StreamOptions{Stdin: in, Stdout: io.Discard}, "box", "cat", "/dev/stdin", "-")
		}()
		awaitOutput(t, config, client, "cat /dev/stdin", true)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the client got %v", err)
		}
		awaitOutput(t, config, client, "cat /dev/stdin", false)
	})
	t.Run("a client that does not read holds up nobody", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		wrote := make(chan struct{}, 1)
		go func() {
			_ = execIn(ctx, config, client, remotecommand.StreamOptions{Stdout: stuck{ctx, wrote}}, "box", "yes") // it ends with ctx
		}()
		<-wrote
		if got := output(t, config, client, "box", "echo", "hello"); got != "hello\n" {
			t.Errorf("another client got %q", got)
		}
	})
	t.Run("a shell that waits for its user does not hold time up, nor move it", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		in, typed := io.Pipe()
		var screen lockedBuffer
		go func() {
			_ = execIn(ctx, config, client, remotecommand.StreamOptions{Stdin: in, Stdout: &screen, Tty: true}, "box", "sh") // as above
		}()
		screen.await(t, "/ # ")
		before := output(t, config, client, "box", "date", "+%s")
		if after := output(t, config, client, "box", "date", "+%s"); after != before {
			t.Errorf("time has moved from %s to %s", before, after)
		}
		_, _ = io.WriteString(typed, "a=$(date +%s); sleep 5; echo took $(($(date +%s)-a))\r") // a pipe's reader takes it
		screen.await(t, "took 5")
	})
}

// awaitOutput waits until ps shows a command in the Pod, or does not any more.
func awaitOutput(t *testing.T, config *rest.Config, client kubernetes.Interface, command string, want bool) {
	t.Helper()
	for deadline := time.Now().Add(streamMax); time.Now().Before(deadline); time.Sleep(untilInterval) {
		if strings.Contains(output(t, config, client, "box", "ps"), command) == want {
			return
		}
	}
	t.Fatalf("after %v, that %q runs is not %v", streamMax, command, want)
}
