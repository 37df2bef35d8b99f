package session

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
)

// TestExec: a command's output, its error output and its exit code come back, and it costs
// the virtual time that it takes.
func TestExec(t *testing.T) {
	for name, tc := range map[string]struct {
		script, stdin string
		out, errOut   string
		code          int32
		took          time.Duration
	}{
		"it prints":                {"echo hello; echo oops >&2", "", "hello\n", "oops\n", 0, 0},
		"it fails":                 {"exit 3", "", "", "", 3, 0},
		"it takes its time":        {"sleep 90; echo late", "", "late\n", "", 0, 90 * time.Second},
		"it reads":                 {"wc -c", strings.Repeat("a", 100_000), "100000\n", "", 0, 0},
		"it reads no more":         {"head -n 1", "one\ntwo\n", "one\n", "", 0, 0},
		"it is killed":             {"kill -9 $$", "", "", "", 137, 0},
		"there is no such command": {"nosuch", "", "", "sh: nosuch: not found\n", 127, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.start("web", "sleep infinity", nil)
			before := c.engine.Now()
			var out, errOut bytes.Buffer
			client := stream.Client{Stdout: &out, Stderr: &errOut}
			if tc.stdin != "" {
				client.Stdin = strings.NewReader(tc.stdin)
			}
			code, err := c.Exec(t.Context(), c.main("web"), []string{"sh", "-c", tc.script}, client)
			if err != nil {
				t.Fatal(err)
			}
			if code != tc.code || out.String() != tc.out || errOut.String() != tc.errOut {
				t.Errorf("got %d, %q, %q, want %d, %q, %q", code, &out, &errOut, tc.code, tc.out, tc.errOut)
			}
			if took := c.engine.Now().Sub(before); took < tc.took || took > tc.took+time.Second {
				t.Errorf("it took %v, want %v", took, tc.took)
			}
			if len(c.live) > 0 {
				t.Errorf("%d sessions are left", len(c.live))
			}
		})
	}
}

// TestWhoCannotBeReached: each way to ask for a program that is not there has an answer.
func TestWhoCannotBeReached(t *testing.T) {
	c := newCluster(t)
	c.start("ended", "exit 0", nil)
	c.start("web", "sleep infinity", nil)
	for name, tc := range map[string]struct {
		target stream.Target
		want   string
	}{
		"a container that runs":           {c.main("web"), ""},
		"a Pod that is not there":         {c.main("nosuch"), "pod does not exist"},
		"a container that is not there":   {stream.Target{Namespace: "default", Pod: "web", Container: "nosuch"}, `container not found ("nosuch")`},
		"a container that has ended":      {c.main("ended"), `container not found ("main")`},
		"an earlier Pod of the same name": {stream.Target{Namespace: "default", Pod: "web", UID: "uid-earlier", Container: "main"}, "pod does not exist"},
	} {
		_, execErr := c.Exec(t.Context(), tc.target, []string{"true"}, stream.Client{})
		for what, err := range map[string]error{"Find": c.Find(t.Context(), tc.target), "Exec": execErr} {
			if (err == nil) != (tc.want == "") || err != nil && err.Error() != tc.want {
				t.Errorf("%s: %s: %v, want %q", name, what, err, tc.want)
			}
		}
	}
}

// TestAnAttachedClient gets what the container prints from then on, and its container's end
// is the end of the session.
func TestAnAttachedClient(t *testing.T) {
	c := newCluster(t)
	c.start("web", "read line; echo got $line; exit 4", func(m *corev1.Container) { m.Stdin, m.StdinOnce = true, true })
	var out bytes.Buffer
	err := c.Attach(t.Context(), c.main("web"), stream.Client{Stdin: strings.NewReader("hello\n"), Stdout: &out, Stderr: &out})
	if err != nil || out.String() != "got hello\n" {
		t.Errorf("%v, %q", err, &out)
	}
	c.api.mu.Lock()
	defer c.api.mu.Unlock()
	if ended := c.api.pods["web"].Status.ContainerStatuses[0].State.Terminated; ended == nil || ended.ExitCode != 4 {
		t.Errorf("the container: %+v", ended)
	}
}

// TestAClientThatHasGone: its command ends, and the container runs on.
func TestAClientThatHasGone(t *testing.T) {
	c := newCluster(t)
	c.start("web", "sleep infinity", nil)
	ctx, leave := context.WithCancel(t.Context())
	in, out := newPipe(), &notices{first: make(chan struct{})}
	go func() {
		<-out.first
		leave()
	}()
	if _, err := c.Exec(ctx, c.main("web"), []string{"sh", "-c", "echo begins; cat"}, stream.Client{Stdin: in, Stdout: out, Stderr: out}); !errors.Is(err, context.Canceled) {
		t.Errorf("the client: %v", err)
	}
	var processes bytes.Buffer
	if _, err := c.Exec(t.Context(), c.main("web"), []string{"ps"}, stream.Client{Stdout: &processes}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(processes.String(), "cat") || !strings.Contains(processes.String(), "sleep infinity") {
		t.Errorf("processes:\n%s", &processes)
	}
}

// TestWhoLeavesEarlyHasDoneNothing: a request that was given up before its step begins has
// no effect.
func TestWhoLeavesEarlyHasDoneNothing(t *testing.T) {
	c := newCluster(t)
	leave, err := c.engine.Enter(t.Context()) // while a request has the stage, no step begins
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	done := false
	key := c.newKey("default", "web")
	if err := c.ask(ctx, key, "", func(time.Time) { done = true }); !errors.Is(err, context.Canceled) {
		t.Errorf("ask: %v", err)
	}
	if err := leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if done || len(c.asks[key]) > 0 {
		t.Errorf("done %t, %d asks are left", done, len(c.asks[key]))
	}
}

// TestConnect talks to a server in a Pod, as port-forward does.
func TestConnect(t *testing.T) {
	c := newCluster(t)
	c.start("web", "nc -lk -p 8080 -e sed -u s/^/got:/", nil)
	at := stream.Address{Namespace: "default", Pod: "web", Port: 8080}
	if err := c.Listens(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := c.Connect(t.Context(), at, stream.Client{Stdin: strings.NewReader("one\ntwo\n"), Stdout: &out}); err != nil || out.String() != "got:one\ngot:two\n" {
		t.Errorf("%v, %q", err, &out)
	}
	if err := c.engine.AwaitRest(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(c.connections) > 0 {
		t.Errorf("%d connections are left", len(c.connections))
	}
	for name, tc := range map[string]struct {
		at   stream.Address
		want error
	}{
		"a port that nobody listens on": {stream.Address{Namespace: "default", Pod: "web", Port: 80}, stream.ErrRefused},
		"a Pod that is not there":       {stream.Address{Namespace: "default", Pod: "nosuch", Port: 80}, stream.ErrUnreachable},
		"an address that nobody has":    {stream.Address{IP: netip.MustParseAddr("10.99.0.1"), Port: 80}, stream.ErrUnreachable},
	} {
		if err := c.Listens(t.Context(), tc.at); !errors.Is(err, tc.want) {
			t.Errorf("%s: Listens: %v, want %v", name, err, tc.want)
		}
		if err := c.Connect(t.Context(), tc.at, stream.Client{}); !errors.Is(err, tc.want) {
			t.Errorf("%s: Connect: %v, want %v", name, err, tc.want)
		}
	}
}

// TestACommandThatIsStarted: a caller that advances the clock sees what it has printed so far.
func TestACommandThatIsStarted(t *testing.T) {
	c := newCluster(t)
	c.start("web", "sleep infinity", nil)
	command, err := c.Start(t.Context(), c.main("web"), []string{"sh", "-c", "cat; exit 6"}, "to read\n")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.engine.AwaitRest(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ended, code, output, err := command.Ended(t.Context()); err != nil || !ended || code != 6 || output != "to read\n" {
		t.Errorf("ended %t, %d, %q, %v", ended, code, output, err)
	}
}

// notices tells of the first byte that it is given.
type notices struct{ first chan struct{} }

func (n *notices) Write(p []byte) (int, error) {
	select {
	case <-n.first:
	default:
		close(n.first)
	}
	return len(p), nil
}

// pipe is a standard input on which nothing comes.
type pipe chan struct{}

func newPipe() pipe { return make(pipe) }

func (p pipe) Read([]byte) (int, error) {
	<-p
	return 0, nil
}
