package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
)

// tunnelMax bounds one attack. Unit: wall time; what is attacked answers in milliseconds.
const tunnelMax = time.Minute

// attackTunnels goes the ways that lead from a client to Pods, nodes and Services, which
// lead to the host in a real cluster.
func attackTunnels(t *testing.T, a *assault) {
	c := newCanary(t, a)
	s := c.server(t, "--ephemeral", "--clock", "realtime", "--seed", "1")
	client, config := clientOf(t, s), configOf(t, s)
	api, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	names := c.names(s, api.Port())
	s.kubectl(t, names.Replace(hostileObjects), "create", "-f", "-")
	host := thief(c, "host", "busybox", "sleep", "1d")
	if _, err := client.CoreV1().Pods("default").Create(t.Context(), host, createOptions); err != nil {
		t.Fatal(err)
	}
	s.kubectl(t, "", "wait", "--for=condition=Ready", "pod/host", "--timeout=1m")
	kind := "sandbox: exec, proxy, port-forward, cp"
	for _, argv := range hostileCommands() {
		for i := range argv {
			argv[i] = names.Replace(argv[i])
		}
		var out, errOut bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), tunnelMax)
		err := execIn(ctx, config, client, remotecommand.StreamOptions{Stdin: strings.NewReader("x\n"), Stdout: &out, Stderr: &errOut}, "host", argv...)
		cancel()
		a.judge(t, kind, "exec "+strings.Join(argv, " "), c.seen(out.String()+errOut.String()+fmt.Sprint(err)))
	}
	web := httpClient(t, config)
	for _, path := range hostilePaths() {
		path = names.Replace(path)
		a.judge(t, kind, "GET "+path, c.seen(fetchRaw(t, web, config.Host, path)))
	}
	for _, target := range []string{"pod/host", "service/svc"} {
		a.judge(t, kind, "port-forward "+target, c.seen(forward(t, s, target, c.tcp)))
	}
	a.judge(t, kind, "kubectl cp", c.seen(copyOut(t, s, names)))
	c.untouched(t, a, s)
}

func hostileCommands() [][]string {
	var all [][]string
	for _, file := range hostFiles() {
		all = append(all, []string{"cat", file}, []string{file}, []string{"tar", "cf", "-", file}, []string{"sh", file})
	}
	return append(all,
		[]string{""}, []string{"sh", "-c", ""}, []string{"../../../{D}/secret"}, []string{"{UP}"}, []string{"\x00"}, []string{"cat", "\x00{F}"}, []string{"env"}, []string{"sh", "-c", "env; cat /proc/*/environ"},
		[]string{"wget", "-qO-", "http://127.0.0.1:{P}/"}, []string{"nc", "-w", "1", "{I}", "{P}"}, []string{"sh", "-c", "cat > {F}"}, []string{"tar", "xf", "-", "-C", "{D}"}, []string{"tar", "xPf", "-"}, []string{"/proc/self/exe"},
	)
}

// hostilePaths are requests whose answer could be the host's.
func hostilePaths() []string {
	paths := []string{
		"/api/v1/nodes/node-1/proxy/", "/api/v1/nodes/node-1/proxy/logs/", "/api/v1/nodes/node-1/proxy/logs/{UP}", "/api/v1/nodes/node-1/proxy/logs/..%2f..%2f{UP}", "/api/v1/nodes/node-1/proxy/logs/?query={F}", "/api/v1/nodes/node-1/proxy/logs/?query=/{UP}",
		"/api/v1/nodes/node-1/proxy/logs/secret", "/api/v1/nodes/node-1/proxy/containerLogs/default/host/c", "/api/v1/nodes/node-1/proxy/containerLogs/default/..%2f..%2fhost/c", "/api/v1/nodes/node-1/proxy/run/default/host/c?cmd=env", "/api/v1/nodes/node-1/proxy/exec/default/host/c?command=env&output=1",
		"/api/v1/nodes/node-1/proxy/debug/pprof/cmdline", "/api/v1/nodes/node-1/proxy/configz", "/api/v1/nodes/node-1/proxy/pods", "/api/v1/nodes/node-1/proxy/stats/summary", "/api/v1/nodes/node-1/proxy/metrics", "/api/v1/nodes/node-1:{P}/proxy/", "/api/v1/nodes/https:node-1:{P}/proxy/", "/api/v1/nodes/127.0.0.1:{P}/proxy/", "/api/v1/nodes/{I}:{P}/proxy/",
		"/api/v1/namespaces/default/pods/host/proxy/", "/api/v1/namespaces/default/pods/host:{P}/proxy/", "/api/v1/namespaces/default/pods/https:host:{P}/proxy/", "/api/v1/namespaces/default/pods/http:host:{A}/proxy/", "/api/v1/namespaces/default/pods/127.0.0.1:{P}/proxy/",
		"/api/v1/namespaces/default/services/svc/proxy/", "/api/v1/namespaces/default/services/svc:{P}/proxy/", "/api/v1/namespaces/default/services/https:svc:{P}/proxy/", "/api/v1/namespaces/default/services/ext:{P}/proxy/", "/api/v1/namespaces/default/services/kubernetes:443/proxy/", "/api/v1/namespaces/default/services/https:kubernetes:443/proxy/",
		"/api/v1/namespaces/default/pods/host/log?container=../../{UP}", "/api/v1/namespaces/default/pods/..%2f..%2f..%2f{UP}/log", "/api/v1/namespaces/..%2f..%2f{UP}/pods", "/..%2f..%2f{UP}", "/{UP}", "/static/{UP}", "/logs/", "/logs/{UP}", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/flags/v", "/configz", "/swagger-ui/", "/ui", "/openapi/../{UP}",
		"/kubesim/history?file={F}", "/kubesim/explain?file={F}", "/kubesim/{UP}", "/metrics?file={F}", "/api/v1/watch/../{UP}", "/apis/../../{UP}", "/version/{UP}", "/healthz/{UP}", "/.well-known/{UP}", "/openid/{UP}", "file://{F}", "http://127.0.0.1:{P}/",
	}
	for _, verb := range []string{"attach", "exec", "portforward", "proxy", "log", "ephemeralcontainers", "resize", "binding", "eviction"} {
		paths = append(paths, "/api/v1/namespaces/default/pods/host/"+verb+"?command=cat&command={F}&ports={P}&path={F}&stdout=1")
	}
	return paths
}

// httpClient speaks for the owner of a kubeconfig.
func httpClient(t *testing.T, config *rest.Config) *http.Client {
	t.Helper()
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	client.Timeout = tunnelMax
	return client
}

// fetchRaw sends a path as it is written, and returns the answer, or what went wrong.
func fetchRaw(t *testing.T, client *http.Client, host, path string) string {
	t.Helper()
	at, err := url.Parse(host)
	if err != nil {
		t.Fatal(err)
	}
	at.Opaque = "//" + at.Host + path
	if !strings.HasPrefix(path, "/") {
		at.Opaque = path
	}
	resp, err := client.Do(&http.Request{Method: http.MethodGet, URL: at, Host: at.Host})
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return fmt.Sprint(resp.Header, string(data), err)
}

// forward asks for a port through kubectl port-forward and returns what is said there.
func forward(t *testing.T, s *server, target string, port int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), tunnelMax)
	defer cancel()
	cmd := exec.CommandContext(ctx, "kubectl", "port-forward", target, fmt.Sprintf(":%d", port))
	var stderr bytes.Buffer
	cmd.Env, cmd.Stderr = append(os.Environ(), "KUBECONFIG="+s.kubeconfig), &stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	said := line + fmt.Sprint(err)
	if m := regexp.MustCompile(`127\.0\.0\.1:(\d+)`).FindStringSubmatch(line); m != nil {
		conn, err := net.Dial("tcp", "127.0.0.1:"+m[1])
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
		data, err := io.ReadAll(conn)
		said += fmt.Sprint(string(data), err)
		_ = conn.Close()
	}
	cancel()
	_ = cmd.Wait()
	return said + stderr.String()
}

// copyOut copies from a Pod files whose names, or whose archive, lead out of where they
// should go, and into a Pod what leads out of it.
func copyOut(t *testing.T, s *server, names *strings.Replacer) string {
	t.Helper()
	dir := t.TempDir()
	run := func(args ...string) string {
		ctx, cancel := context.WithTimeout(t.Context(), tunnelMax)
		defer cancel()
		for i := range args {
			args[i] = names.Replace(args[i])
		}
		cmd := exec.CommandContext(ctx, "kubectl", args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "KUBECONFIG="+s.kubeconfig)
		out, err := cmd.CombinedOutput()
		return string(out) + fmt.Sprint(err)
	}
	said := run("exec", "host", "--", "sh", "-c", "mkdir -p /tmp/e/d; echo pwned > /tmp/e/d/secret; cd /tmp/e; ln -s {D} link; ln -s {F} file; echo pwned > evil")
	if err := os.Mkdir(filepath.Join(dir, "out"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"cp", "host:/tmp/e", "out"}, {"cp", "host:/tmp/e/link", "out/link"}, {"cp", "host:{F}", "out/secret"}, {"cp", "host:/tmp/e/link/secret", "out/s"}, {"cp", "host:../../../../{UP}", "out/up"},
		{"cp", "host:/proc/1/root{F}", "out/root"}, {"cp", "host:/canary", "out/canary"}, {"cp", "/etc/hostname", "host:{F}"}, {"cp", "/etc/hostname", "host:/canary/secret"}, {"cp", "/etc/hostname", "host:../../../{UP}"},
		{"debug", "host", "--image=busybox", "--target=c", "--", "cat", "/proc/1/root{F}"}, {"debug", "node/node-1", "--image=busybox", "--", "cat", "/host{F}"}, {"logs", "host", "-c", "../../../{UP}"}, {"attach", "host", "--", "{F}"},
	} {
		said += run(args...)
	}
	err := filepath.Walk(filepath.Join(dir, "out"), func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			said += string(data)
			return err
		}
		return err
	})
	return said + fmt.Sprint(err)
}
