package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	certutil "k8s.io/client-go/util/cert"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"k8s.io/utils/ptr"
)

// extension is an API server beside the cluster, with one resource.
type extension struct {
	*httptest.Server
	ca []byte
	// answers is what it answers with; zero is 200.
	answers atomic.Int32
}

// newExtension starts one, which trusts who comes with a certificate of the authority.
func newExtension(t *testing.T, authority []byte) *extension {
	t.Helper()
	ca, key, err := certutil.GenerateSelfSignedCertKey("widgets.default.svc", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(ca, key)
	if err != nil {
		t.Fatal(err)
	}
	proxies := x509.NewCertPool()
	proxies.AppendCertsFromPEM(authority)
	e := &extension{ca: ca}
	e.Server = httptest.NewUnstartedServer(e)
	e.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, ClientCAs: proxies, ClientAuth: tls.RequireAndVerifyClientCert}
	e.StartTLS()
	t.Cleanup(e.Close)
	return e
}

func (e *extension) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if status := e.answers.Load(); status != 0 {
		w.WriteHeader(int(status))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	var answer any
	switch {
	case req.TLS.PeerCertificates[0].Subject.CommonName != "front-proxy-client":
		w.WriteHeader(http.StatusUnauthorized)
	case req.URL.Path == "/apis/widgets.example.com/v1":
		answer = metav1.APIResourceList{
			TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: "widgets.example.com/v1",
			APIResources: []metav1.APIResource{{Name: "widgets", SingularName: "widget", Kind: "Widget", Namespaced: true, Verbs: metav1.Verbs{"get", "list", "create"}}},
		}
	case req.Method == http.MethodGet:
		answer = map[string]any{
			"kind": "WidgetList", "apiVersion": "widgets.example.com/v1",
			"items": []any{map[string]any{"kind": "Widget", "apiVersion": "widgets.example.com/v1", "metadata": map[string]any{"name": req.Header.Get("X-Remote-User"), "namespace": "default"}}},
		}
	default:
		body, _ := io.ReadAll(req.Body)
		_, _ = w.Write(body) // as a server that has created it
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// TestAnAPIServerBesideTheCluster: an APIService leads to it by a Service of type
// ExternalName. Its condition says whether it answers, clients discover its resources,
// and their requests reach it in their name.
func TestAnAPIServerBesideTheCluster(t *testing.T) {
	t.Parallel()
	flags := []string{"--clock", "manual", "--nodes", "0", "--data-dir", t.TempDir()}
	s := newServer(t, flags...)
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	e, cache := newExtension(t, config.CAData), t.TempDir()
	port := e.Listener.Addr().(*net.TCPAddr).Port
	applyObject(t, s, &apiregistrationv1.APIService{
		TypeMeta: metav1.TypeMeta{APIVersion: "apiregistration.k8s.io/v1", Kind: "APIService"}, ObjectMeta: metav1.ObjectMeta{Name: "v1.widgets.example.com"},
		Spec: apiregistrationv1.APIServiceSpec{
			Group: "widgets.example.com", Version: "v1", GroupPriorityMinimum: 100, VersionPriority: 10, CABundle: e.ca,
			Service: &apiregistrationv1.ServiceReference{Namespace: "default", Name: "widgets", Port: ptr.To(int32(port))},
		},
	})
	available := func(want string) {
		t.Helper()
		got := s.output(t, "kubectl", "--cache-dir", cache, "get", "apiservice", "v1.widgets.example.com", "-o", `jsonpath={range .status.conditions[*]}{.type} {.status} {.reason} {.message}{end}`)
		if !strings.HasPrefix(got, want) {
			t.Errorf("the condition is\n%s, want\n%s", got, want)
		}
	}
	available(`Available False ServiceNotFound service/widgets in "default" is not present`)
	if got, want := s.output(t, "kubectl", "get", "configmap", "-n", "kube-system", "extension-apiserver-authentication", "-o",
		`jsonpath={.data.requestheader-allowed-names} {.data.requestheader-username-headers} {.data.requestheader-client-ca-file}`),
		`["front-proxy-client"] ["X-Remote-User"] `+string(config.CAData); got != want {
		t.Errorf("servers beside the cluster may trust\n%s, want\n%s", got, want)
	}
	if got := s.fails(t, "get", "--raw", "/apis/widgets.example.com/v1"); !strings.Contains(got, "service unavailable") && !strings.Contains(got, "ServiceUnavailable") {
		t.Errorf("before it is available: %s", got)
	}

	service := &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: metav1.ObjectMeta{Name: "widgets", Namespace: "default"},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"},
	}
	e.answers.Store(http.StatusTeapot)
	applyObject(t, s, service)
	url := fmt.Sprintf("https://localhost:%d/apis/widgets.example.com/v1", port)
	available("Available False FailedDiscoveryCheck failing or missing response from " + url + ": bad status from " + url + ": 418")
	e.answers.Store(0)
	s.clock(t, "advance", "1m")
	available("Available True Passed all checks passed")

	if got := s.output(t, "kubectl", "--cache-dir", cache, "get", "apiservice", "v1.widgets.example.com", "--no-headers"); !strings.Contains(got, "default/widgets") || !strings.Contains(got, "True") {
		t.Errorf("kubectl shows %q", got)
	}
	if got := s.output(t, "kubectl", "--cache-dir", cache, "api-resources", "--api-group=widgets.example.com", "--no-headers", "-o", "name"); got != "widgets.widgets.example.com\n" {
		t.Errorf("the resources are %q", got)
	}

	// A server that starts again asks again.
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	s = newServer(t, flags...)
	s.kubectl(t, "", "create", "clusterrole", "widgets", "--verb=list", "--resource=widgets.widgets.example.com")
	s.kubectl(t, "", "create", "clusterrolebinding", "jane", "--clusterrole=widgets", "--user=jane")
	if got := s.output(t, "kubectl", "--cache-dir", cache, "get", "widgets", "--as=jane", "-o", "name"); got != "widget.widgets.example.com/jane\n" {
		t.Errorf("the server beside has seen %q, want jane", got)
	}
	if got := s.fails(t, "get", "widgets", "--as=john"); !strings.Contains(got, `User "john" cannot list resource "widgets" in API group "widgets.example.com"`) {
		t.Errorf("john is told %s", got)
	}
	s.kubectl(t, `{"apiVersion": "widgets.example.com/v1", "kind": "Widget", "metadata": {"name": "a"}}`, "create", "--validate=false", "-f", "-")

	// A server that no longer answers is found out at the next look.
	e.CloseClientConnections()
	e.answers.Store(http.StatusInternalServerError)
	s.clock(t, "advance", "30s")
	available("Available False FailedDiscoveryCheck")
	s.kubectl(t, "", "delete", "apiservice", "v1.widgets.example.com")
	if got := s.output(t, "kubectl", "--cache-dir", cache, "api-resources", "--api-group=widgets.example.com", "--no-headers"); got != "" {
		t.Errorf("after its APIService is gone, its resources are %q", got)
	}
}

func applyObject(t *testing.T, s *server, object any) {
	t.Helper()
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	s.kubectl(t, string(text), "apply", "--server-side", "-f", "-")
}

// fails is what kubectl says when it fails.
func (s *server) fails(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "kubectl", append([]string{"--kubeconfig", s.kubeconfig, "--cache-dir", t.TempDir()}, args...)...).CombinedOutput()
	if err == nil {
		t.Fatalf("kubectl %v succeeds: %s", args, out)
	}
	return string(out)
}
