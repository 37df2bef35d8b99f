package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
)

// somebody is a user, and the rights that he was given: a ClusterRole, in the namespace
// mine if it is not for the whole cluster.
type somebody struct {
	name, role string
	groups     []string
	everywhere bool
}

// people are those who attack. Nobody has a certificate or a token.
func people() []somebody {
	return []somebody{
		{name: ""},
		{name: "stranger"},
		{name: "viewer", role: "view"},
		{name: "editor", role: "edit"},
		{name: "owner", role: "admin"},
		{name: "auditor", role: "view", everywhere: true},
		{name: "system:serviceaccount:mine:default", groups: []string{"system:serviceaccounts", "system:serviceaccounts:mine"}},
		{name: "system:node:node-1", groups: []string{"system:nodes"}},
		{name: "system:anonymous", groups: []string{"system:unauthenticated"}},
		{name: "kubernetes-admin"}, // by name alone
	}
}

// asked is a request, and who among the people may make it.
type asked struct {
	verb, path, body string
	may              []string
}

// questions are requests that most must not make.
func questions() []asked {
	const mine, other, system = "/api/v1/namespaces/mine", "/api/v1/namespaces/other", "/api/v1/namespaces/kube-system"
	const rbac = "/apis/rbac.authorization.k8s.io/v1"
	// The roles of the release: who may write may run Pods, and so read what these can mount.
	// Nodes have no rights here: nobody can be one.
	read, write := []string{"viewer", "editor", "owner", "auditor"}, []string{"editor", "owner"}
	pod := `{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"busybox"}]}}`
	admins := `{"metadata":{"name":"x"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"kind":"User","name":"stranger"}]}`
	rules := `{"metadata":{"name":"x"},"rules":[{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}]}`
	all := []asked{
		{"GET", mine + "/pods", "", read}, {"GET", mine + "/secrets", "", write}, {"GET", mine + "/secrets/s", "", write},
		{"GET", mine + "/configmaps", "", read}, {"POST", mine + "/configmaps", `{"metadata":{"generateName":"x-"}}`, write}, {"DELETE", mine + "/configmaps", "", write},
		{"POST", mine + "/pods", strings.Replace(pod, `"name":"p"`, `"generateName":"p-"`, 1), write}, {"DELETE", mine + "/pods/gone", "", write},
		{"GET", mine + "/pods/gone/log", "", read}, {"POST", mine + "/pods/gone/exec?command=env", "", write}, {"GET", mine + "/pods/gone/exec?command=env", "", write}, {"POST", mine + "/pods/gone/eviction", "{}", write},
		{"POST", mine + "/pods/gone/binding", "{}", nil}, {"PUT", mine + "/pods/gone/status", pod, nil}, {"POST", mine + "/serviceaccounts/default/token", "{}", write}, {"GET", mine + "/resourcequotas", "", read},
		{"DELETE", mine + "/resourcequotas", "", nil}, {"DELETE", mine + "/limitranges", "", nil}, {"DELETE", mine, "", nil}, {"PUT", mine + "/finalize", "{}", nil},
		{"GET", other + "/pods", "", []string{"auditor"}}, {"GET", other + "/secrets", "", nil}, {"POST", other + "/pods", pod, nil}, {"DELETE", other + "/pods/p", "", nil}, {"GET", other + "/pods/p/log", "", []string{"auditor"}}, {"POST", other + "/pods/p/exec?command=env", "", nil},
		{"GET", system + "/secrets", "", nil}, {"GET", system + "/configmaps", "", []string{"auditor"}}, {"POST", system + "/serviceaccounts/default/token", "{}", nil}, {"POST", system + "/pods", pod, nil}, {"DELETE", system + "/configmaps", "", nil},
		{"GET", "/api/v1/secrets", "", nil}, {"GET", "/api/v1/nodes", "", nil}, {"DELETE", "/api/v1/nodes/node-2", "", nil}, {"PATCH", "/api/v1/nodes/node-2", `{"spec":{"unschedulable":true}}`, nil}, {"GET", "/api/v1/nodes/node-1/proxy/", "", nil}, {"POST", "/api/v1/namespaces", `{"metadata":{"name":"x"}}`, nil},
		{"GET", "/api/v1/persistentvolumes", "", nil}, {"DELETE", "/api/v1/persistentvolumes", "", nil},
		{"POST", rbac + "/clusterrolebindings", admins, nil}, {"POST", rbac + "/namespaces/mine/rolebindings", admins, nil}, {"POST", rbac + "/namespaces/other/rolebindings", admins, nil}, {"POST", rbac + "/clusterroles", rules, nil}, {"POST", rbac + "/namespaces/mine/roles", rules, nil}, {"PATCH", rbac + "/clusterroles/view", rules, nil}, {"DELETE", rbac + "/clusterroles/view", "", nil}, {"GET", rbac + "/namespaces/mine/rolebindings", "", []string{"owner"}},
		{"POST", "/apis/apps/v1/namespaces/mine/deployments", "{}", write}, {"POST", "/apis/batch/v1/namespaces/mine/jobs", "{}", write}, {"DELETE", "/apis/batch/v1/namespaces/other/jobs", "", nil}, {"PUT", "/apis/batch/v1/namespaces/mine/jobs/gone/status", "{}", nil},
		{"GET", "/apis/storage.k8s.io/v1/storageclasses", "", nil}, {"DELETE", "/apis/storage.k8s.io/v1/storageclasses", "", nil}, {"DELETE", "/apis/scheduling.k8s.io/v1/priorityclasses", "", nil}, {"DELETE", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases", "", nil},
		{"POST", "/apis/certificates.k8s.io/v1/certificatesigningrequests", "{}", nil}, {"PUT", "/apis/certificates.k8s.io/v1/certificatesigningrequests/x/approval", "{}", nil}, {"POST", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", "{}", nil}, {"POST", "/apis/authentication.k8s.io/v1/tokenreviews", "{}", nil}, {"POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", "{}", nil},
		{"GET", "/metrics", "", nil}, {"GET", "/debug/pprof/", "", nil}, {"GET", "/logs/", "", nil}, {"GET", "/kubesim/history", "", nil}, {"POST", "/kubesim/history", "", nil}, {"GET", "/kubesim/explain", "", nil}, {"POST", "/kubesim/rewind", "", nil}, {"POST", "/kubesim/snapshots", "", nil}, {"GET", "/anything", "", nil},
	}
	const sim = "/apis/sim.kubesim.dev/v1alpha1"
	all = append(all,
		asked{"DELETE", sim + "/faults", "", nil}, asked{"POST", sim + "/faults", `{"metadata":{"name":"x"},"spec":{"drain":{},"nodes":"*"}}`, nil}, asked{"PATCH", sim + "/clocks/cluster", `{"spec":{"paused":true}}`, nil}, asked{"POST", sim + "/clocks/cluster/advance", "{}", nil},
		asked{"DELETE", "/apis/sim.kubesim.dev/v1alpha1/namespaces/other/podscripts", "", nil}, asked{"POST", "/apis/sim.kubesim.dev/v1alpha1/namespaces/other/podscripts", "{}", nil},
	)
	return all
}

// attackRights has people without the right make requests. Impersonation of somebody
// else is one more thing that they must not.
func attackRights(t *testing.T, a *assault) {
	s := newServer(t, "--ephemeral", "--nodes", "2", "--seed", "1")
	config := configOf(t, s)
	for _, ns := range []string{"mine", "other"} {
		s.kubectl(t, "", "create", "namespace", ns)
	}
	s.kubectl(t, "", "create", "secret", "generic", "s", "-n", "mine", "--from-literal=a=b")
	for _, p := range people() {
		switch {
		case p.role != "" && p.everywhere:
			s.kubectl(t, "", "create", "clusterrolebinding", p.name, "--clusterrole="+p.role, "--user="+p.name)
		case p.role != "":
			s.kubectl(t, "", "create", "rolebinding", p.name, "-n", "mine", "--clusterrole="+p.role, "--user="+p.name)
		}
	}
	for _, p := range people() {
		as := rest.CopyConfig(config)
		as.Impersonate = rest.ImpersonationConfig{UserName: p.name, Groups: p.groups}
		if p.name == "" {
			as = rest.AnonymousClientConfig(config)
		}
		client := httpClient(t, as)
		for _, q := range questions() {
			code, answer := sendRaw(t, client, q.verb, config.Host+q.path, "application/json", []byte(q.body), nil)
			refused := code == http.StatusForbidden && strings.Contains(answer, "forbidden") || code == http.StatusUnauthorized
			wrong := ""
			switch may := slices.Contains(q.may, p.name); {
			case !may && !refused:
				wrong = fmt.Sprintf("it was answered with %d: %.200s", code, answer)
			case may && refused:
				wrong = fmt.Sprintf("it was refused: %.200s", answer)
			}
			kind := "rights: requests to refuse"
			if slices.Contains(q.may, p.name) {
				kind = "rights: requests to allow"
			}
			a.judge(t, kind, fmt.Sprintf("%q: %s %s", p.name, q.verb, q.path), wrong)
		}
		if p.name == "" {
			continue
		}
		for _, other := range []http.Header{
			{"Impersonate-User": {"kubernetes-admin"}}, {"Impersonate-User": {p.name}, "Impersonate-Group": {"system:masters"}}, {"X-Remote-User": {"kubernetes-admin"}, "X-Remote-Group": {"system:masters"}}, {"Authorization": {"Bearer x"}}, {"Authorization": {"Basic YWRtaW46YWRtaW4="}},
		} {
			// Who impersonates already cannot once more: the header is sent beside a client
			// without any rights.
			code, answer := sendRaw(t, httpClient(t, rest.AnonymousClientConfig(config)), "GET", config.Host+"/api/v1/secrets", "", nil, other)
			wrong := ""
			if code != http.StatusForbidden && code != http.StatusUnauthorized {
				wrong = fmt.Sprintf("it was answered with %d: %.200s", code, answer)
			}
			a.judge(t, "rights: requests to refuse", fmt.Sprint(other), wrong)
		}
	}
}

// sendRaw sends a request and returns its answer's code and the beginning of its body;
// code 0 and the error for none.
func sendRaw(t *testing.T, client *http.Client, verb, url, contentType string, body []byte, header http.Header) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), verb, url, bytes.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if verb == http.MethodPatch && contentType == "application/json" {
		contentType = "application/merge-patch+json"
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return resp.StatusCode, err.Error()
	}
	return resp.StatusCode, string(data)
}
