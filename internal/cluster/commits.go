package cluster

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubesim-dev/kubesim/storage"
)

// Commits are the versions of objects, each with its author.
type Commits struct{ attributed }

// Commits returns them, if the cluster keeps them.
func (c *Cluster) Commits() (Commits, error) {
	of, err := c.ring.Load().backend.attributed()
	return Commits{of}, err
}

// History returns the versions of a resource whose keys begin with prefix, of each object
// of which one matches: see storage.DB.History.
func (c Commits) History(ctx context.Context, resource schema.GroupResource, prefix string, match func(key string, value []byte) bool) ([]storage.Version, error) {
	return c.versions(ctx, resource, prefix, match)
}

// Compacted is the revision before which there are none any more.
func (c Commits) Compacted() int64 { return c.compacted() }

// Now is the cluster's time.
func (c Commits) Now() time.Time { return c.now() }
