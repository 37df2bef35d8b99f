package cluster

import (
	"cmp"
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
	k8sstorage "k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/controllers/customresourcedefinition"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/datadir"
	"github.com/kubesim-dev/kubesim/internal/history"
	"github.com/kubesim-dev/kubesim/internal/memory"
	"github.com/kubesim-dev/kubesim/internal/pki"
	"github.com/kubesim-dev/kubesim/internal/version"
	"github.com/kubesim-dev/kubesim/kubelet-sim/lifecycle"
	"github.com/kubesim-dev/kubesim/kubelet-sim/session"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
	"github.com/kubesim-dev/kubesim/storage"
)

// bolt is the backend of a cluster that one process holds alone, in a bbolt
// file: each write reaches caches and engine in the writer's own goroutine.
type bolt struct {
	c        *Cluster
	ring     *ring
	db       *storage.DB
	engine   *engine.Engine
	logs     *stream.Store
	used     *stats.Store
	programs *lifecycle.Reconciler
	network  atomic.Pointer[stream.Network]
	faults   faults
	sessions *session.Sessions
	calls    calls
	// wentOn says that goOn is over.
	wentOn bool
}

// openBolt opens the file and the engine, whose time and randomness go on from
// what the file says. Each needs the other: the store stamps revisions with the
// engine's time.
func openBolt(r *ring) (_ backend, err error) {
	c, o, l := r.c, r.c.options, r.life
	b := &bolt{c: c, ring: r, logs: memory.NewLogs(o.Memory), used: &stats.Store{}}
	b.db, err = storage.Open(storage.Config{
		Path: c.dir.File(datadir.StoreFile), Ephemeral: o.Ephemeral,
		Now:      func() time.Time { return b.engine.Now() },
		Actor:    b.actor,
		Retained: b.retained,
		OnFatal:  c.fail, CheckKept: o.CheckTrusted,
	})
	if errors.Is(err, storage.ErrInUse) {
		err = c.dir.Held(err)
	}
	if err != nil {
		return nil, err
	}
	if err := c.opened(); err != nil {
		return nil, errors.Join(err, b.db.Close())
	}
	b.engine, err = engine.New(engine.Config{
		Start: startTime(o.Start, l, b.db.LastWrite()), Seed: o.Seed, Stream: uint64(b.db.Revision()),
		Mode: l.mode, Speed: l.speed, AutoMax: o.AutoMax, Paused: l.again || l.paused, Log: o.Log,
		Build: version.Module(), Mark: b.db.Mark, Warn: c.warn, Commanded: b.commanded,
	})
	if err == nil {
		err = b.record()
	}
	if err != nil {
		c.dir.Release()
		_ = b.db.Close() // the first error is the one that counts
		return nil, err
	}
	return b, nil
}

// opened does what comes first when this process has the file.
func (c *Cluster) opened() error {
	if err := c.files().Sweep(); err != nil {
		return err
	}
	if err := c.dir.Hold(); err != nil {
		return err
	}
	if c.options.Opened != nil {
		return c.options.Opened(c.dir)
	}
	return nil
}

// retained reports whether the engine's View holds the objects of a resource as the store
// has them. It has definitions without their schemas.
func (b *bolt) retained(r schema.GroupResource) bool {
	name := engine.ResourceOf(r)
	return name != customresourcedefinition.Definitions && b.engine.View().Tracks(name)
}

// record begins a recording, if one is wanted and there is none: a cluster that was
// rewound goes on with its own.
func (b *bolt) record() error {
	c := b.c
	if c.options.Recorder == nil || c.recorded {
		return nil
	}
	if !b.db.LastWrite().IsZero() {
		return errors.New("--record: there is a cluster in the data directory already: a recording begins with a new one, for example with --ephemeral")
	}
	c.recorded = true
	return c.options.Recorder.Begin(b.engine.Now(), c.Now)
}

// commanded records a command of the clock.
func (b *bolt) commanded(command engine.Command) {
	if r := b.c.options.Recorder; r != nil {
		r.Clock(command)
	}
}

// The author of a write that is no step of the engine: the server itself, or a user.
const (
	serverActor  = "kubesim"
	clientPrefix = "client/"
)

// actor is the author of a write: the engine's step, as the event log has it, or the
// user of a request.
func (b *bolt) actor(ctx context.Context) string {
	if storage.IsWithoutWait(ctx) { // so it is the engine's goroutine, or it does not run yet
		return cmp.Or(b.engine.Step(), serverActor)
	}
	if who, ok := genericrequest.UserFrom(ctx); ok {
		return clientPrefix + who.GetName()
	}
	return serverActor
}

// startTime lets virtual time go on from the last write of an earlier run, so
// that it never goes back. In mode realtime it then keeps up with the wall
// clock again. Builds that did not hold to the bounds of virtual time have left
// files that were written outside of them.
func startTime(start time.Time, l life, last time.Time) time.Time {
	if last.IsZero() {
		return start
	}
	last = engine.Within(last)
	if l.again {
		return last
	}
	if start.IsZero() && l.mode == engine.Realtime {
		start = time.Now()
	}
	if start.After(last) {
		return start
	}
	return last
}

// keys implements backend: they lie beside the file.
func (b *bolt) keys() (*pki.Authority, error) { return pki.Open(b.c.dir, time.Now()) }

// configure implements backend.
func (b *bolt) configure(cfg *apiserver.Config) error {
	logs, err := stream.NewLogs(b.logs, b.engine.Now)
	if err != nil {
		return err
	}
	metrics, err := b.ring.newMetrics(b.engine, b.used)
	if err != nil {
		return err
	}
	cfg.NewStorage, cfg.Recall, cfg.Ahead = b.newStorage, b.recall, storage.WithoutWait
	cfg.StoreHealth = func(context.Context) error { return b.db.Err() }
	cfg.Clock, cfg.Random, cfg.Timekeeper = b.engine, b.engine.Random(), timekeeper{b}
	cfg.BeginList = b.db.BeginList
	cfg.Gate, cfg.Faults = gate{b}, &b.faults
	if r := b.c.options.Recorder; r != nil {
		cfg.Recorder = r
	}
	cfg.Logs, cfg.Metrics = logs, metrics
	cfg.Call = b.calls.call
	cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		return b.network.Load().DialContext(ctx, network, address)
	}
	return nil
}

// newStorage opens one resource in the store.
func (b *bolt) newStorage(sc apiserver.StorageConfig) (k8sstorage.Interface, factory.DestroyFunc, error) {
	store, err := b.db.Resource(storage.ResourceConfig{
		GroupResource: sc.GroupResource, ResourcePrefix: sc.Prefix, Codec: sc.Codec,
		NewFunc: sc.NewFunc, NewListFunc: sc.NewListFunc, Protobuf: sc.Protobuf,
		Bulky: sc.GroupResource == customresourcedefinition.Definitions.GroupResource(),
	})
	if err != nil {
		return nil, nil, err
	}
	return store, sync.OnceFunc(store.Close), nil
}

// recall tells caches and engine what the store of a resource holds that has come. What
// comes before goOn, goOn tells.
func (b *bolt) recall(gr schema.GroupResource) error {
	if !b.wentOn {
		return nil
	}
	return b.db.Recall(b.c.ctx, gr, b.recallAsNews)
}

// join implements backend. It joins the store to the API server's caches and
// to the engine, and fills caches and view with what an earlier run has left.
func (b *bolt) join(ctx context.Context) (err error) {
	api, err := b.faults.register(b.engine, localAPI{b.ring.server.Local(), &b.calls})
	if err != nil {
		return err
	}
	b.ring.follow(b.engine)
	if b.programs, err = b.ring.register(b.engine, api, definedObjects{b.ring.server.Custom(), &b.calls}, b.logs, b.used); err != nil {
		return err
	}
	b.sessions = session.New(b.programs, b.awaitRest)
	b.engine.Register(b.sessions)
	b.calls.begin(ctx, b.engine, b.sessions)
	b.network.Store(b.ring.newNetwork(b.sessions))
	b.engine.Register(newHousekeeping(b.db, b.engine, b.c.options.CompactionInterval))
	b.db.Observe(func(commit storage.Commit) {
		if commit.Object == nil {
			return // an object that nobody could read was removed
		}
		obj, err := b.ring.server.Observe(commit.Resource, commit.Type, commit.Object)
		if err != nil {
			b.c.fail(err)
			return
		}
		if err := b.tell(commit); err != nil {
			b.c.fail(err)
			return
		}
		b.engine.Deliver(commitOf(commit, obj))
	})
	return b.goOn(ctx)
}

// tell tells the Follower of a commit.
func (b *bolt) tell(c storage.Commit) error {
	f := b.c.options.Follower
	if f == nil {
		return nil
	}
	obj, err := apiserver.External(c.Object)
	if err == nil {
		f.Committed(c.Resource, obj, c.Type == watch.Deleted)
	}
	return err
}

// run implements backend: nobody else has the file, so the engine runs at once. If a
// reconciler panics over what was remembered, it would do so at each start: the next one
// leaves it aside.
func (b *bolt) run(ctx context.Context) error {
	defer b.network.Load().Close() // nobody answers any more
	err := b.engine.Run(storage.WithoutWait(ctx))
	if errors.Is(err, engine.ErrBroken) {
		b.db.Mark(b.db.Revision(), engine.BrokenMark(err), true)
	}
	return err
}

// restMax bounds how long a client waits for rest, as for the answer to a write.
// Unit: wall time.
const restMax = 58 * time.Second

// awaitRest waits until the cluster is at rest and what it has written can be read,
// as a write's answer does.
func (b *bolt) awaitRest(ctx context.Context) error {
	if b.engine.Status().Mode == engine.Realtime {
		return nil
	}
	inTime, cancel := context.WithTimeout(ctx, restMax)
	defer cancel()
	if err := b.engine.AwaitRest(inTime); err != nil {
		return ctx.Err() // it went on for too long: the client is answered early
	}
	return b.db.AwaitVisible(ctx)
}

// close implements backend and writes out what is pending.
func (b *bolt) close() {
	if b.programs != nil {
		b.programs.Close()
	}
	if network := b.network.Load(); network != nil {
		network.Close() // run did it, unless it was never called
	}
	b.c.dir.Release()
	_ = b.db.Close() // nobody is left to tell
}

// timed implements backend.
func (b *bolt) timed() (timed, error) { return b, nil }

// kept implements backend.
func (b *bolt) kept() (kept, error) { return b, nil }

// attributed implements backend.
func (b *bolt) attributed() (attributed, error) { return b, nil }

// clock implements timed.
func (b *bolt) clock() *engine.Engine { return b.engine }

// written implements timed.
func (b *bolt) written(ctx context.Context) error { return b.db.AwaitVisible(ctx) }

// exec implements timed.
func (b *bolt) exec(ctx context.Context, t stream.Target, command []string, stdin string) (*session.Command, error) {
	return b.sessions.Start(ctx, t, command, stdin)
}

// revision implements kept.
func (b *bolt) revision() int64 { return b.db.Revision() }

// save implements kept.
func (b *bolt) save(ctx context.Context, name string) (history.Snapshot, error) {
	return b.c.files().Save(ctx, b.db, name)
}

// past implements kept.
func (b *bolt) past(to string) (history.Past, error) {
	return history.FindPast(b.db, to, b.engine.Now())
}

// versions implements attributed.
func (b *bolt) versions(ctx context.Context, resource schema.GroupResource, prefix string, match func(key string, value []byte) bool) ([]storage.Version, error) {
	return b.db.History(ctx, resource, prefix, match)
}

// compacted implements attributed.
func (b *bolt) compacted() int64 { return b.db.Compacted() }

// now implements attributed.
func (b *bolt) now() time.Time { return b.engine.Now() }
