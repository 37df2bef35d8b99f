package program

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// webhookPod is a container that runs agnhost's webhooks, with who trusts it.
type webhookPod struct {
	t       *testing.T
	process *Process
	trust   *x509.CertPool
	now     time.Time
	stderr  strings.Builder
}

// certificateFor returns a certificate that signs itself, and its key, in PEM.
func certificateFor(t *testing.T, host string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: noon().Add(-time.Hour), NotAfter: noon().Add(time.Hour),
		DNSNames: []string{host}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw}))
}

func startWebhook(t *testing.T, command string) *webhookPod {
	t.Helper()
	certificate, key := certificateFor(t, "hook.default.svc")
	w := &webhookPod{t: t, trust: x509.NewCertPool(), now: noon()}
	w.trust.AppendCertsFromPEM([]byte(certificate))
	script := "printf '%s' \"$CERT\" > /c.pem; printf '%s' \"$KEY\" > /k.pem; exec /agnhost " + command + " --tls-cert-file=/c.pem --tls-private-key-file=/k.pem -v=2"
	spec := Spec{
		Image: "agnhost:2.66.1", Command: []string{"sh", "-c", script}, User: -1, Group: -1, Hostname: "hook-0",
		Env:    []string{"CERT=" + certificate, "KEY=" + key, "KUBERNETES_SERVICE_HOST=10.96.0.1", "KUBERNETES_SERVICE_PORT=443"},
		Output: func(c Chunk) { w.stderr.Write(c.Data) },
	}
	var err error
	if w.process, err = Start(spec, w.now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.process.Close)
	for w.process.m.Netns().Listener(443) == nil && !w.process.State().Exited && !w.process.State().WakeAt.IsZero() {
		w.now = w.process.State().WakeAt
		w.process.Resume(w.now)
	}
	if w.process.m.Netns().Listener(443) == nil {
		t.Fatalf("it does not listen: %s", w.stderr.String())
	}
	return w
}

// endConn is a client's connection, whose server answers at once or never.
type endConn struct {
	net.Conn
	end *kernel.End
	now *time.Time
	in  []byte
}

var errSilent = errors.New("no answer")

func (c *endConn) Write(b []byte) (int, error) {
	if !c.end.Send(append([]byte(nil), b...), *c.now) {
		return 0, net.ErrClosed
	}
	return len(b), nil
}

func (c *endConn) Read(b []byte) (int, error) {
	if len(c.in) == 0 {
		if due := c.end.Due(*c.now); !due.IsZero() {
			*c.now = due
		}
		data, closed := c.end.Take(*c.now)
		c.in = data
		switch {
		case len(data) == 0 && closed:
			return 0, io.EOF
		case len(data) == 0:
			return 0, errSilent
		}
	}
	n := copy(b, c.in)
	c.in = c.in[n:]
	return n, nil
}

func (w *webhookPod) dial() *endConn {
	w.t.Helper()
	end, err := w.process.m.Netns().Dial(443, netip.MustParseAddr("172.18.0.2"), w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { end.Close(w.now) })
	return &endConn{end: end, now: &w.now}
}

// post asks a webhook, over TLS with trust in pool.
func (w *webhookPod) post(pool *x509.CertPool, path, body string) (string, error) {
	conn := tls.Client(w.dial(), &tls.Config{RootCAs: pool, ServerName: "hook.default.svc", Time: func() time.Time { return w.now }})
	req, err := http.NewRequest(http.MethodPost, "https://hook.default.svc:443"+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	if err := req.Write(conn); err != nil {
		return "", err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		return "", err
	}
	answer, err := io.ReadAll(res.Body)
	return string(answer), errors.Join(err, res.Body.Close())
}

func question(group, resource, operation, object string) string {
	return `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u-1","resource":{"group":"` + group + `","version":"v1","resource":"` + resource +
		`"},"operation":"` + operation + `","object":` + object + `,"oldObject":` + object + `}}`
}

func TestAgnhostsWebhooks(t *testing.T) {
	w := startWebhook(t, "webhook")
	for name, tc := range map[string]struct {
		path, question string
		want           string // patch, reason or message
		allowed        bool
		took           time.Duration
	}{
		"deny":                     {"/always-deny", question("", "pods", "CREATE", `{}`), "this webhook denies all requests", false, 0},
		"allow after five seconds": {"/always-allow-delay-5s?timeout=10s", question("", "pods", "CREATE", `{}`), "this webhook allows all requests", true, 5 * time.Second},
		"label":                    {"/add-label", question("", "pods", "CREATE", `{"metadata":{"labels":{"a":"b"}}}`), `[{"op": "add", "path": "/metadata/labels/added-label", "value": "yes"}]`, true, 0},
		"a Pod":                    {"/pods", question("", "pods", "CREATE", `{"metadata":{"labels":{"webhook-e2e-test":"webhook-disallow"}}}`), "the pod contains unwanted label;", false, 0},
		"a large Pod":              {"/pods", question("", "pods", "CREATE", `{"metadata":{"annotations":{"a":"`+strings.Repeat("x", 1<<20)+`"}}}`), "", true, 0},
		"a ConfigMap":              {"/configmaps", question("", "configmaps", "UPDATE", `{"data":{"webhook-e2e-test":"webhook-disallow"}}`), "the configmap contains unwanted key and value", false, 0},
		"a ConfigMap that stays":   {"/configmaps", question("", "configmaps", "DELETE", `{"data":{"webhook-e2e-test":"webhook-nondeletable"}}`), "the configmap cannot be deleted because it contains unwanted key and value", false, 0},
		"a second stage":           {"/mutating-custom-resource", question("x.io", "foos", "CREATE", `{"data":{"mutation-start":"yes","mutation-stage-1":"yes"}}`), `[{"op": "add", "path": "/data/mutation-stage-2", "value": "yes"}]`, true, 0},
		"a definition":             {"/crd", question("apiextensions.k8s.io", "customresourcedefinitions", "CREATE", `{"metadata":{"labels":{"webhook-e2e-test":"webhook-disallow"}}}`), "the crd contains unwanted label", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			before := w.now
			body, err := w.post(w.trust, tc.path, tc.question)
			if err != nil {
				t.Fatal(err)
			}
			var got admissionv1.AdmissionReview
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("%v in %q", err, body)
			}
			said := string(got.Response.Patch)
			if r := got.Response.Result; r != nil {
				said += r.Message + string(r.Reason)
			}
			if got.Response.UID != "u-1" || got.Response.Allowed != tc.allowed || said != tc.want || w.now.Sub(before) != tc.took {
				t.Errorf("after %s: %s\nwant allowed %t after %s, %q", w.now.Sub(before), body, tc.allowed, tc.took, tc.want)
			}
		})
	}
	if _, err := w.post(w.trust, "/pods", question("", "pods", "CREATE", `{"metadata":{"labels":{"webhook-e2e-test":"wait-forever"}}}`)); !errors.Is(err, errSilent) {
		t.Errorf("wait-forever: got %v, want no answer", err)
	}
	if log := w.stderr.String(); !strings.Contains(log, "alwaysdeny.go:27] calling always-deny\n") {
		t.Errorf("the log does not tell of the requests:\n%s", log)
	}
}

func TestAgnhostsWebhooksSpeakTLSAlone(t *testing.T) {
	w := startWebhook(t, "webhook")
	_, err := w.post(x509.NewCertPool(), "/pods", question("", "pods", "CREATE", `{}`))
	if err == nil || !strings.Contains(err.Error(), "x509: certificate signed by unknown authority") {
		t.Errorf("a client that does not trust it: got %v", err)
	}
	if log := w.stderr.String(); !strings.Contains(log, "http: TLS handshake error from 172.18.0.2:40000: remote error: tls: bad certificate\n") {
		t.Errorf("log:\n%s", log)
	}
	plain := w.dial()
	if _, err := plain.Write([]byte("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(plain)
	if want := "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"; err != nil || string(answer) != want {
		t.Errorf("without TLS: got %q, %v; want %q", answer, err, want)
	}
	for secure, want := range map[bool]int{true: http.StatusOK, false: http.StatusBadRequest} {
		if res, _ := w.process.Serve(443, kernel.Request{Method: http.MethodGet, Path: "/readyz", Secure: secure}, w.now); res.Status != want || !res.Secure {
			t.Errorf("a probe, with TLS %t: got %d, want %d", secure, res.Status, want)
		}
	}
	got := runFor(t, Spec{Image: "agnhost:2.66.1", Args: []string{"webhook", "--tls-cert-file=/nosuch"}, User: -1, Group: -1}, time.Minute)
	if got.code != 255 || !strings.HasSuffix(got.stderr, "config.go:34] open /nosuch: no such file or directory\n") {
		t.Errorf("without a certificate: exit code %d, %q", got.code, got.stderr)
	}
}

func TestAgnhostsConversionWebhook(t *testing.T) {
	w := startWebhook(t, "crd-conversion-webhook")
	got, err := w.post(w.trust, "/crdconvert", `{"kind":"ConversionReview","apiVersion":"apiextensions.k8s.io/v1","request":{"uid":"u-2","desiredAPIVersion":"stable.example.com/v2",`+
		`"objects":[{"apiVersion":"stable.example.com/v1","kind":"E2e","metadata":{"name":"a"},"hostPort":"localhost:8080"}]}}`)
	if err != nil || !strings.Contains(got, `"host":"localhost"`) || !strings.Contains(got, `"port":"8080"`) || !strings.Contains(got, `"uid":"u-2"`) {
		t.Errorf("got %s, %v", got, err)
	}
}
