package testcluster

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
)

// answers says what webhooks answer, by path.
type answers map[string]func(*admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse

// outside is a server of webhooks beside the cluster.
type outside struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
	// credentials are the Authorization headers of the questions.
	credentials []string
}

func newOutside(t *testing.T, say answers) *outside {
	t.Helper()
	o := &outside{}
	o.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(req.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		asked := review.Request
		o.mu.Lock()
		o.asked = append(o.asked, fmt.Sprintf("%s %s %s/%s %s/%s by %s as %s", req.URL.Path, asked.Operation, asked.Resource.Resource, asked.SubResource,
			asked.Namespace, asked.Name, asked.UserInfo.Username, asked.UID))
		o.credentials = append(o.credentials, req.Header.Get("Authorization"))
		o.mu.Unlock()
		review.Response = say[req.URL.Path](asked)
		if review.Response.UID == "" {
			review.Response.UID = asked.UID
		}
		review.Request = nil
		if err := json.NewEncoder(w).Encode(review); err != nil {
			t.Error(err)
		}
	}))
	o.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that trust another CA
	o.StartTLS()
	t.Cleanup(o.Close)
	return o
}

// about returns what the webhooks were asked whose questions contain text.
func (o *outside) about(text string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var found []string
	for _, question := range o.asked {
		if strings.Contains(question, text) {
			found = append(found, question)
		}
	}
	return found
}

func (o *outside) client(path string) admissionregistrationv1.WebhookClientConfig {
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: o.Certificate().Raw})
	return admissionregistrationv1.WebhookClientConfig{URL: ptr.To(o.URL + path), CABundle: ca}
}

func allow(*admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	return &admissionv1.AdmissionResponse{Allowed: true}
}

func refuse(why string) func(*admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	return func(*admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
		return &admissionv1.AdmissionResponse{Result: &metav1.Status{Message: why}}
	}
}

// patch answers with a JSON patch, unless the object already has text in it.
func patch(unless, text string) func(*admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	return func(asked *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
		answer := &admissionv1.AdmissionResponse{Allowed: true}
		if unless == "" || !strings.Contains(string(asked.Object.Raw), unless) {
			answer.Patch, answer.PatchType = []byte(text), ptr.To(admissionv1.PatchTypeJSONPatch)
		}
		return answer
	}
}

// on returns rules for one resource.
func on(group, resource string, operations ...admissionregistrationv1.OperationType) []admissionregistrationv1.RuleWithOperations {
	return []admissionregistrationv1.RuleWithOperations{{
		Operations: operations,
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{group}, APIVersions: []string{"v1"}, Resources: []string{resource}},
	}}
}

func validating(name, resource string, client admissionregistrationv1.WebhookClientConfig) admissionregistrationv1.ValidatingWebhook {
	return admissionregistrationv1.ValidatingWebhook{
		Name: name, ClientConfig: client, SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
		Rules: on("", resource, admissionregistrationv1.Create, admissionregistrationv1.Update, admissionregistrationv1.Delete),
	}
}

func (c *Cluster) validate(t *testing.T, name string, hooks ...admissionregistrationv1.ValidatingWebhook) {
	t.Helper()
	_, err := c.Client().AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(t.Context(),
		&admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: name}, Webhooks: hooks}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func (c *Cluster) mutate(t *testing.T, name string, hooks ...admissionregistrationv1.MutatingWebhook) {
	t.Helper()
	_, err := c.Client().AdmissionregistrationV1().MutatingWebhookConfigurations().Create(t.Context(),
		&admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: name}, Webhooks: hooks}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// put creates a ConfigMap.
func (c *Cluster) put(t *testing.T, name string, dryRun ...string) error {
	t.Helper()
	_, err := c.Client().CoreV1().ConfigMaps("default").Create(t.Context(),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"name": name}}}, metav1.CreateOptions{DryRun: dryRun})
	return err
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("the error is\n%v, want\n%s", err, want)
	}
}

// TestAWebhookChangesWhatControllersWrite: the Pods of a Job, and their statuses, on the
// next write after the configuration's.
func TestAWebhookChangesWhatControllersWrite(t *testing.T) {
	t.Parallel()
	var logs [2]string
	for i := range logs {
		o := newOutside(t, answers{"/mutate": patch("", `[{"op":"add","path":"/metadata/labels/seen","value":"yes"}]`), "/status": allow})
		c := Start(t, Config{Seed: 5, Mode: Auto})
		c.mutate(t, "labels", admissionregistrationv1.MutatingWebhook{
			Name: "labels.example.com", ClientConfig: o.client("/mutate"), SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone),
			AdmissionReviewVersions: []string{"v1"}, Rules: on("", "pods", admissionregistrationv1.Create),
		})
		c.validate(t, "statuses", validating("statuses.example.com", "pods/status", o.client("/status")))
		c.Apply(retried)
		if err := ended(t, c, "retried", batchv1.JobFailed)(); err != nil {
			t.Error(err)
		}
		pods, err := c.Client().CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{LabelSelector: "seen=yes"})
		if err != nil || len(pods.Items) != 3 {
			t.Errorf("%d Pods have the webhook's label (%v), want 3", len(pods.Items), err)
		}
		if made := o.about("by system:serviceaccount:kube-system:job-controller"); len(made) != 3 {
			t.Errorf("the webhook was asked about the Job's Pods with %v, want 3 questions", made)
		}
		if len(o.about("/status UPDATE pods/status")) < 3 {
			t.Errorf("the kubelet's statuses were not seen: %v", o.asked)
		}
		logs[i] = strings.Join(o.asked, "\n") + c.EventLog() + c.Timeline()
	}
	if logs[0] != logs[1] {
		t.Errorf("two runs with one seed differ:\n%s\n%s", logs[0], logs[1])
	}
}

func TestAWebhookRefuses(t *testing.T) {
	t.Parallel()
	o := newOutside(t, answers{"/a": refuse("a says no"), "/b": refuse("b says no"), "/c": func(*admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
		return &admissionv1.AdmissionResponse{UID: "other", Allowed: true}
	}})
	c := Start(t, Config{Seed: 5, Mode: Auto})
	c.validate(t, "z", validating("z.example.com", "configmaps", o.client("/b")))
	c.validate(t, "a", validating("a.example.com", "configmaps", o.client("/a")))
	wantError(t, c.put(t, "x"), `admission webhook "a.example.com" denied the request: a says no`)
	if asked := o.about("default/x"); len(asked) != 2 || !strings.HasPrefix(asked[0], "/a ") {
		t.Errorf("asked were %v, want /a and then /b", asked)
	}
	configurations := c.Client().AdmissionregistrationV1().ValidatingWebhookConfigurations()
	for _, name := range []string{"a", "z"} {
		if err := configurations.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.put(t, "x"); err != nil {
		t.Errorf("the webhooks are gone, but: %v", err)
	}
	c.validate(t, "c", validating("c.example.com", "configmaps", o.client("/c")))
	err := c.put(t, "y")
	question := o.about("/c ")[0]
	wantError(t, err, fmt.Sprintf(`Internal error occurred: failed calling webhook "c.example.com": received invalid webhook response: expected response.uid=%q, got "other"`,
		question[strings.LastIndex(question, " ")+1:]))
}

// TestWebhooksThatCannotBeAsked gives upstream's errors.
func TestWebhooksThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	o := newOutside(t, answers{"/": allow})
	c := Start(t, Config{Seed: 5, Mode: Auto})
	service := func(name string) admissionregistrationv1.WebhookClientConfig {
		return admissionregistrationv1.WebhookClientConfig{Service: &admissionregistrationv1.ServiceReference{Namespace: "default", Name: name}}
	}
	c.Apply("apiVersion: v1\nkind: Service\nmetadata: {name: empty}\nspec: {clusterIP: 10.96.0.99, ports: [{port: 443}]}")
	unknown := o.client("/")
	unknown.CABundle = nil
	for name, tc := range map[string]struct {
		client admissionregistrationv1.WebhookClientConfig
		want   string
	}{
		"nobody listens":     {admissionregistrationv1.WebhookClientConfig{URL: ptr.To("https://127.0.0.1:1/x")}, `Post "https://127.0.0.1:1/x?timeout=10s": dial tcp 127.0.0.1:1: connect: connection refused`},
		"an unknown CA":      {unknown, fmt.Sprintf(`Post "%s/?timeout=10s": tls: failed to verify certificate: x509: certificate signed by unknown authority`, o.URL)},
		"no such Service":    {service("none"), `Post "https://none.default.svc:443/?timeout=10s": service "none" not found`},
		"a Service is empty": {service("empty"), `Post "https://empty.default.svc:443/?timeout=10s": dial tcp 10.96.0.99:443: connect: connection refused`},
	} {
		hook := validating("x.example.com", "configmaps", tc.client)
		c.validate(t, "x", hook)
		t.Log(name)
		wantError(t, c.put(t, "x"), `Internal error occurred: failed calling webhook "x.example.com": failed to call webhook: `+tc.want)
		configurations := c.Client().AdmissionregistrationV1().ValidatingWebhookConfigurations()
		if err := configurations.Delete(t.Context(), "x", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		hook.FailurePolicy = ptr.To(admissionregistrationv1.Ignore)
		c.validate(t, "x", hook)
		if err := c.put(t, "x", metav1.DryRunAll); err != nil {
			t.Errorf("%s, which is to be ignored, but: %v", name, err)
		}
		if err := configurations.Delete(t.Context(), "x", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAWebhookThatDoesNotAnswer: the wait is wall time, and virtual time stands still.
func TestAWebhookThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	released := make(chan struct{})
	o := newOutside(t, answers{"/": func(asked *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
		<-released
		return allow(asked)
	}})
	defer close(released)
	c := Start(t, Config{Seed: 5, Mode: Auto})
	hook := validating("x.example.com", "configmaps", o.client("/"))
	hook.TimeoutSeconds = ptr.To[int32](1)
	c.validate(t, "x", hook)
	before := c.Now()
	wantError(t, c.put(t, "x"), fmt.Sprintf(`Internal error occurred: failed calling webhook "x.example.com": failed to call webhook: Post "%s/?timeout=1s": context deadline exceeded`, o.URL))
	if now := c.Now(); !now.Equal(before) {
		t.Errorf("virtual time went from %s to %s", before, now)
	}
}

func TestWhichRequestsConcernAWebhook(t *testing.T) {
	t.Parallel()
	o := newOutside(t, answers{"/object": allow, "/namespace": allow, "/condition": allow, "/equivalent": allow})
	c := Start(t, Config{Seed: 5, Mode: Auto})
	object := validating("o.example.com", "configmaps", o.client("/object"))
	object.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"name": "one"}}
	namespace := validating("n.example.com", "configmaps", o.client("/namespace"))
	namespace.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "a"}}
	condition := validating("c.example.com", "configmaps", o.client("/condition"))
	condition.MatchConditions = []admissionregistrationv1.MatchCondition{{Name: "two", Expression: `object.metadata.name == "two"`}}
	equivalent := validating("e.example.com", "events", o.client("/equivalent"))
	equivalent.Rules = on("events.k8s.io", "events", admissionregistrationv1.Create)
	c.validate(t, "all", object, namespace, condition, equivalent)
	for _, name := range []string{"one", "two", "three"} {
		if err := c.put(t, name); err != nil {
			t.Error(err)
		}
	}
	event := &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: "e"}, InvolvedObject: corev1.ObjectReference{Namespace: "default"}}
	if _, err := c.Client().CoreV1().Events("default").Create(t.Context(), event, metav1.CreateOptions{}); err != nil || len(o.about("/equivalent CREATE events/ default/e")) != 1 {
		t.Errorf("a webhook for events.k8s.io was asked %v about an Event of core/v1 (%v)", o.about("/equivalent"), err)
	}
	for path, want := range map[string]string{"/object": "default/one", "/condition": "default/two", "/namespace": ""} {
		asked := o.about(path + " ")
		if want == "" && len(asked) > 0 || want != "" && (len(asked) != 1 || !strings.Contains(asked[0], want+" ")) {
			t.Errorf("%s was asked about %v, want %q", path, asked, want)
		}
	}
	namespaces := c.Client().CoreV1().Namespaces()
	if _, err := namespaces.Patch(t.Context(), "default", "application/merge-patch+json", []byte(`{"metadata":{"labels":{"team":"a"}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.put(t, "four"); err != nil || len(o.about("/namespace ")) != 1 {
		t.Errorf("after the label, the webhook was asked %v (%v), want once", o.about("/namespace "), err)
	}
}

func TestDryRunAndWarnings(t *testing.T) {
	t.Parallel()
	o := newOutside(t, answers{"/": func(asked *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
		return &admissionv1.AdmissionResponse{Allowed: true, Warnings: []string{"mind the " + asked.Name}}
	}})
	c := Start(t, Config{Seed: 5, Mode: Auto})
	var heard warnings
	config := c.RESTConfig()
	config.WarningHandler = &heard
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	c.validate(t, "x", validating("x.example.com", "configmaps", o.client("/")))
	if _, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "gap"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if len(heard) != 1 || heard[0] != "mind the gap" {
		t.Errorf("the warnings are %q", heard)
	}
}

// warnings keeps what a server warns of.
type warnings []string

var _ rest.WarningHandler = (*warnings)(nil)

// HandleWarningHeader implements rest.WarningHandler.
func (w *warnings) HandleWarningHeader(_ int, _ string, text string) { *w = append(*w, text) }

// TestAWebhookIsAskedAgain: the first webhook sees what the second has added.
func TestAWebhookIsAskedAgain(t *testing.T) {
	t.Parallel()
	o := newOutside(t, answers{
		"/first":  patch("nothing", `[{"op":"add","path":"/data","value":{"first":"yes"}}]`),
		"/second": patch(`"second"`, `[{"op":"add","path":"/metadata/labels/second","value":"yes"}]`),
	})
	c := Start(t, Config{Seed: 5, Mode: Auto})
	hook := func(name, path string) admissionregistrationv1.MutatingWebhook {
		return admissionregistrationv1.MutatingWebhook{
			Name: name, ClientConfig: o.client(path), SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone),
			AdmissionReviewVersions: []string{"v1"}, Rules: on("", "configmaps", admissionregistrationv1.Create),
			ReinvocationPolicy: ptr.To(admissionregistrationv1.IfNeededReinvocationPolicy),
		}
	}
	c.mutate(t, "both", hook("first.example.com", "/first"), hook("second.example.com", "/second"))
	if err := c.put(t, "x"); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, question := range o.about("default/x") {
		path, _, _ := strings.Cut(question, " ")
		paths = append(paths, path)
	}
	if got := strings.Join(paths, " "); got != "/first /second /first" {
		t.Errorf("asked were %s", got)
	}
}

// TestAWebhookGetsCredentials: those that the kubeconfig of the plugin's configuration has
// for its host.
func TestAWebhookGetsCredentials(t *testing.T) {
	t.Parallel()
	yes := func(*admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
		return &admissionv1.AdmissionResponse{Allowed: true}
	}
	o := newOutside(t, answers{"/validate": yes})
	kubeconfig := filepath.Join(t.TempDir(), "webhooks")
	text := `{apiVersion: v1, kind: Config, users: [{name: "HOST", user: {token: mine}}, {name: other, user: {token: not mine}}]}`
	host, err := url.Parse(o.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kubeconfig, []byte(strings.Replace(text, "HOST", host.Host, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Start(t, Config{Seed: 5, Mode: Auto, AdmissionConfiguration: map[string]map[string]any{"ValidatingAdmissionWebhook": {
		"apiVersion": "apiserver.config.k8s.io/v1", "kind": "WebhookAdmissionConfiguration", "kubeConfigFile": kubeconfig,
	}}})
	hook := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "hook"}, Webhooks: []admissionregistrationv1.ValidatingWebhook{{
		Name: "hook.example.com", ClientConfig: o.client("/validate"), SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone),
		AdmissionReviewVersions: []string{"v1"}, Rules: []admissionregistrationv1.RuleWithOperations{{
			Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
			Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
		}},
	}}}
	if _, err := c.Client().AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(t.Context(), hook, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.fill(t, c.Client()); err != nil {
		t.Fatal(err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if got := strings.Join(o.credentials, "|"); got != "Bearer mine" {
		t.Errorf("the webhook was sent the credentials %q, want Bearer mine", got)
	}
}
