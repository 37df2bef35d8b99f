// Package controllermanager stands in for upstream's
// cmd/kube-controller-manager/app/testing, which would compile every controller for one
// test that does not run here.
package controllermanager

import (
	"context"
	"testing"
)

// TestServer is one that runs.
type TestServer struct{ TearDownFn func() }

// StartTestServerOrDie fails: kubesim's controllers are in its server.
func StartTestServerOrDie(t *testing.T, _ context.Context, _ []string) *TestServer { //nolint:revive // upstream's order
	t.Helper()
	t.Fatal("kubesim has no controller manager beside it")
	return nil
}
