// Package server starts a kubesim in the place of a kube-apiserver for upstream's
// tests: without nodes, and with no controllers but those that a suite asks for.
//
// Invariant: a flag that a test sets is carried out or refused, never ignored.
package server

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/apimachinery/pkg/util/wait"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/client-go/rest"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/cluster"
)

// T is what is needed of a test.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(end func())
}

// Config is the server that a test wants.
type Config struct {
	// Flags are those of kube-apiserver that are set, with the values as pflag prints
	// them.
	Flags map[string]string
	// TokenKey is a PEM file of the key that signs service-account tokens; empty for one
	// of kubesim's.
	TokenKey string
	// Storage says which etcd the cluster is to lie in, and where. One that nobody has
	// started, upstream's default, means none.
	Storage *storagebackend.Config
	// Configure changes the configuration of upstream's generic server; nil for nothing.
	Configure func(*genericapiserver.Config)
}

// Server is one that runs.
type Server struct {
	// ClientConfig may do anything: like upstream's it has the token of the server's own
	// client.
	ClientConfig *rest.Config
	// Etcd is a client of the etcd in which the cluster lies, or nil.
	Etcd *clientv3.Client
	// Dir is a folder for the test's files.
	Dir string
	// Close ends the server.
	Close func()
}

// noEtcd is where upstream's tests expect an etcd if nothing is said. None is started
// there: the cluster lies in a file then.
const noEtcd = "http://127.0.0.1:2379"

// Controllers are those of kubesim that run in every server, in the syntax of
// kube-controller-manager. A suite sets them before its tests run.
var Controllers []string //nolint:gochecknoglobals // upstream's tests have no place to pass it

// Start starts a server and waits until it is ready.
func Start(t T, c Config) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "kubesim-upstream")
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) }) //nolint:errcheck // what is left is in the machine's folder of temporary files
	s := &Server{Dir: dir}
	data := filepath.Join(dir, "data")
	if c.Storage != nil {
		data = dataOf(c.Storage.Prefix, data)
	}
	o := cluster.Options{
		Ephemeral: true, DataDir: data, Listen: "127.0.0.1:0", Mode: engine.Realtime, Speed: 1, Seed: 1,
		Authorization: "AlwaysAllow", CheckTrusted: true, Controllers: Controllers,
	}
	if err := apply(&o, c.Flags); err != nil {
		t.Fatalf("%v", err)
	}
	if c.Storage != nil && !slices.Equal(c.Storage.Transport.ServerList, []string{noEtcd}) {
		o.Etcd = cluster.EtcdOptions{
			Servers: c.Storage.Transport.ServerList, Prefix: path.Join("/", c.Storage.Prefix),
			// The defaults of kube-controller-manager.
			LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
		}
		s.Etcd, err = clientv3.New(clientv3.Config{Endpoints: o.Etcd.Servers, DialTimeout: 20 * time.Second})
		if err != nil {
			t.Fatalf("%v", err)
		}
		t.Cleanup(func() { _ = s.Etcd.Close() })
	}
	if c.TokenKey != "" {
		s.placeTokenKey(t, o.DataDir, c.TokenKey)
	}
	var token string
	configure(&o, func(g *genericapiserver.Config) {
		own := g.LoopbackClientConfig
		g.LoopbackClientConfig = rest.CopyConfig(own)
		if c.Configure != nil {
			c.Configure(g)
		}
		// A test that takes the token away wants to be anonymous; the server itself does not.
		token = g.LoopbackClientConfig.BearerToken
		g.LoopbackClientConfig = own
	})
	// Not t.Context(): it ends before the clean-up of tests, which need the server.
	running, err := cluster.Start(context.Background(), o)
	if err != nil {
		t.Fatalf("%v", err)
	}
	s.Close = sync.OnceFunc(running.Close)
	t.Cleanup(s.Close)
	if err := awaitReady(running); err != nil {
		t.Fatalf("%v", err)
	}
	s.connect(t, running, token)
	return s
}

// readyMax is the longest that a server may take to be ready on a busy machine.
const readyMax = 2 * time.Minute

// awaitReady waits as the server's own client, which no test's authenticator or authorizer
// turns away.
func awaitReady(running *cluster.Cluster) error {
	return wait.PollUntilContextTimeout(context.Background(), 20*time.Millisecond, readyMax, true, func(ctx context.Context) (bool, error) {
		_, err := running.Client().Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		return err == nil, nil
	})
}

// dataOf returns where the cluster of an etcd prefix lies: a server that starts with the
// prefix of one that has ended goes on with what that has stored.
func dataOf(prefix, first string) string {
	data, _ := places.LoadOrStore(prefix, first)
	return data.(string)
}

var places sync.Map //nolint:gochecknoglobals // upstream's etcd is one for the whole process, too

// placeTokenKey lets the data directory begin with a key of upstream's.
func (s *Server) placeTokenKey(t T, data, key string) {
	t.Helper()
	text, err := os.ReadFile(key)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if err := os.MkdirAll(filepath.Join(data, "pki"), 0o700); err != nil {
		t.Fatalf("%v", err)
	}
	if err := os.WriteFile(filepath.Join(data, "pki", "sa.key"), text, 0o600); err != nil {
		t.Fatalf("%v", err)
	}
}

// connect makes ClientConfig. Tests copy it and set another token, so that it must not
// have a certificate; and they read the authority from its file.
func (s *Server) connect(t T, running *cluster.Cluster, token string) {
	t.Helper()
	config, err := running.RESTConfig()
	if err != nil {
		t.Fatalf("%v", err)
	}
	authority := filepath.Join(s.Dir, "apiserver.crt")
	if err := os.WriteFile(authority, config.CAData, 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	s.ClientConfig = &rest.Config{
		Host: config.Host, BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAFile: authority},
		// As upstream's.
		QPS: 1000, Burst: 10000,
	}
}
