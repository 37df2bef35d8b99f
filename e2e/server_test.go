package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
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
	return startProcess(cmd)
}

// startProcess starts a command that is a server, or becomes one.
func startProcess(cmd *exec.Cmd) (*server, error) {
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
		return nil, fmt.Errorf("%s: no line on stdout, then %w; stderr:\n%s", strings.Join(cmd.Args, " "), errors.Join(err, cmd.Wait()), s.stderr)
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

// tornOff is what the library for etcd says of a request that ends with the server: the
// election renews its lease up to the last moment. Its logger cannot be changed.
var tornOff = regexp.MustCompile(`(?m)^\{.*"logger":"etcd-client".*context canceled"\}\n`)

// stop interrupts the server as Ctrl-C does. It must end with status 0 and have said
// nothing more, but for one line on stderr that matches each of said.
func (s *server) stop(said ...string) error {
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("kubesim serve has ended by itself: %w; stderr:\n%s", err, s.stderr)
	}
	// A server that hangs says where.
	timeout := time.AfterFunc(stopMax, func() { _ = s.cmd.Process.Signal(syscall.SIGQUIT) })
	defer timeout.Stop()
	rest, readErr := io.ReadAll(s.stdout)
	err := errors.Join(readErr, s.cmd.Wait())
	more := tornOff.ReplaceAllString(s.stderr.String(), "")
	for _, pattern := range said {
		at := regexp.MustCompile(`(?m)^.*` + pattern + `.*\n`).FindStringIndex(more)
		if at == nil {
			err = errors.Join(err, fmt.Errorf("no line on stderr matches %q", pattern))
			continue
		}
		more = more[:at[0]] + more[at[1]:]
	}
	if len(rest) > 0 || more != "" {
		err = errors.Join(err, fmt.Errorf("stdout:\n%s\nstderr:\n%s", rest, more))
	}
	if err != nil {
		return fmt.Errorf("kubesim serve did not end cleanly: %w", err)
	}
	return nil
}

// kill ends the server as a crash does.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
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
