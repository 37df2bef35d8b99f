package testcluster_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kubesim-dev/kubesim/e2e/testcluster"
)

// TestCRDsOfADirectory: its custom resources can be used at once.
func TestCRDsOfADirectory(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Config{Nodes: testcluster.NoNodes, CRDInstallOptions: testcluster.CRDInstallOptions{Paths: []string{"testdata/crds"}}})
	c.Apply(`{apiVersion: example.com/v1, kind: Task, metadata: {name: a}, spec: {command: "true"}}`)
	client, err := dynamic.NewForConfig(c.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	tasks := client.Resource(schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "tasks"}).Namespace("default")
	if _, err := tasks.Get(t.Context(), "a", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}
