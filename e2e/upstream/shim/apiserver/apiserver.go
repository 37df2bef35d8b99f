// Package testing stands in for upstream's cmd/kube-apiserver/app/testing: its
// server is a kubesim without controllers, nodes and the kubelets' programs.
package testing

import (
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/e2e/upstream/shim/framework"
	"github.com/kubesim-dev/kubesim/internal/cluster"
)

// TestServerInstanceOptions has none of upstream's options: no test that runs
// here sets one.
type TestServerInstanceOptions struct{}

// TearDownFunc ends a server.
type TearDownFunc = framework.TearDownFunc

// TestServer is a server that runs.
type TestServer struct {
	// ClientConfig is an administrator's.
	ClientConfig *rest.Config
	// TearDownFn ends the server.
	TearDownFn TearDownFunc
}

// StartTestServerOrDie starts a server with flags of kube-apiserver.
func StartTestServerOrDie(t testing.TB, _ *TestServerInstanceOptions, flags []string, _ *framework.Etcd) *TestServer {
	t.Helper()
	o := cluster.Options{
		Ephemeral: true, DataDir: t.TempDir(), Listen: "127.0.0.1:0", Mode: engine.Realtime, Speed: 1, Seed: 1,
		Authorization: "AlwaysAllow", CheckTrusted: true,
	}
	for _, flag := range flags {
		plugins, ok := strings.CutPrefix(flag, "--disable-admission-plugins=")
		if !ok {
			t.Fatalf("kubesim has no flag %s for upstream's tests", flag)
		}
		o.DisableAdmissionPlugins = append(o.DisableAdmissionPlugins, strings.Split(plugins, ",")...)
	}
	c, err := cluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	closeOnce := sync.OnceFunc(c.Close)
	t.Cleanup(closeOnce)
	if err := c.AwaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	return &TestServer{ClientConfig: config, TearDownFn: closeOnce}
}
