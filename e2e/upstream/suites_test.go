package upstream

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// suite is a package of upstream's integration tests.
type suite struct {
	// name is its folder below the module's test/integration, or "apiextensions" and what
	// follows.
	name, module string
	// tests is how many it has, those of notRun included. A new release changes it.
	tests int
	// share says that CI runs it.
	share bool
	// whole says that the suite's own start is compiled, but never called.
	whole bool
	// imports says which of our packages stand in for those that it imports.
	imports map[string]string
	// controllers are those of kubesim that run beside the server.
	controllers []string
}

// folder is where the suite is in its module.
func (s suite) folder() string {
	return path.Join("test/integration", strings.TrimPrefix(s.name, "apiextensions"))
}

// suites are those that are run.
func suites() []suite {
	// In these, our controllers run outside the server, as upstream's.
	workloads := map[string]string{
		"k8s.io/kubernetes/cmd/kube-apiserver/app/testing": "shim/apiserver",
		"k8s.io/kubernetes/pkg/controller/cronjob":         "shim/cronjob",
		"k8s.io/kubernetes/pkg/controller/disruption":      "shim/disruption",
		"k8s.io/kubernetes/pkg/controller/job":             "shim/job",
		"k8s.io/kubernetes/pkg/controller/podgc":           "shim/podgc",
		"k8s.io/kubernetes/test/integration/framework":     "shim/framework",
		"k8s.io/kubernetes/test/integration/util":          "shim/util",
	}
	list := []suite{
		{name: "cronjob", tests: 1, imports: workloads, share: true},
		{name: "evictions", tests: 6, imports: workloads, share: true},
		{name: "job", tests: 40, imports: workloads, share: true},
		{name: "podgc", tests: 3, imports: workloads, share: true},
	}
	for _, s := range []suite{
		{name: "garbagecollector", tests: 15, controllers: []string{"garbage-collector-controller"}},
		{name: "namespace", tests: 3, share: true, controllers: []string{"namespace-controller"}},
		{name: "certificates", tests: 6, share: true, controllers: []string{"certificatesigningrequest-approving-controller"}},
		{name: "serviceaccount", tests: 7},
		// These start upstream's controller, with metrics that they make up, over our server:
		// ours looks every 15 s. controllers/podautoscaler holds that against upstream's.
		{name: "podautoscaler", tests: 4},
		{name: "servicecidr", tests: 15, controllers: []string{"service-cidr-controller"}},
		{name: "auth", tests: 42},
		{name: "scheduler/filters", tests: 10, controllers: []string{"kube-scheduler"}},
		{name: "apiserver", tests: 52},
		{name: "apiserver/admissionwebhook", tests: 23},
		{name: "apiserver/apply", tests: 57, share: true},
		{name: "apiserver/cel", tests: 36},
		{name: "apiserver/discovery", tests: 8},
		{name: "apiserver/openapi", tests: 9},
		{name: "apiextensions", tests: 79, module: "k8s.io/apiextensions-apiserver"},
		{name: "apiextensions/conversion", tests: 4, module: "k8s.io/apiextensions-apiserver"},
	} {
		s.whole, s.imports = true, servers()
		list = append(list, s)
	}
	list = append(list, apps()...)
	if !*whole {
		list = slices.DeleteFunc(list, func(s suite) bool { return !s.share })
	}
	for i := range list {
		list[i].module = cmp.Or(list[i].module, kubernetes)
	}
	return list
}

// apps are the suites of the controllers of apps, which run outside the server, as
// upstream's.
func apps() []suite {
	imports := servers()
	for _, name := range []string{"daemon", "deployment", "replicaset", "statefulset"} {
		imports["k8s.io/kubernetes/pkg/controller/"+name] = "shim/" + name
	}
	var list []suite
	for name, tests := range map[string]int{"daemonset": 12, "deployment": 17, "replicaset": 14, "statefulset": 10} {
		list = append(list, suite{name: name, tests: tests, whole: true, imports: imports})
	}
	slices.SortFunc(list, func(a, b suite) int { return cmp.Compare(a.name, b.name) })
	return list
}

// overEtcd names the tests whose cluster must lie in an etcd, because they read or write
// there. All others lie in a file.
func overEtcd() []string {
	return []string{
		"apiextensions/TestCustomResourceDefaultingOfMetaFields",
		"apiextensions/TestEtcdStorage",
		"apiextensions/TestInvalidObjectMetaInStorage",
		"apiextensions/conversion/TestWebhookConversion_WhitespaceCABundleEtcdBypass",
		"apiextensions/conversion/TestWebhookConverterWithWatchCache",
		"apiextensions/conversion/TestWebhookConverterWithoutWatchCache",
		"apiserver/TestCustomResourceValidators",
		"apiserver/apply/TestApplyCRDNoSchema",
		"apiserver/apply/TestApplyCRDUnhandledSchema",
		"apiserver/apply/TestUpdateStatusWithOldVersion",
		"namespace/TestUpdateResourceInDeletedNamespace",
	}
}

// servers are the imports of the suites whose controllers run in the server, if at all.
func servers() map[string]string {
	return map[string]string{
		"k8s.io/kubernetes/cmd/kube-controller-manager/app/testing":   "shim/controllermanager",
		"k8s.io/kubernetes/cmd/kube-apiserver/app/testing":            "standins/apiserver",
		"k8s.io/kubernetes/test/integration/framework":                "standins/framework",
		"k8s.io/kubernetes/test/integration/util":                     "standins/util",
		"k8s.io/apiextensions-apiserver/test/integration/fixtures":    "standins/fixtures",
		"k8s.io/kubernetes/pkg/controller/garbagecollector":           "shim/garbagecollector",
		"k8s.io/kubernetes/pkg/controller/namespace":                  "shim/namespace",
		"k8s.io/kubernetes/pkg/controller/servicecidrs":               "shim/servicecidrs",
		"k8s.io/kubernetes/pkg/controller/certificates/approver":      "shim/approver",
		"k8s.io/kubernetes/test/integration/apiserver/apidefinitions": "standins/apidefinitions",
		"k8s.io/kubernetes/test/integration/apiserver/discovery":      "standins/discovery",
	}
}
