package cluster

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/history"
	"github.com/kubesim-dev/kubesim/internal/pki"
	"github.com/kubesim-dev/kubesim/kubelet-sim/session"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
	"github.com/kubesim-dev/kubesim/storage"
)

// backend is where a cluster's objects lie, with what follows from that: whose
// time it is, what a write waits for, and when this server's engine runs.
// assemble calls the first methods in the order in which they stand here.
type backend interface {
	// keys returns the cluster's certificate authority.
	keys() (*pki.Authority, error)
	// configure sets what the API server stands on: NewStorage, Clock, Random,
	// Gate and Logs. It may add to Handlers.
	configure(cfg *apiserver.Config) error
	// join lets every write, from now on and those of the past, reach the API
	// server's caches. It returns when the past ones have.
	join(ctx context.Context) error
	// run drives the cluster until ctx ends.
	run(ctx context.Context) error
	// close releases everything; nothing else runs any more.
	close()

	// What follows is what not every backend can. Its error says why, and what can.

	// timed is for a cluster whose time is its own.
	timed() (timed, error)
	// kept is for one whose history is its own.
	kept() (kept, error)
	// attributed is for a backend that stores the author of each commit.
	attributed() (attributed, error)
}

// timed is a backend whose virtual time only this server advances.
type timed interface {
	// clock moves time.
	clock() *engine.Engine
	// written returns when what the engine has written can be read.
	written(ctx context.Context) error
	// exec starts a command in a container.
	exec(ctx context.Context, t stream.Target, command []string, stdin string) (*session.Command, error)
}

// kept is history that this server keeps, and to which it can go back.
type kept interface {
	timed
	// revision is the present one.
	revision() int64
	// save keeps the present state as a snapshot.
	save(ctx context.Context, name string) (history.Snapshot, error)
	// past is the moment that a user names, see history.ParsePast.
	past(to string) (history.Past, error)
}

// attributed are the versions of objects, each with its author.
type attributed interface {
	// versions is storage.DB.History.
	versions(ctx context.Context, resource schema.GroupResource, prefix string, match func(key string, value []byte) bool) ([]storage.Version, error)
	// compacted is the revision before which there are none any more.
	compacted() int64
	// now is the cluster's time.
	now() time.Time
}

// openBackend opens what the options ask for.
func openBackend(ctx context.Context, r *ring) (backend, error) {
	if len(r.c.options.Etcd.Servers) > 0 {
		return openEtcd(ctx, r)
	}
	return openBolt(r)
}
