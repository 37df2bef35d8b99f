package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Bounds on what a healthy server needs. Unit: wall time. They are generous:
// under the race detector, with both cores busy, a start takes seconds.
const (
	startMax = 2 * time.Minute
	stopMax  = time.Minute
)

// server is a kubesim process.
type server struct {
	kubeconfig string

	cmd    *exec.Cmd
	stdout *bufio.Reader
	stderr *bytes.Buffer
}

// startServer runs `kubesim serve` on a free port, with args, and returns once
// it has printed where its kubeconfig is. An error holds what it said instead.
func startServer(dir string, env []string, args ...string) (*server, error) {
	cmd := exec.Command("kubesim", append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Dir, cmd.Env = dir, env
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s := &server{cmd: cmd, stdout: bufio.NewReader(stdout), stderr: &bytes.Buffer{}}
	cmd.Stderr = s.stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	timeout := time.AfterFunc(startMax, func() { _ = cmd.Process.Signal(syscall.SIGQUIT) })
	defer timeout.Stop()
	line, err := s.stdout.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("kubesim serve %s: no line on stdout, then %w; stderr:\n%s", strings.Join(args, " "), errors.Join(err, cmd.Wait()), s.stderr)
	}
	s.kubeconfig, err = kubeconfigOf(line)
	return s, err
}

// kubeconfigOf takes the path out of serve's line, as a shell would.
func kubeconfigOf(line string) (string, error) {
	path, ok := strings.CutPrefix(strings.TrimSpace(line), "export KUBECONFIG=")
	if !ok {
		return "", fmt.Errorf("kubesim serve printed %q, want export KUBECONFIG=PATH", line)
	}
	return strings.Trim(path, "'"), nil
}

// stop interrupts the server as Ctrl-C does. It must end with status 0 and
// have said nothing more.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("kubesim serve has ended by itself: %w; stderr:\n%s", err, s.stderr)
	}
	// A server that hangs says where.
	timeout := time.AfterFunc(stopMax, func() { _ = s.cmd.Process.Signal(syscall.SIGQUIT) })
	defer timeout.Stop()
	rest, readErr := io.ReadAll(s.stdout)
	err := errors.Join(readErr, s.cmd.Wait())
	if err != nil || len(rest) > 0 || s.stderr.Len() > 0 {
		return fmt.Errorf("kubesim serve did not end cleanly: %v; stdout:\n%s\nstderr:\n%s", err, rest, s.stderr)
	}
	return nil
}

// kill ends the server as a crash does.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// kubectl runs kubectl against the server and returns its stdout.
func (s *server) kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "kubectl", args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+s.kubeconfig)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, &stderr)
	}
	return stdout.String(), nil
}

// newServer starts a server with a home of its own for a test, at whose end it
// must stop cleanly.
func newServer(t *testing.T, args ...string) *server {
	t.Helper()
	dir := t.TempDir()
	s, err := startServer(dir, append(os.Environ(), "HOME="+dir, "TMPDIR="+dir), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cmd.ProcessState != nil {
			return
		}
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}
