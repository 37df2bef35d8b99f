package environment

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/depend"
)

func value(name, value string) corev1.EnvVar { return corev1.EnvVar{Name: name, Value: value} }

func from(name string, source corev1.EnvVarSource) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &source}
}

func fieldRef(path string) corev1.EnvVarSource {
	return corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path}}
}

func configMapKey(name, key string, optional bool) corev1.EnvVarSource {
	return corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: key, Optional: &optional,
	}}
}

func secretKey(name, key string, optional bool) corev1.EnvVarSource {
	return corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: key, Optional: &optional,
	}}
}

func allOfConfigMap(prefix, name string, optional bool) corev1.EnvFromSource {
	return corev1.EnvFromSource{Prefix: prefix, ConfigMapRef: &corev1.ConfigMapEnvSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: name}, Optional: &optional,
	}}
}

func allOfSecret(prefix, name string) corev1.EnvFromSource {
	return corev1.EnvFromSource{Prefix: prefix, SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}}
}

func list(env ...string) []string { return env }

func TestVariables(t *testing.T) {
	view := viewOf(t,
		configMap("settings", map[string]string{"LEVEL": "info", "COLOUR": "red"}),
		secret("password", map[string]string{"word": "sesame"}),
	)
	for name, tc := range map[string]struct {
		envFrom []corev1.EnvFromSource
		env     []corev1.EnvVar
		want    []string
	}{
		"the order is the spec's":                       {nil, []corev1.EnvVar{value("B", "1"), value("A", "2")}, list("B=1", "A=2")},
		"a variable that is there twice has the second": {nil, []corev1.EnvVar{value("A", "1"), value("B", "2"), value("A", "3")}, list("A=3", "B=2")},
		"$(NAME) is what came before":                   {nil, []corev1.EnvVar{value("A", "1"), value("B", "$(A)2")}, list("A=1", "B=12")},
		"$(NAME) of what comes later stays":             {nil, []corev1.EnvVar{value("A", "$(B)"), value("B", "2")}, list("A=$(B)", "B=2")},
		"$$(NAME) is $(NAME)":                           {nil, []corev1.EnvVar{value("A", "1"), value("B", "$$(A)")}, list("A=1", "B=$(A)")},
		"all keys of a ConfigMap, sorted":               {[]corev1.EnvFromSource{allOfConfigMap("", "settings", false)}, nil, list("COLOUR=red", "LEVEL=info")},
		"with a prefix":                                 {[]corev1.EnvFromSource{allOfConfigMap("LOG_", "settings", false)}, nil, list("LOG_COLOUR=red", "LOG_LEVEL=info")},
		"all keys of a Secret":                          {[]corev1.EnvFromSource{allOfSecret("P_", "password")}, nil, list("P_word=sesame")},
		"env wins over envFrom, in its place":           {[]corev1.EnvFromSource{allOfConfigMap("", "settings", false)}, []corev1.EnvVar{value("COLOUR", "blue")}, list("COLOUR=blue", "LEVEL=info")},
		"a key of a ConfigMap":                          {nil, []corev1.EnvVar{from("A", configMapKey("settings", "LEVEL", false))}, list("A=info")},
		"a key of a Secret":                             {nil, []corev1.EnvVar{from("A", secretKey("password", "word", false))}, list("A=sesame")},
		"an optional ConfigMap that is not there":       {[]corev1.EnvFromSource{allOfConfigMap("", "nosuch", true)}, nil, nil},
		"an optional key that is not there":             {nil, []corev1.EnvVar{from("A", configMapKey("settings", "nosuch", true)), from("B", secretKey("nosuch", "a", true))}, nil},
		"an empty value is set":                         {nil, []corev1.EnvVar{value("A", "")}, list("A=")},
		"the Pod's fields": {nil, []corev1.EnvVar{from("NAME", fieldRef("metadata.name")), from("NODE", fieldRef("spec.nodeName")), from("WHO", fieldRef("spec.serviceAccountName")),
			from("IP", fieldRef("status.podIP")), from("HOST", fieldRef("status.hostIP")), from("APP", fieldRef("metadata.labels['app']"))},
			list("NAME=web-0", "NODE=node-1", "WHO=builder", "IP=10.244.0.7", "HOST=10.0.0.11", "APP=web")},
	} {
		t.Run(name, func(t *testing.T) {
			got, vars, err := Make(view, pod(nil), state(), &corev1.Container{EnvFrom: tc.envFrom, Env: tc.env})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(append([]string{}, tc.want...), got); diff != "" {
				t.Errorf("environment (-want +got):\n%s", diff)
			}
			if len(vars) != len(got) {
				t.Errorf("%d variables by name, %d in the list", len(vars), len(got))
			}
		})
	}
}

// TestAPodIsToldWhatItLacks: the words are upstream's, and the error names the object
// whose commit the Pod waits for.
func TestAPodIsToldWhatItLacks(t *testing.T) {
	view := viewOf(t, configMap("settings", nil), secret("password", nil))
	for name, tc := range map[string]struct {
		envFrom []corev1.EnvFromSource
		env     []corev1.EnvVar
		want    string
		lacks   []depend.Object
	}{
		"no such ConfigMap":           {nil, []corev1.EnvVar{from("A", configMapKey("nosuch", "a", false))}, `configmap "nosuch" not found`, []depend.Object{{Resource: engine.ConfigMaps, Name: types.NamespacedName{Namespace: "work", Name: "nosuch"}}}},
		"no such ConfigMap, of all":   {[]corev1.EnvFromSource{allOfConfigMap("", "nosuch", false)}, nil, `configmap "nosuch" not found`, []depend.Object{{Resource: engine.ConfigMaps, Name: types.NamespacedName{Namespace: "work", Name: "nosuch"}}}},
		"no such key of a ConfigMap":  {nil, []corev1.EnvVar{from("A", configMapKey("settings", "a", false))}, `couldn't find key a in ConfigMap work/settings`, []depend.Object{{Resource: engine.ConfigMaps, Name: types.NamespacedName{Namespace: "work", Name: "settings"}}}},
		"no such Secret":              {[]corev1.EnvFromSource{allOfSecret("", "nosuch")}, nil, `secret "nosuch" not found`, []depend.Object{{Resource: engine.Secrets, Name: types.NamespacedName{Namespace: "work", Name: "nosuch"}}}},
		"no such key of a Secret":     {nil, []corev1.EnvVar{from("A", secretKey("password", "a", false))}, `couldn't find key a in Secret work/password`, []depend.Object{{Resource: engine.Secrets, Name: types.NamespacedName{Namespace: "work", Name: "password"}}}},
		"a field that no Pod has":     {nil, []corev1.EnvVar{from("A", fieldRef("spec.nosuch"))}, `field label not supported: spec.nosuch`, nil},
		"what no program can be told": {nil, []corev1.EnvVar{value("A", strings.Repeat("a", 1<<20)), value("B", strings.Repeat("$(A)", 3))}, `argument list too long`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Make(view, pod(nil), state(), &corev1.Container{EnvFrom: tc.envFrom, Env: tc.env})
			if err == nil || err.Error() != tc.want {
				t.Errorf("error %v, want %s", err, tc.want)
			}
			if diff := cmp.Diff(tc.lacks, depend.Missing(err)); diff != "" {
				t.Errorf("what it waits for (-want +got):\n%s", diff)
			}
		})
	}
}

// TestVariablesOfServices: they come last, sorted; those of the API server are there even
// if the Pod wants none.
func TestVariablesOfServices(t *testing.T) {
	view := viewOf(t,
		service("default", "kubernetes", "10.96.0.1", 443), service("work", "db", "10.96.0.9", 5432),
		service("work", "headless", corev1.ClusterIPNone, 80), service("other", "far", "10.96.0.8", 80),
	)
	for name, tc := range map[string]struct {
		links bool
		want  []string
	}{
		"with links":    {true, list("DB_PORT", "DB_PORT_5432_TCP", "DB_PORT_5432_TCP_ADDR", "DB_PORT_5432_TCP_PORT", "DB_PORT_5432_TCP_PROTO", "DB_SERVICE_HOST", "DB_SERVICE_PORT", "KUBERNETES_PORT", "KUBERNETES_PORT_443_TCP", "KUBERNETES_PORT_443_TCP_ADDR", "KUBERNETES_PORT_443_TCP_PORT", "KUBERNETES_PORT_443_TCP_PROTO", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")},
		"without links": {false, list("KUBERNETES_PORT", "KUBERNETES_PORT_443_TCP", "KUBERNETES_PORT_443_TCP_ADDR", "KUBERNETES_PORT_443_TCP_PORT", "KUBERNETES_PORT_443_TCP_PROTO", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")},
	} {
		t.Run(name, func(t *testing.T) {
			p := pod(func(s *corev1.PodSpec) { s.EnableServiceLinks = &tc.links })
			got, vars, err := Make(view, p, state(), &corev1.Container{Env: []corev1.EnvVar{value("URL", "https://$(KUBERNETES_SERVICE_HOST)")}})
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, v := range got[1:] {
				name, _, _ := strings.Cut(v, "=")
				names = append(names, name)
			}
			if diff := cmp.Diff(tc.want, names); diff != "" {
				t.Errorf("variables (-want +got):\n%s", diff)
			}
			if vars["URL"] != "https://10.96.0.1" {
				t.Errorf("URL=%s: $(NAME) does not know Services", vars["URL"])
			}
		})
	}
}

// TestResources: a limit that is not set is what the node has.
func TestResources(t *testing.T) {
	view := viewOf(t, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}, Status: corev1.NodeStatus{
		Allocatable: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourceMemory: resource.MustParse("8Gi")},
	}})
	small := corev1.Container{Name: "small", Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")},
	}}
	p := pod(func(s *corev1.PodSpec) {
		s.Containers = []corev1.Container{small}
		s.InitContainers = []corev1.Container{{Name: "init"}}
	})
	for name, tc := range map[string]struct {
		of        *corev1.Container
		container string
		resource  string
		divisor   string
		want      string
		err       string
	}{
		"a limit":                           {&small, "", "limits.memory", "1Mi", "64", ""},
		"a request, rounded up":             {&small, "", "requests.cpu", "1", "1", ""},
		"a request in thousandths":          {&small, "", "requests.cpu", "1m", "250", ""},
		"a limit that is not set":           {&small, "", "limits.cpu", "1", "4", ""},
		"a request that is not set":         {&small, "", "requests.memory", "1", "0", ""},
		"of another container":              {nil, "init", "limits.memory", "1Gi", "8", ""},
		"of a container that is not there":  {nil, "nosuch", "limits.cpu", "1", "", "container nosuch not found"},
		"in a volume, of no container":      {nil, "", "limits.cpu", "1", "", `container name is required for volume resource "limits.cpu"`},
		"of something that is not resource": {&small, "", "limits.nosuch", "1", "", "unsupported container resource : limits.nosuch"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ResourceValue(view, p, tc.of, &corev1.ResourceFieldSelector{ContainerName: tc.container, Resource: tc.resource, Divisor: resource.MustParse(tc.divisor)})
			if got != tc.want || (err == nil) != (tc.err == "") || err != nil && err.Error() != tc.err {
				t.Errorf("got %q, %v, want %q, %q", got, err, tc.want, tc.err)
			}
		})
	}
}

func TestCommands(t *testing.T) {
	vars := map[string]string{"NAME": "web", "EMPTY": ""}
	got, err := ExpandAll([]string{"echo", "$(NAME)-$(NAME)", "$(NOSUCH)", "$$(NAME)", "$(EMPTY)."}, vars)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"echo", "web-web", "$(NOSUCH)", "$(NAME)", "."}, got); diff != "" {
		t.Errorf("command (-want +got):\n%s", diff)
	}
	if _, err := ExpandAll([]string{"$(A)", "$(A)", "$(A)"}, map[string]string{"A": strings.Repeat("a", 1<<20)}); err == nil || err.Error() != "argument list too long" {
		t.Errorf("a command of 3 MB: %v", err)
	}
	probe := ExpandStatic([]string{"test", "$(A)", "$(B)"}, &corev1.Container{Env: []corev1.EnvVar{value("A", "1"), from("B", fieldRef("metadata.name"))}})
	if diff := cmp.Diff([]string{"test", "1", ""}, probe); diff != "" {
		t.Errorf("command of a probe (-want +got):\n%s", diff)
	}
}

func TestSubPaths(t *testing.T) {
	for expr, tc := range map[string]struct{ want, err string }{
		"logs/$(POD)":     {"logs/web-0", ""},
		"$$(POD)":         {"$(POD)", ""},
		"$(POD)/$(EMPTY)": {"", "missing value for EMPTY"},
		"$(B)/$(A)/$(B)":  {"", "missing value for A, B"},
	} {
		got, err := ExpandSubPath(expr, map[string]string{"POD": "web-0", "EMPTY": ""})
		if got != tc.want || (err == nil) != (tc.err == "") || err != nil && err.Error() != tc.err {
			t.Errorf("%s: got %q, %v, want %q, %q", expr, got, err, tc.want, tc.err)
		}
	}
}
