package request

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/kubernetes/pkg/probe"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

var noon = time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)

// servers answer at their ports, and remember what they were asked.
type servers struct {
	answers map[int32]kernel.Response
	asked   []kernel.Request
}

func (s *servers) Serve(port int32, r kernel.Request, _ time.Time) (kernel.Response, bool) {
	s.asked = append(s.asked, r)
	answer, ok := s.answers[port]
	return answer, ok
}

func (s *servers) Listens(port int32) bool {
	_, ok := s.answers[port]
	return ok
}

const (
	web      = 8080
	broken   = 8081
	silent   = 8082
	moved    = 8083
	grpcUp   = 9000
	grpcDown = 9001
	grpcLess = 9002
)

func grpc(status, message, body string) kernel.Response {
	return kernel.Response{Status: 200, Header: map[string]string{"Content-Type": "application/grpc", "Grpc-Status": status, "Grpc-Message": message}, Body: []byte(body)}
}

func newServers() *servers {
	return &servers{answers: map[int32]kernel.Response{
		web:      {Status: 200, Body: []byte("welcome")},
		broken:   {Status: 500, Body: []byte("no database")},
		silent:   {},
		moved:    {Status: 302, Header: map[string]string{"Location": "http://example.org/"}},
		grpcUp:   grpc("0", "", "SERVING"),
		grpcDown: grpc("0", "", "NOT_SERVING"),
		grpcLess: grpc("12", "unknown service grpc.health.v1.Health", ""),
	}}
}

func get(port int, change func(*corev1.HTTPGetAction)) *corev1.Probe {
	action := &corev1.HTTPGetAction{Path: "/healthz?full=1", Port: intstr.FromInt(port), Scheme: corev1.URISchemeHTTP}
	if change != nil {
		change(action)
	}
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: action}}
}

func tcp(host string, port intstr.IntOrString) *corev1.Probe {
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Host: host, Port: port}}}
}

func health(port int32) *corev1.Probe {
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: port}}}
}

func target(s *servers) Target {
	return Target{IP: "10.244.0.7", Container: &corev1.Container{Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: web}}}, Servers: s}
}

// TestCheck: what each kind of probe finds, in upstream's words.
func TestCheck(t *testing.T) {
	const awaiting = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
	for name, tc := range map[string]struct {
		probe   *corev1.Probe
		want    probe.Result
		output  string
		err     string
		unheard bool // the server has not answered
	}{
		"http: 200":                  {get(web, nil), probe.Success, "welcome", "", false},
		"http: a port by its name":   {get(0, func(a *corev1.HTTPGetAction) { a.Port = intstr.FromString("http") }), probe.Success, "welcome", "", false},
		"http: a port without one":   {get(0, func(a *corev1.HTTPGetAction) { a.Port = intstr.FromString("nosuch") }), probe.Unknown, "", `port "nosuch" not found`, false},
		"http: 500":                  {get(broken, nil), probe.Failure, "HTTP probe failed with statuscode: 500", "", false},
		"http: a redirect elsewhere": {get(moved, nil), probe.Warning, "Probe terminated redirects, Response body: ", "", false},
		"http: nobody listens":       {get(80, nil), probe.Failure, `Get "http://10.244.0.7:80/healthz?full=1": dial tcp 10.244.0.7:80: connect: connection refused`, "", false},
		"http: no answer":            {get(silent, nil), probe.Failure, `Get "http://10.244.0.7:8082/healthz?full=1": ` + awaiting, "", true},
		"http: another host":         {get(web, func(a *corev1.HTTPGetAction) { a.Host = "10.0.0.1" }), probe.Failure, `Get "http://10.0.0.1:8080/healthz?full=1": dial tcp 10.0.0.1:8080: connect: connection refused`, "", false},
		"https: an http server":      {get(web, func(a *corev1.HTTPGetAction) { a.Scheme = corev1.URISchemeHTTPS }), probe.Failure, `Get "https://10.244.0.7:8080/healthz?full=1": http: server gave HTTP response to HTTPS client`, "", false},
		"tcp: somebody listens":      {tcp("", intstr.FromInt(web)), probe.Success, "", "", false},
		"tcp: a port by its name":    {tcp("", intstr.FromString("http")), probe.Success, "", "", false},
		"tcp: nobody listens":        {tcp("", intstr.FromInt(80)), probe.Failure, "dial tcp 10.244.0.7:80: connect: connection refused", "", false},
		"tcp: another host":          {tcp("10.0.0.1", intstr.FromInt(web)), probe.Failure, "dial tcp 10.0.0.1:8080: connect: connection refused", "", false},
		"tcp: no such port":          {tcp("", intstr.FromString("nosuch")), probe.Unknown, "", `port "nosuch" not found`, false},
		"grpc: it serves":            {health(grpcUp), probe.Success, "", "", false},
		"grpc: it does not serve":    {health(grpcDown), probe.Failure, `service unhealthy (responded with "NOT_SERVING")`, "", false},
		"grpc: it has no health":     {health(grpcLess), probe.Failure, "error: health rpc probe failed: unknown service grpc.health.v1.Health", "", false},
		"grpc: an http server":       {health(web), probe.Failure, `timeout: failed to connect service "10.244.0.7:8080" within 1s: context deadline exceeded`, "", true},
		"grpc: nobody listens":       {health(80), probe.Failure, `timeout: failed to connect service "10.244.0.7:80" within 1s: context deadline exceeded`, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			got, answered := target(newServers()).Check(tc.probe, time.Second, noon)
			if got.Result != tc.want || got.Output != tc.output || answered == tc.unheard {
				t.Errorf("got %q %q, answered %t\nwant %q %q, answered %t", got.Result, got.Output, answered, tc.want, tc.output, !tc.unheard)
			}
			if (got.Err == nil) != (tc.err == "") || got.Err != nil && got.Err.Error() != tc.err {
				t.Errorf("error %v, want %q", got.Err, tc.err)
			}
		})
	}
}

// TestWhatAServerIsAsked: path, host and headers are those of the action.
func TestWhatAServerIsAsked(t *testing.T) {
	s := newServers()
	action := &corev1.HTTPGetAction{Path: "/stop", Port: intstr.FromInt(web), Host: "", Scheme: corev1.URISchemeHTTP, HTTPHeaders: []corev1.HTTPHeader{{Name: "Host", Value: "example.org"}, {Name: "x-why", Value: "stop"}}}
	if outcome, _, err := target(s).Get(action, "lifecycle-handler", noon); err != nil || outcome != probe.Success {
		t.Fatal(outcome, err)
	}
	want := []kernel.Request{{Method: "GET", Path: "/stop", Host: "example.org", Header: map[string]string{
		"Accept": "*/*", "X-Why": "stop", "User-Agent": "kube-lifecycle-handler/",
	}}}
	for i := range s.asked {
		delete(s.asked[i].Header, "Host") // a server is told of it by Host
		agent := s.asked[i].Header["User-Agent"]
		if len(agent) > len("kube-lifecycle-handler/") { // the release follows
			s.asked[i].Header["User-Agent"] = agent[:len("kube-lifecycle-handler/")]
		}
	}
	if diff := cmp.Diff(want, s.asked, cmp.Comparer(func(a, b kernel.Request) bool {
		return a.Method == b.Method && a.Path == b.Path && a.Host == b.Host && cmp.Equal(a.Header, b.Header)
	})); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// TestAHookFailsOnlyWithoutAnAnswer: whatever status a server answers with is fine.
func TestAHookFailsOnlyWithoutAnAnswer(t *testing.T) {
	for port, want := range map[int]string{
		web: "", broken: "",
		80:     `Get "http://10.244.0.7:80/": dial tcp 10.244.0.7:80: connect: connection refused`,
		silent: `Get "http://10.244.0.7:8082/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
	} {
		action := &corev1.HTTPGetAction{Path: "/", Port: intstr.FromInt(port), Scheme: corev1.URISchemeHTTP}
		outcome, _, err := target(newServers()).Get(action, "lifecycle-handler", noon)
		if (err == nil) != (want == "") || err != nil && err.Error() != want || (outcome == probe.Success) != (err == nil) {
			t.Errorf("port %d: %s, %v, want %q", port, outcome, err, want)
		}
	}
}
