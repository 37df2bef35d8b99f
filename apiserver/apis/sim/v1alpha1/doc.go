// Package v1alpha1 is the API group sim.kubesim.dev: what a user says to the
// simulator itself, as API objects.
//
// Invariant: it holds types, their validation and nothing else, as k8s.io/api
// does, so that every part of kubesim may import it.
//
// +k8s:deepcopy-gen=package
// +k8s:openapi-gen=true
// +k8s:openapi-model-package=dev.kubesim.sim.v1alpha1
// +groupName=sim.kubesim.dev
package v1alpha1

// openapi-gen does not see that apimachinery's packages, which are no input of it,
// name their models; upstream's definitions have those names.
//
//go:generate go run k8s.io/code-generator/cmd/deepcopy-gen@v0.37.2 --output-file zz_generated.deepcopy.go --go-header-file /dev/null .
//go:generate go run k8s.io/kube-openapi/cmd/openapi-gen@v0.0.0-20260721132016-d427ff9ee9ad --output-dir . --output-pkg github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1 --output-file zz_generated.openapi.go --output-model-name-file zz_generated.model_name.go --report-filename /dev/null --go-header-file /dev/null .
//go:generate perl -pi -e "s,\"k8s.io/apimachinery/pkg/apis/meta/v1\\.,\"io.k8s.apimachinery.pkg.apis.meta.v1.,g; s,\"k8s.io/apimachinery/pkg/api/resource\\.,\"io.k8s.apimachinery.pkg.api.resource.,g" zz_generated.openapi.go
