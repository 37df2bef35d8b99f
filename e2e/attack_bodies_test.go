package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

// message is a request with a body that nobody should send.
type message struct {
	what, verb, path, contentType string
	body                          []byte
}

// Kinds of bodies.
const (
	asJSON     = "application/json"
	asYAML     = "application/yaml"
	asProtobuf = "application/vnd.kubernetes.protobuf"
	asCBOR     = "application/cbor"
	asPatch    = "application/json-patch+json"
	asMerge    = "application/merge-patch+json"
	asStrategy = "application/strategic-merge-patch+json"
	asApply    = "application/apply-patch+yaml"
)

// The sizes of bombs. Unit: bytes, or levels.
const (
	bombBytes  = 4 << 20
	bombLevels = 100_000
)

const (
	podsPath   = "/api/v1/namespaces/default/pods"
	targetPath = "/api/v1/namespaces/default/configmaps/target"
	jobsPath   = "/apis/batch/v1/namespaces/default/jobs"
	bundlePath = "/api/v1/namespaces/default/configmaps"
)

// bombs are bodies that take much more to read than to send.
func bombs() []message {
	deep := func(open, end string) []byte {
		return []byte(strings.Repeat(open, bombLevels) + strings.Repeat(end, bombLevels))
	}
	wide := func(head, item, tail string) []byte {
		return []byte(head + strings.Repeat(item+",", bombBytes/4/(len(item)+1)) + item + tail)
	}
	var laughs strings.Builder
	laughs.WriteString("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: lol}\na0: &a0 [lol]\n")
	for i := 1; i < 40; i++ {
		fmt.Fprintf(&laughs, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	all := []message{
		{"more than a request may have", "POST", bundlePath, asJSON, []byte(`{"metadata":{"name":"big"},"data":{"a":"` + strings.Repeat("x", bombBytes) + `"}}`)},
		{"deep lists", "POST", bundlePath, asJSON, deep("[", "]")},
		{"deep objects", "POST", podsPath, asJSON, deep(`{"a":`, "1}")},
		{"deep lists in a field", "POST", podsPath, asJSON, append(append([]byte(`{"metadata":{"name":"x"},"spec":`), deep("[", "]")...), '}')},
		{"deep YAML", "POST", bundlePath, asYAML, deep("[", "]")},
		{"deep block YAML", "POST", bundlePath, asYAML, []byte(strings.Repeat("- ", bombLevels) + "x")},
		{"YAML that doubles itself", "POST", bundlePath, asYAML, []byte(laughs.String())},
		{"YAML that has itself", "POST", bundlePath, asYAML, []byte("a: &a [*a]\nkind: ConfigMap\napiVersion: v1\n")},
		{"YAML merges", "POST", bundlePath, asYAML, []byte("a: &a {b: c}\nd: {<<: [" + strings.Repeat("*a, ", 20_000) + "*a]}\n")},
		{"wide lists", "POST", podsPath, asJSON, []byte(`{"metadata":{"name":"x"},"spec":{"containers":[` + strings.Repeat(`{"name":"c"},`, 2000) + `{"name":"c"}]}}`)},
		{"a negative exponent", "PATCH", podsPath + "/x", asMerge, []byte(`{"spec":{"containers":[{"name":"c","image":"x","resources":{"limits":{"memory":1e-999999999}}}]}}`)},
		{"an exponent in YAML", "POST", "/api/v1/namespaces/default/resourcequotas", asYAML, []byte("metadata: {name: x}\nspec: {hard: {cpu: '123456789123456789123e99999999'}}\n")},
		{"wide variables", "POST", podsPath, asJSON, wide(`{"metadata":{"name":"x"},"spec":{"containers":[{"name":"c","image":"busybox","env":[`, `{"name":"A","value":"$(A)$(A)"}`, `]}]}}`)},
		{"many tolerations", "POST", podsPath, asJSON, wide(`{"metadata":{"name":"x"},"spec":{"containers":[{"name":"c","image":"x"}],"tolerations":[`, `{"operator":"Exists"}`, `]}}`)},
		{"many owners", "POST", bundlePath, asJSON, wide(`{"metadata":{"name":"x","ownerReferences":[`, `{"apiVersion":"v1","kind":"Pod","name":"x","uid":"x"}`, `]}}`)},
		{"the same key again", "POST", bundlePath, asJSON, wide(`{`, `"metadata":{"name":"x"}`, `}`)},
		{"a number without end", "POST", jobsPath, asJSON, []byte(`{"metadata":{"name":"x"},"spec":{"completions":1` + strings.Repeat("0", 100_000) + `}}`)},
		{"an exponent", "POST", podsPath, asJSON, []byte(`{"metadata":{"name":"x"},"spec":{"containers":[{"name":"c","image":"x","resources":{"requests":{"cpu":"1e999999999"}}}]}}`)},
		{"a long quantity", "POST", podsPath, asJSON, []byte(`{"metadata":{"name":"x"},"spec":{"containers":[{"name":"c","image":"x","resources":{"requests":{"cpu":"` + strings.Repeat("9", 1<<20) + `"}}}]}}`)},
		{"copies of copies", "PATCH", targetPath, asPatch, copies(60)},
		{"more patches than may be", "PATCH", targetPath, asPatch, wide("[", `{"op":"add","path":"/data/a","value":"b"}`, "]")},
		{"a patch of a far index", "PATCH", targetPath, asPatch, []byte(`[{"op":"add","path":"/metadata/finalizers/2147483647","value":"x"}]`)},
		{"a patch of a deep path", "PATCH", targetPath, asPatch, []byte(`[{"op":"add","path":"` + strings.Repeat("/a", bombLevels) + `","value":"x"}]`)},
		{"a deep merge patch", "PATCH", targetPath, asMerge, deep(`{"data":`, "}")},
		{"a deep strategic patch", "PATCH", targetPath, asStrategy, deep(`{"metadata":`, "}")},
		{"directives", "PATCH", targetPath, asStrategy, []byte(`{"$patch":"replace","$retainKeys":["a"],"$setElementOrder/x":[1],"$deleteFromPrimitiveList/metadata":{"$patch":"delete"}}`)},
		{"a deep apply", "PATCH", targetPath + "?fieldManager=x", asApply, deep(`{"data":`, "}")},
		{"an apply that doubles itself", "PATCH", targetPath + "?fieldManager=x", asApply, []byte(laughs.String())},
		{"a schedule", "POST", "/apis/batch/v1/namespaces/default/cronjobs", asJSON, []byte(`{"metadata":{"name":"x"},"spec":{"schedule":"` + strings.Repeat("*,", 300_000) + `*"}}`)},
		{"a regexp of a selector", "GET", podsPath + "?labelSelector=" + strings.Repeat("a,", 4000) + "a", "", nil},
		{"a field selector", "GET", podsPath + "?fieldSelector=" + strings.Repeat("metadata.name=a,", 2000) + "spec.x=y", "", nil},
		{"a long continue token", "GET", podsPath + "?limit=1&continue=" + strings.Repeat("A", 30_000), "", nil},
		{"a CEL expression", "POST", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies", asJSON, []byte(`{"metadata":{"name":"x"},"spec":{"matchConstraints":{"resourceRules":[{"apiGroups":["*"],"apiVersions":["*"],"resources":["*"],"operations":["*"]}]},"validations":[{"expression":"` + strings.Repeat("(", 5000) + "true" + strings.Repeat(")", 5000) + `"}]}}`)},
		{"a schema that has itself", "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", asJSON, append(append([]byte(`{"metadata":{"name":"x.y.z"},"spec":{"versions":[{"schema":{"openAPIV3Schema":`), deep(`{"properties":{"a":`, `}}`)...), `}}]}}`...)},
	}
	oddities := map[string][]byte{
		"nothing": {}, "zero bytes": make([]byte, 1<<16), "0xff": bytes.Repeat([]byte{0xff}, 1<<16), "a length without end": {'k', '8', 's', 0, 0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"a length of 2 GB": {'k', '8', 's', 0, 0x12, 0xff, 0xff, 0xff, 0xff, 0x07}, "deep groups": append([]byte{'k', '8', 's', 0}, bytes.Repeat([]byte{0x0b}, bombLevels)...), "magic alone": {'k', '8', 's', 0},
		"a CBOR list without end": bytes.Repeat([]byte{0x9f}, bombLevels), "a CBOR length": {0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "invalid UTF-8": []byte("{\"metadata\":{\"name\":\"\xff\xfe\"}}"), "a null": []byte("null"), "a string": []byte(`"x"`), "a list": []byte("[]"), "two objects": []byte("{}{}"), "a byte order mark": []byte("\xef\xbb\xbf{}"),
	}
	for _, name := range sortedNames(oddities) {
		body := oddities[name]
		for _, contentType := range []string{asJSON, asYAML, asProtobuf, asCBOR, "text/html", "application/json; charset=utf-16", "multipart/form-data; boundary=x", "", "\t"} {
			all = append(all, message{name + " as " + contentType, "POST", podsPath, contentType, body})
		}
		for _, contentType := range []string{asPatch, asMerge, asStrategy, asApply, "application/apply-patch+cbor"} {
			all = append(all, message{name + " as " + contentType, "PATCH", targetPath + "?fieldManager=x", contentType, body})
		}
	}
	return all
}

// copies is a JSON patch whose n operations double what they have each time.
func copies(n int) []byte {
	ops := []string{`{"op":"add","path":"/metadata/annotations","value":{"a":{"b":"` + strings.Repeat("x", 1000) + `"}}}`}
	for range n {
		ops = append(ops, `{"op":"copy","from":"/metadata/annotations/a","path":"/metadata/annotations/a/a"}`, `{"op":"copy","from":"/metadata/annotations/a/a","path":"/metadata/annotations/a/b"}`)
	}
	return []byte("[" + strings.Join(ops, ",") + "]")
}

// mutants are good bodies with some bytes changed, cut out or said twice.
func mutants(t *testing.T, random *rand.Rand, n int) []message {
	t.Helper()
	pod := &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: metav1.ObjectMeta{GenerateName: "mutant-", Labels: map[string]string{"a": "b"}}}
	pod.Spec = thief(&canary{dir: "/tmp"}, "x", "busybox", "true").Spec
	good := map[string][]byte{}
	var err error
	if good[asJSON], err = json.Marshal(pod); err != nil {
		t.Fatal(err)
	}
	good[asYAML] = good[asJSON]
	var b bytes.Buffer
	if err := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Encode(pod, &b); err != nil {
		t.Fatal(err)
	}
	good[asProtobuf] = b.Bytes()
	var all []message
	for i := range n {
		contentType := []string{asJSON, asYAML, asProtobuf}[i%3]
		body := bytes.Clone(good[contentType])
		for range 1 + random.Intn(4) {
			at, long := random.Intn(len(body)), 1+random.Intn(20)
			end := min(at+long, len(body))
			switch random.Intn(4) {
			case 0:
				body[at] = byte(random.Intn(256))
			case 1:
				body = append(body[:at], body[end:]...)
			case 2:
				body = append(body[:end:end], append(bytes.Clone(body[at:end]), body[end:]...)...)
			case 3:
				body = append(body[:at:at], append([]byte(pick(random, "null", "{", "[", "-1", "1e999", "\x00", "\"", "\\u0000", "true", ": &a *a", "\xff")), body[at:]...)...)
			}
			if len(body) == 0 {
				break
			}
		}
		all = append(all, message{fmt.Sprintf("mutant %d", i), "POST", podsPath, contentType, body})
	}
	return all
}

func pick(random *rand.Rand, from ...string) string { return from[random.Intn(len(from))] }

// mutantsMax is how many mutants are sent at the largest scale.
const mutantsMax = 6000

// attackBodies sends what no client sends. Each is answered as a mistake of the client, or
// taken; the server goes on, and has said nothing of a panic.
func attackBodies(t *testing.T, a *assault) {
	s := newServer(t, "--ephemeral", "--clock", "realtime", "--seed", "1", "--nodes", "1")
	config := configOf(t, s)
	client := httpClient(t, config)
	s.kubectl(t, "", "create", "configmap", "target", "--from-literal=a=b")
	judge := func(kind string, m message) {
		code, answer := sendRaw(t, client, m.verb, config.Host+m.path, m.contentType, m.body, nil)
		wrong := ""
		if code == 0 || code >= http.StatusInternalServerError {
			wrong = fmt.Sprintf("it was answered with %d: %.300s", code, answer)
		}
		a.judge(t, kind, m.verb+" "+m.what, wrong)
	}
	for _, m := range bombs() {
		judge("clients: bombs and malformed bodies", m)
	}
	for _, m := range mutants(t, a.random, times(mutantsMax)) {
		judge("clients: mutated bodies", m)
	}
	for _, m := range oddRequests() {
		judge("clients: odd paths, verbs and headers", m)
	}
	wrong := ""
	if code, answer := sendRaw(t, client, "GET", config.Host+"/readyz", "", nil, nil); code != http.StatusOK {
		wrong = fmt.Sprintf("readyz says %d: %s", code, answer)
	}
	a.judge(t, "clients: server goes on", "after all bodies", wrong)
}

// oddRequests are paths and verbs that lead nowhere.
func oddRequests() []message {
	var all []message
	for _, path := range []string{
		"//", "/..", "/%00", "/%2e%2e/%2e%2e", "/api/v1/../../x", "/api//v1", "/api/v1/namespaces//pods", "/api/v1/namespaces/default/pods/%2F", "/api/v1/namespaces/default/pods/" + strings.Repeat("a", 50_000), "/api/v1/namespaces/default/pods/a/b/c/d/e", "/api/v1/namespaces/%ff/pods", "/apis/x/y/z", "/apis/batch/v9/jobs",
		podsPath + "?limit=-1", podsPath + "?limit=99999999999999999999", podsPath + "?continue=%ff", podsPath + "?resourceVersion=x&resourceVersionMatch=y", podsPath + "?watch=1&sendInitialEvents=true", podsPath + "?pretty=" + strings.Repeat("x", 9000),
		podsPath + "?labelSelector=%00", podsPath + "?labelSelector=a+in+(((", podsPath + "?fieldSelector=%3D%3D", targetPath + "?dryRun=x", targetPath + "?fieldValidation=x", targetPath + "?fieldManager=" + strings.Repeat("x", 9000), podsPath + "/x/log?tailLines=-1&limitBytes=-1&sinceSeconds=-1", podsPath + "/x/log?sinceTime=0000", podsPath + "/x/exec", podsPath + "/x/portforward?ports=-1", podsPath + "/x/proxy/../../..", "/openapi/v3/../../x", "/openapi/v2?x=%00",
		"/kubesim", "/kubesim/", "/kubesim/history?from=x", "/kubesim/explain?kind=%00", "/apis/sim.kubesim.dev/v1alpha1/clocks/other", "/apis/sim.kubesim.dev/v1alpha1/clocks/cluster/advance?duration=x", "/metrics/x", "/healthz/x", "/livez?exclude=x&verbose", "/version?timeout=-1s", podsPath + "?timeout=x", podsPath + "?timeout=99999999h",
	} {
		for _, verb := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "X"} {
			contentType := asJSON
			if verb == "PATCH" {
				contentType = asMerge
			}
			all = append(all, message{path, verb, path, contentType, []byte("{}")})
		}
	}
	return all
}
