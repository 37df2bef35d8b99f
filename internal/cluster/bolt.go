package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
	k8sstorage "k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/lifecycle"
	"github.com/kubesim-dev/kubesim/kubelet-sim/session"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
	"github.com/kubesim-dev/kubesim/storage"
)

// storeFile is the name of the bbolt file in the data directory.
const storeFile = "kubesim.db"

// bolt is the backend of a cluster that one process holds alone, in a bbolt
// file: each write reaches caches and engine in the writer's own goroutine.
type bolt struct {
	c        *Cluster
	db       *storage.DB
	engine   *engine.Engine
	logs     *stream.Store
	used     *stats.Store
	programs *lifecycle.Reconciler
	network  atomic.Pointer[stream.Network]
	faults   faults
	sessions *session.Sessions
}

// openBolt opens the file and the engine, whose time and randomness go on from
// what the file says. Each needs the other: the store stamps revisions with the
// engine's time.
func openBolt(c *Cluster) (_ backend, err error) {
	o := c.options
	b := &bolt{c: c, logs: o.newLogs(), used: &stats.Store{}}
	b.db, err = storage.Open(storage.Config{
		Path: c.dir.file(storeFile), Ephemeral: o.Ephemeral,
		Now:      func() time.Time { return b.engine.Now() },
		Actor:    b.actor,
		Retained: func(r schema.GroupResource) bool { return b.engine.View().Tracks(engine.ResourceOf(r)) },
		OnFatal:  c.fail, CheckKept: o.CheckTrusted,
	})
	if err != nil {
		return nil, err
	}
	if err := c.dir.sweep(); err != nil {
		return nil, errors.Join(err, b.db.Close())
	}
	b.engine, err = engine.New(engine.Config{
		Start: startTime(o, b.db.LastWrite()), Seed: o.Seed, Stream: uint64(b.db.Revision()),
		Mode: o.Mode, Speed: o.Speed, AutoMax: o.AutoMax, Paused: o.paused, Log: o.Log,
		Build: moduleVersion(), Mark: b.db.Mark, Warn: c.warn, Commanded: func(c engine.Command) { b.c.recording.clock(c) },
	})
	if err == nil {
		err = b.record()
	}
	if err != nil {
		_ = b.db.Close() // the first error is the one that counts
		return nil, err
	}
	return b, nil
}

// record begins a recording, if one is wanted and there is none: a cluster that was
// rewound goes on with its own.
func (b *bolt) record() (err error) {
	c := b.c
	if c.options.Record == nil || c.recording != nil {
		return nil
	}
	if !b.db.LastWrite().IsZero() {
		return errors.New("--record: there is a cluster in the data directory already: a recording begins with a new one, for example with --ephemeral")
	}
	c.recording, err = newRecording(c.options, b.engine.Now(), func() time.Time { return c.backend.(*bolt).engine.Now() })
	return err
}

// recorder is what the API server tells of requests; nil for nobody.
func (c *Cluster) recorder() apiserver.Recorder {
	if c.recording == nil {
		return nil
	}
	return c.recording
}

// Who makes a write, when it is no step of the engine: the server itself, or a user.
const (
	serverActor  = "kubesim"
	clientPrefix = "client/"
)

// actor says who makes a write: the engine's step, as the event log has it, or the
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
func startTime(o Options, last time.Time) time.Time {
	start := o.Start
	if last.IsZero() {
		return start
	}
	last = engine.Within(last)
	if o.resumed {
		return last
	}
	if start.IsZero() && o.Mode == engine.Realtime {
		start = time.Now()
	}
	if start.After(last) {
		return start
	}
	return last
}

// keys implements backend: they lie beside the file.
func (b *bolt) keys() (*pki, error) { return openPKI(b.c.dir, time.Now()) }

// configure implements backend.
func (b *bolt) configure(cfg *apiserver.Config) error {
	logs, err := stream.NewLogs(b.logs, b.engine.Now)
	if err != nil {
		return err
	}
	metrics, err := b.c.newMetrics(b.engine, b.used)
	if err != nil {
		return err
	}
	cfg.NewStorage = b.newStorage
	cfg.StoreHealth = func(context.Context) error { return b.db.Err() }
	cfg.Clock, cfg.Random, cfg.Timekeeper = b.engine, b.engine.Random(), timekeeper{b}
	cfg.BeginList = b.db.BeginList
	cfg.Gate, cfg.Faults, cfg.Recorder = gate{b}, &b.faults, b.c.recorder()
	cfg.Logs, cfg.Metrics = logs, metrics
	cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		return b.network.Load().DialContext(ctx, network, address)
	}
	cfg.Handlers = map[string]http.Handler{historyPath: historyHandler{b}, explainPath: explainHandler{b}, recordPath: b.c.recording}
	return nil
}

// newStorage opens one resource in the store.
func (b *bolt) newStorage(sc apiserver.StorageConfig) (k8sstorage.Interface, factory.DestroyFunc, error) {
	store, err := b.db.Resource(storage.ResourceConfig{
		GroupResource: sc.GroupResource, ResourcePrefix: sc.Prefix, Codec: sc.Codec,
		NewFunc: sc.NewFunc, NewListFunc: sc.NewListFunc, Protobuf: sc.Protobuf,
	})
	return store, func() {}, err
}

// join implements backend. It joins the store to the API server's caches and
// to the engine, and fills caches and view with what an earlier run has left.
func (b *bolt) join(ctx context.Context) (err error) {
	api, err := b.faults.register(b.engine, localAPI{b.c.server.Local()})
	if err != nil {
		return err
	}
	if b.programs, err = b.c.register(b.engine, api, b.logs, b.used); err != nil {
		return err
	}
	b.sessions = session.New(b.programs, b.settle)
	b.engine.Register(b.sessions)
	b.network.Store(b.c.newNetwork(b.sessions))
	b.engine.Register(newHousekeeping(b.db, b.engine, b.c.options.CompactionInterval))
	b.db.Observe(func(commit storage.Commit) {
		if commit.Object == nil {
			return // an object that nobody could read was removed
		}
		obj, err := b.c.server.Observe(commit.Resource, commit.Type, commit.Object)
		if err != nil {
			b.c.fail(err)
			return
		}
		if t := b.c.options.timeline; t != nil && t.world != nil {
			t.world.Put(commit.Resource.String(), obj, commit.Type == watch.Deleted)
		}
		b.engine.Deliver(commitOf(commit, obj))
	})
	return b.goOn(ctx)
}

func commitOf(c storage.Commit, obj engine.Object) engine.Commit {
	return engine.Commit{Revision: c.Revision, Type: c.Type, Resource: engine.ResourceOf(c.Resource), Object: obj}
}

// checkpoint reads the engine's last checkpoint and the revision of it; nil if there is
// none. One that cannot be read is told and left aside: a cluster without it starts its
// containers anew, and that is better than none.
func (b *bolt) checkpoint() (*engine.Checkpoint, int64) {
	marks, at, err := b.db.Marks(b.db.Revision())
	if err == nil && (len(marks) == 0 || b.db.Compacted() > at) {
		return nil, 0
	}
	checkpoint := (*engine.Checkpoint)(nil)
	if err == nil {
		checkpoint, err = engine.ReadCheckpoint(marks)
	}
	if err != nil {
		b.c.warn(fmt.Sprintf("what the last run remembered is left aside, and containers start anew: %v", err))
		return nil, 0
	}
	return checkpoint, at
}

// goOn fills caches and view with what an earlier run has left: the engine's last
// checkpoint with the state of then, and after it, as news, what came later. A
// crash leaves some of that, a rewind may; without a checkpoint all is news.
func (b *bolt) goOn(ctx context.Context) error {
	checkpoint, at := b.checkpoint()
	if checkpoint == nil {
		return b.db.Replay(b.db.Revision(), b.recallAsNews)
	}
	var later []storage.Commit
	err := b.db.ReplayAfter(at, func(c storage.Commit) error {
		later = append(later, c)
		return nil
	})
	if err != nil {
		return err
	}
	err = b.engine.Restore(storage.WithoutWait(ctx), checkpoint, len(later) > 0, func(f func(engine.Commit)) error {
		return b.db.Replay(at, func(c storage.Commit) error {
			obj, err := b.c.server.Observe(c.Resource, c.Type, c.Object)
			if err != nil {
				return err
			}
			commit := commitOf(c, obj)
			commit.Replayed = true
			f(commit)
			return nil
		})
	})
	for _, c := range later {
		if err == nil {
			err = b.recallAsNews(c)
		}
	}
	return err
}

// recallAsNews delivers a commit of an earlier run.
func (b *bolt) recallAsNews(c storage.Commit) error {
	obj, err := b.c.server.Observe(c.Resource, c.Type, c.Object)
	if err != nil {
		return err
	}
	commit := commitOf(c, obj)
	commit.Replayed = true
	b.engine.Deliver(commit)
	return nil
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

// settleMax bounds how long a client waits for rest, as for the answer to a write.
// Unit: wall time.
const settleMax = 58 * time.Second

// settle waits until the cluster is at rest and what it has written can be read,
// as a write's answer does.
func (b *bolt) settle(ctx context.Context) error {
	if b.engine.Status().Mode == engine.Realtime {
		return nil
	}
	inTime, cancel := context.WithTimeout(ctx, settleMax)
	defer cancel()
	if err := b.engine.Settle(inTime); err != nil {
		return ctx.Err() // it went on for too long: the client is answered early
	}
	return b.db.Settle(ctx)
}

// close implements backend and writes out what is pending.
func (b *bolt) close() {
	if b.programs != nil {
		b.programs.Close()
	}
	if network := b.network.Load(); network != nil {
		network.Close() // run did it, unless it was never called
	}
	_ = b.db.Close() // nobody is left to tell
}

// gate is where writes from outside enter the ring.
type gate struct{ b *bolt }

// Enter implements apiserver.Gate. What the engine has written in the meantime
// must be visible to readers, and so as durable as the mode promises, before a
// client is answered.
func (g gate) Enter(ctx context.Context) (func(context.Context) error, error) {
	leave, err := g.b.engine.Enter(ctx)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		if err := leave(ctx); err != nil {
			return err
		}
		if g.b.engine.Status().Mode == engine.Realtime {
			return nil
		}
		return g.b.db.Settle(ctx)
	}, nil
}

// Flows implements apiserver.Gate.
func (g gate) Flows() bool { return g.b.engine.Status().Mode == engine.Realtime }
