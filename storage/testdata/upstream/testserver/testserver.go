// Package testing stands in for k8s.io/apiserver/pkg/storage/etcd3/testing in
// upstream's registry tests: a test server is a file of kubesim's.
package testing

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apiserver/pkg/storage/storagebackend"

	"github.com/kubesim-dev/kubesim/storage/testdata/upstream/factory"
)

// EtcdTestServer stands for one open file.
type EtcdTestServer struct{ V3Client client }

// client stands for the client with which a test deletes behind the back of the
// registry.
type client struct{ file *factory.File }

// Delete deletes what is below key. The option that the tests pass says so.
func (c client) Delete(ctx context.Context, key string, _ ...any) (any, error) {
	return nil, c.file.Clear(ctx, strings.TrimPrefix(key, PathPrefix()))
}

// PathPrefix is where a cluster's keys begin in etcd.
func PathPrefix() string { return "/registry" }

// Terminate does nothing: the file is closed when the test ends.
func (*EtcdTestServer) Terminate(testing.TB) {}

// NewUnsecuredEtcd3TestClientServer opens a file for t.
func NewUnsecuredEtcd3TestClientServer(t testing.TB) (*EtcdTestServer, *storagebackend.Config) {
	path := filepath.Join(t.TempDir(), "kubesim.db")
	file, err := factory.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	return &EtcdTestServer{client{file}}, &storagebackend.Config{
		Type:      storagebackend.StorageTypeETCD3,
		Prefix:    PathPrefix(),
		Transport: storagebackend.TransportConfig{ServerList: []string{path}},
	}
}
