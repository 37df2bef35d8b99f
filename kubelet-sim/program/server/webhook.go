package server

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kubernetes/test/images/agnhost/crd-conversion-webhook/converter"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// webhook is agnhost's server of admission webhooks, or of a conversion webhook. Source:
// k8s.io/kubernetes test/images/agnhost/webhook and crd-conversion-webhook v1.37.2.
type webhook struct {
	p *kernel.Proc
	// sidecar is the image that /mutating-pods-sidecar adds.
	sidecar string
	// verbose says that requests are logged.
	verbose bool
}

// webhookServer runs agnhost's commands webhook and crd-conversion-webhook.
func webhookServer(p *kernel.Proc, command string) int {
	s := &webhook{p: p, verbose: flagInt(p.Args, "v", 0) >= 2}
	s.sidecar, _ = flagValue(p.Args, "sidecar-image")
	answer := s.admission
	if command == "crd-conversion-webhook" {
		if p.Getenv("KUBERNETES_SERVICE_HOST") == "" || p.Getenv("KUBERNETES_SERVICE_PORT") == "" {
			return s.fatal("unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined")
		}
		answer = s.conversion
	}
	certificate, err := s.certificate()
	if err != nil {
		return s.fatal(err.Error())
	}
	port := flagInt(p.Args, "port", 443)
	if !p.ListenTLS(int32(port), certificate, answer, s.handshakeFailed) {
		errf(p, "panic: listen tcp :%d: bind: address already in use\n", port)
		return 2
	}
	return goServer(p)
}

// keyPairMax bounds a file of certificates or a key. Unit: bytes.
const keyPairMax = 1 << 20

// certificate reads the files that the flags name.
func (s *webhook) certificate() (tls.Certificate, error) {
	var pair [2][]byte
	for i, flag := range [...]string{"tls-cert-file", "tls-private-key-file"} {
		name, _ := flagValue(s.p.Args, flag)
		data, err := s.p.ReadFile(name, keyPairMax)
		if err != nil {
			return tls.Certificate{}, fmt.Errorf("open %s: %s", name, goError(err))
		}
		pair[i] = data
	}
	return tls.X509KeyPair(pair[0], pair[1])
}

// fatal ends the program as klog's Fatal does, without the stacks of goroutines.
func (s *webhook) fatal(text string) int {
	s.log('F', "config.go:34", text)
	return 255
}

// log writes a line as klog does.
func (s *webhook) log(severity rune, where, text string) {
	s.p.FD(2).WriteNow(s.p, fmt.Sprintf("%c%s %7d %s] %s\n", severity, s.p.Now().UTC().Format("0102 15:04:05.000000"), s.p.PID, where, strings.TrimSuffix(text, "\n")))
}

// tell is klog.V(2).Info.
func (s *webhook) tell(where, text string) {
	if s.verbose {
		s.log('I', where, text)
	}
}

// handshakeFailed writes what net/http does. Nobody models the client's port.
func (s *webhook) handshakeFailed(from netip.Addr, err error) {
	s.p.FD(2).WriteNow(s.p, fmt.Sprintf("%s http: TLS handshake error from %s:40000: %v\n", s.p.Now().UTC().Format("2006/01/02 15:04:05"), from, err))
}

// text is an answer as http.Error gives it.
func text(status int, body string) kernel.Response {
	return kernel.Response{Status: status, Header: map[string]string{"Content-Type": "text/plain; charset=utf-8"}, Body: []byte(body)}
}

// admission answers as the command webhook.
func (s *webhook) admission(req kernel.Request) kernel.Response {
	path, _, _ := strings.Cut(req.Path, "?")
	if path == "/readyz" {
		return text(http.StatusOK, "ok")
	}
	admit, ok := s.admitters()[path]
	if !ok {
		return text(http.StatusNotFound, "404 page not found\n")
	}
	if kind := req.Header["Content-Type"]; kind != "application/json" {
		s.log('E', "main.go:104", fmt.Sprintf("contentType=%s, expect application/json", kind))
		return kernel.Response{Status: http.StatusOK}
	}
	s.p.Owe(4 * len(req.Body)) // for decoding
	s.tell("main.go:108", "handling request: "+string(req.Body))
	review, err := decodeReview(req.Body)
	if err != nil {
		s.log('E', "main.go:114", err.Error())
		return text(http.StatusBadRequest, err.Error()+"\n")
	}
	verdict := admit(review.Request)
	if verdict.silent {
		return kernel.Response{}
	}
	if verdict.AdmissionResponse == nil { // upstream's handler panics, and net/http closes the connection
		return text(http.StatusInternalServerError, "")
	}
	verdict.UID = review.Request.UID
	answer := &admissionv1.AdmissionReview{TypeMeta: review.TypeMeta, Response: verdict.AdmissionResponse}
	s.tell("main.go:150", fmt.Sprintf("sending response: %v", answer))
	body, err := json.Marshal(answer)
	if err != nil {
		return text(http.StatusInternalServerError, err.Error()+"\n")
	}
	return kernel.Response{Status: http.StatusOK, Header: map[string]string{"Content-Type": "application/json"}, Body: body, After: verdict.after}
}

// decodeReview reads a question. The two versions of AdmissionReview have the same form.
func decodeReview(body []byte) (*admissionv1.AdmissionReview, error) {
	review := &admissionv1.AdmissionReview{}
	if err := json.Unmarshal(body, review); err != nil {
		return nil, fmt.Errorf("Request could not be decoded: %w", err) //nolint:staticcheck // upstream's words
	}
	gvk := schema.FromAPIVersionAndKind(review.APIVersion, review.Kind)
	if gvk.Group != admissionv1.GroupName || gvk.Kind != "AdmissionReview" || gvk.Version != "v1" && gvk.Version != "v1beta1" {
		return nil, fmt.Errorf("Unsupported group version kind: %v", gvk) //nolint:staticcheck // upstream's words
	}
	if review.Request == nil {
		return nil, errors.New("Request could not be decoded: it has no request") //nolint:staticcheck // as the others
	}
	return review, nil
}

// conversion answers as the command crd-conversion-webhook: upstream's converter does.
func (s *webhook) conversion(req kernel.Request) kernel.Response {
	path, _, _ := strings.Cut(req.Path, "?")
	switch path {
	case "/readyz":
		return text(http.StatusOK, "ok")
	case "/crdconvert":
	default:
		return text(http.StatusNotFound, "404 page not found\n")
	}
	s.p.Owe(4 * len(req.Body)) // for decoding
	s.tell("framework.go:134", "handling request: "+string(req.Body))
	request, err := http.NewRequest(req.Method, "https://localhost/crdconvert", bytes.NewReader(req.Body))
	if err != nil {
		return text(http.StatusBadRequest, "400 Bad Request")
	}
	for name, value := range req.Header {
		request.Header.Set(name, value)
	}
	answer := &answered{header: http.Header{}, status: http.StatusOK}
	converter.ServeExampleConvert(answer, request)
	s.tell("framework.go:196", "sending response: "+answer.body.String())
	res := kernel.Response{Status: answer.status, Header: map[string]string{}, Body: answer.body.Bytes()}
	for name := range answer.header {
		res.Header[name] = answer.header.Get(name)
	}
	return res
}

// answered keeps what a handler answers.
type answered struct {
	header http.Header
	status int
	body   bytes.Buffer
}

var _ http.ResponseWriter = (*answered)(nil)

// Header implements http.ResponseWriter.
func (a *answered) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answered) WriteHeader(status int) { a.status = status }

// Write implements http.ResponseWriter.
func (a *answered) Write(b []byte) (int, error) { return a.body.Write(b) }
