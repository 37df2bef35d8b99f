package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// canary is what a Pod could see or change of its host, put there to be found: a
// file, a variable of the server's environment, servers on loopback and on the
// host's own address.
type canary struct {
	secret string
	// dir has the file and nothing else; before is what it was.
	dir, file, before string
	// ports are those of the TCP and of the UDP server.
	tcp, udp int
	// dialled counts what reached them.
	dialled atomic.Int64
	// hostIP is an address of the host beside loopback; loopback if it has none.
	hostIP string
}

// newCanary sets the trap.
func newCanary(t *testing.T, a *assault) *canary {
	t.Helper()
	c := &canary{secret: fmt.Sprintf("CANARY-%016x", a.random.Uint64()), dir: t.TempDir(), hostIP: "127.0.0.1"}
	c.file = filepath.Join(c.dir, "secret")
	if err := os.WriteFile(c.file, []byte(c.secret+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	c.before = tree(t, c.dir)
	listener, err := net.Listen("tcp", ":0") // on every address, loopback among them
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go c.serve(listener)
	c.tcp = listener.Addr().(*net.TCPAddr).Port
	packets, err := net.ListenPacket("udp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = packets.Close() })
	go func() {
		for buf := make([]byte, 2048); ; c.dialled.Add(1) {
			if _, _, err := packets.ReadFrom(buf); err != nil {
				return
			}
		}
	}()
	c.udp = packets.LocalAddr().(*net.UDPAddr).Port
	addrs, _ := net.InterfaceAddrs() // none is none
	for _, addr := range addrs {
		if ip, ok := addr.(*net.IPNet); ok && !ip.IP.IsLoopback() && ip.IP.To4() != nil {
			c.hostIP = ip.IP.String()
		}
	}
	return c
}

// serve answers whatever is asked with the secret.
func (c *canary) serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		c.dialled.Add(1)
		_, _ = io.WriteString(conn, "HTTP/1.0 200 OK\r\n\r\n"+c.secret+"\n")
		_ = conn.Close()
	}
}

// server starts a server that the trap is set for.
func (c *canary) server(t *testing.T, args ...string) *server {
	t.Helper()
	home := t.TempDir()
	s, err := startServer(home, append(os.Environ(), "HOME="+home, "TMPDIR="+home, "KUBESIM_CANARY="+c.secret), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			if err := s.stop(); err != nil {
				t.Error(err)
			}
		}
	})
	return s
}

// names fills in what a line calls the trap: {F} the file, {D} its directory, {P} and {U}
// the ports, {I} the host's address, {A} the API's port, {PID} the server's process.
func (c *canary) names(s *server, api string) *strings.Replacer {
	return strings.NewReplacer(
		"{F}", c.file, "{D}", c.dir, "{P}", fmt.Sprint(c.tcp), "{U}", fmt.Sprint(c.udp), "{I}", c.hostIP,
		"{A}", api, "{PID}", fmt.Sprint(s.cmd.Process.Pid), "{UP}", strings.Repeat("../", 24)+c.file[1:],
	)
}

// seen says what of the host text shows.
func (c *canary) seen(text string) string {
	switch {
	case strings.Contains(text, c.secret):
		return "the host's secret is shown: " + around(text, c.secret)
	case strings.Contains(text, canaryExists):
		return "a file of the host is there: " + around(text, canaryExists)
	}
	return ""
}

// canaryExists is what lines print that find a file of the host without reading it.
const canaryExists = "CANARY-EXISTS"

func around(text, what string) string {
	at := strings.Index(text, what)
	return fmt.Sprintf("%q", text[max(0, at-100):min(len(text), at+100)])
}

// untouched counts what attacks may have done to the host without a word.
func (c *canary) untouched(t *testing.T, a *assault, s *server) {
	t.Helper()
	wrong := ""
	if n := c.dialled.Load(); n > 0 {
		wrong = fmt.Sprintf("%d connections and packets reached the host", n)
	}
	a.judge(t, "host left alone", "servers of the host", wrong)
	wrong = ""
	if now := tree(t, c.dir); now != c.before {
		wrong = "it was\n" + c.before + "it is\n" + now
	}
	a.judge(t, "host left alone", "files of the host", wrong)
	wrong = ""
	if data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", s.cmd.Process.Pid)); err == nil && len(data) > 0 {
		wrong = "it has children: " + string(data)
	}
	a.judge(t, "host left alone", "processes of the server", wrong)
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", s.cmd.Process.Pid)) // none elsewhere than on Linux
	wrong = ""
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, c.dir) {
			wrong = "the server holds " + target
		}
	}
	a.judge(t, "host left alone", "files that the server holds", wrong)
}
