package testcluster

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// realModule is a Go module that ships CustomResourceDefinitions, and what is tried of it.
// Nothing of it is ours: the go command fetches it, and checks it by the sum.
type realModule struct {
	module, sum string
	// crds are folders of definitions. valid and invalid are files and folders of objects,
	// whose other kinds are left out.
	crds, valid, invalid []string
	// ours are objects that are written here, with the error of those that are refused.
	ours []ourObject
}

type ourObject struct{ manifest, want string }

// download returns the module's folder.
func (m *realModule) download(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", m.module)
	cmd.Dir = t.TempDir()
	var errs bytes.Buffer
	cmd.Stderr = &errs
	data, runErr := cmd.Output()
	var said struct{ Dir, Sum, Error string }
	if err := json.Unmarshal(data, &said); err != nil {
		t.Fatalf("go mod download %s: %v: %s%s", m.module, runErr, data, errs.String())
	}
	if said.Error != "" {
		t.Skipf("%s cannot be downloaded here: %s", m.module, said.Error)
	}
	if said.Sum != m.sum {
		t.Fatalf("%s has the sum %s, want %s", m.module, said.Sum, m.sum)
	}
	return said.Dir
}

// below returns the paths below dir.
func below(dir string, paths []string) []string {
	var all []string
	for _, p := range paths {
		all = append(all, filepath.Join(dir, p))
	}
	return all
}

// manifests returns the objects in files and folders whose kinds are wanted, by file.
func manifests(t *testing.T, paths []string, wanted map[schema.GroupKind]bool) map[string][]*unstructured.Unstructured {
	t.Helper()
	found := map[string][]*unstructured.Unstructured{}
	for _, path := range paths {
		err := filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(file) != ".yaml" {
				return err
			}
			data, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			objects, err := parseAll(string(data))
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			for _, object := range objects {
				if wanted[object.GroupVersionKind().GroupKind()] {
					found[file] = append(found[file], object)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(found) == 0 && len(paths) > 0 {
		t.Fatalf("no object in %s", paths)
	}
	return found
}

// TestRealDefinitions: the definitions that well-known modules ship are served. What their
// authors give as examples is accepted, and what they give as invalid is refused with
// upstream's words.
func TestRealDefinitions(t *testing.T) {
	t.Parallel()
	for name, m := range realModules() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := m.download(t)
			c := Start(t, Config{Nodes: NoNodes, CRDInstallOptions: CRDInstallOptions{Paths: below(dir, m.crds)}})
			judge := newJudge(t, c)
			for file, objects := range manifests(t, below(dir, m.valid), judge.kinds) {
				for _, object := range objects {
					if err := c.tryOut(t, object); err != nil {
						t.Errorf("%s: %v", file, err)
					}
				}
			}
			for file, objects := range manifests(t, below(dir, m.invalid), judge.kinds) {
				for _, object := range objects {
					judge.refused(t, file, object, c.tryOut(t, object))
				}
			}
			for _, o := range m.ours {
				object := judge.parse(t, o.manifest)
				err := c.tryOut(t, object)
				if o.want == "" && err != nil || o.want != "" && (err == nil || err.Error() != o.want) {
					t.Errorf("%s\nis answered with: %v\nwant: %s", o.manifest, err, cmp.Or(o.want, "no error"))
				}
				if o.want != "" {
					judge.refused(t, o.manifest, object, err)
				}
			}
		})
	}
}

// tryOut creates an object, reads it, and deletes it.
func (c *Cluster) tryOut(t *testing.T, object *unstructured.Unstructured) error {
	t.Helper()
	mapping, err := c.kinds.find(c, object.GroupVersionKind())
	if err != nil {
		return err
	}
	var resource dynamic.ResourceInterface = c.dynamic.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		namespace := cmp.Or(object.GetNamespace(), metav1.NamespaceDefault)
		c.Apply("{apiVersion: v1, kind: Namespace, metadata: {name: " + namespace + "}}")
		resource = c.dynamic.Resource(mapping.Resource).Namespace(namespace)
	}
	if _, err := resource.Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
		return err
	}
	if _, err := resource.Get(t.Context(), object.GetName(), metav1.GetOptions{}); err != nil {
		return err
	}
	return resource.Delete(t.Context(), object.GetName(), metav1.DeleteOptions{})
}

// realModules are the modules, by the name of their test. The definitions of Gateway API's
// standard channel are also in the experimental one.
func realModules() map[string]*realModule {
	return map[string]*realModule{
		"gateway-api": {
			module: "sigs.k8s.io/gateway-api@v1.4.0", sum: "h1:ZwlNM6zOHq0h3WUX2gfByPs2yAEsy/EenYJB78jpQfQ=",
			crds: []string{"config/crd/experimental"}, valid: []string{"examples"}, invalid: []string{"hack/invalid-examples"},
			ours: []ourObject{{
				`{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: x}, spec: {hostnames: ["a..b"]}}`,
				`HTTPRoute.gateway.networking.k8s.io "x" is invalid: spec.hostnames[0]: Invalid value: "a..b": spec.hostnames[0] in body should match '^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'`,
			}},
		},
		"cert-manager": {
			module: "github.com/cert-manager/cert-manager@v1.19.1", sum: "h1:Txh8L/nLWTDcb7ZnXuXbTe15BxQnLbLirXmbNk0fGgY=",
			crds: []string{"deploy/crds"}, valid: []string{"test/fixtures/cert-manager-resources.yaml"},
			ours: []ourObject{{
				`{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: x}, spec: {secretName: x, privateKey: {algorithm: DSA}}}`,
				`Certificate.cert-manager.io "x" is invalid: [spec.privateKey.algorithm: Unsupported value: "DSA": supported values: "RSA", "ECDSA", "Ed25519", spec.issuerRef: Required value]`,
			}},
		},
		"prometheus-operator": {
			module: "github.com/prometheus-operator/prometheus-operator@v0.85.0", sum: "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
			crds:  []string{"example/prometheus-operator-crd"},
			valid: []string{"example/user-guides/alerting", "example/user-guides/getting-started", "example/thanos", "example/storage", "example/rbac"},
			ours: []ourObject{{
				`{apiVersion: monitoring.coreos.com/v1, kind: PrometheusRule, metadata: {name: x}, spec: {groups: [{name: a}, {name: a}]}}`,
				`PrometheusRule.monitoring.coreos.com "x" is invalid: spec.groups[1]: Duplicate value: {"name":"a"}`,
			}, {
				`{apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor, metadata: {name: x}, spec: {endpoints: []}}`,
				`ServiceMonitor.monitoring.coreos.com "x" is invalid: spec.selector: Required value`,
			}},
		},
		"cluster-api": {
			module: "sigs.k8s.io/cluster-api@v1.11.2", sum: "h1:uAczaBavU5Y6aDgyoXWtq28k1kalpSZnVItwXHusw1c=",
			crds: []string{"config/crd/bases", "controlplane/kubeadm/config/crd/bases", "bootstrap/kubeadm/config/crd/bases"},
			ours: []ourObject{{
				`{apiVersion: cluster.x-k8s.io/v1beta2, kind: Cluster, metadata: {name: x}, spec: {topology: {version: v1.37.2, classRef: {name: quick}}}}`, ``,
			}, {
				`{apiVersion: cluster.x-k8s.io/v1beta2, kind: Cluster, metadata: {name: x}, spec: {}}`,
				`Cluster.cluster.x-k8s.io "x" is invalid: spec: Invalid value: 0: spec in body should have at least 1 properties`,
			}, {
				`{apiVersion: cluster.x-k8s.io/v1beta2, kind: MachineDeployment, metadata: {name: x}, spec: {clusterName: x, replicas: -1, template: {}}}`,
				`MachineDeployment.cluster.x-k8s.io "x" is invalid: [spec.template.spec: Required value, spec.selector: Required value, .spec.replicas: Invalid value: -1: should be a non-negative integer]`,
			}},
		},
	}
}
