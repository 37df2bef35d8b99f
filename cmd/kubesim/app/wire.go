package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	k8sstorage "k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/lifecycle"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
	"github.com/kubesim-dev/kubesim/storage"
)

// Options describe a cluster.
type Options struct {
	// DataDir is where the cluster lives; empty for the default, or for a
	// temporary folder if Ephemeral.
	DataDir string
	// Ephemeral leaves out every fsync: the cluster is as fast as it can be and
	// may be lost when the machine crashes.
	Ephemeral bool
	// Listen is the address of the API, for example "127.0.0.1:6443".
	Listen string
	// Kubeconfig is the file to write; empty for one in the data directory.
	Kubeconfig string
	// Mode and Speed say how virtual time moves.
	Mode  engine.Mode
	Speed float64
	// Seed decides every name, UID and random number.
	Seed uint64
	// Start is the first virtual instant; zero for the present. A cluster that
	// starts again goes on from where it stopped, if that is later.
	Start time.Time
	// Nodes is how many simulated nodes there are; 0 for an API alone.
	Nodes int
	// Controllers selects reconcilers, in the syntax of kube-controller-manager.
	Controllers []string
	// CompactionInterval is how much history the store keeps, in virtual time.
	// Zero for defaultCompactionInterval and at least historyMin revisions.
	CompactionInterval time.Duration
	// Authorization, TokenAuthFile and DisableAdmissionPlugins: as upstream.
	Authorization           string
	TokenAuthFile           string
	DisableAdmissionPlugins []string
	// Log receives the event log; nil for none.
	Log io.Writer
}

// advertised is the address of the kubernetes Service's endpoint. The API
// refuses loopback addresses; this one, of TEST-NET-1 (RFC 5737), is nobody's.
const advertised = "192.0.2.1"

// storeFile is the name of the bbolt file in the data directory.
const storeFile = "kubesim.db"

// Cluster is a running cluster: the ring of store, API server, engine,
// controllers and kubelets.
type Cluster struct {
	dir        *dataDir
	db         *storage.DB
	engine     *engine.Engine
	server     *apiserver.Server
	listener   net.Listener
	kubeconfig string
	nodes      int
	programs   *lifecycle.Reconciler

	stop    context.CancelFunc
	running sync.WaitGroup
	// failed receives the first error of a part that must not end.
	failed chan error
}

// Start builds the cluster and starts it. The caller must Close it.
func Start(ctx context.Context, o Options) (_ *Cluster, err error) {
	listener, err := listen(o.Listen)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	c := &Cluster{listener: listener, nodes: o.Nodes, stop: stop, failed: make(chan error, 4)}
	defer func() {
		if err != nil {
			listener.Close()
			c.Close()
		}
	}()
	if c.dir, err = openDataDir(o.DataDir, o.Ephemeral); err != nil {
		return nil, err
	}
	if err := c.openStore(o); err != nil {
		return nil, err
	}
	keys, err := c.newServer(ctx, o)
	if err != nil {
		return nil, err
	}
	c.observe()
	if err := c.replay(); err != nil {
		return nil, err
	}
	if err := c.writeKubeconfig(o, keys); err != nil {
		return nil, err
	}
	return c, c.run(ctx)
}

// listen opens the API's port.
func listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return nil, fmt.Errorf("cannot listen on %s: %w: choose another address with --listen, for example 127.0.0.1:0 for any free port", address, err)
	}
	return listener, nil
}

// openStore opens the file and the engine, whose time and randomness go on
// from what the file says. Each needs the other: the store stamps revisions
// with the engine's time.
func (c *Cluster) openStore(o Options) error {
	var now func() time.Time
	db, err := storage.Open(storage.Config{
		Path: c.dir.file(storeFile), Ephemeral: o.Ephemeral,
		Now:     func() time.Time { return now() },
		OnFatal: c.fail,
	})
	if err != nil {
		return err
	}
	c.db = db
	c.engine, err = engine.New(engine.Config{
		Start: startTime(o, db.LastWrite()), Seed: o.Seed, Stream: uint64(db.Revision()),
		Mode: o.Mode, Speed: o.Speed, Log: o.Log,
	})
	if err != nil {
		return err
	}
	now = c.engine.Now
	return nil
}

// startTime lets virtual time go on from the last write of an earlier run, so
// that it never goes back. In mode realtime it then keeps up with the wall
// clock again.
func startTime(o Options, last time.Time) time.Time {
	start := o.Start
	if last.IsZero() {
		return start
	}
	if start.IsZero() && o.Mode == engine.Realtime {
		start = time.Now()
	}
	if start.After(last) {
		return start
	}
	return last
}

// newServer builds the API server and everything that writes to it.
func (c *Cluster) newServer(ctx context.Context, o Options) (*pki, error) {
	keys, err := openPKI(c.dir, time.Now())
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(c.listener.Addr().String())
	if err != nil {
		return nil, err
	}
	certificate, err := keys.serving([]net.IP{net.ParseIP(host), net.IPv4(127, 0, 0, 1), net.IPv6loopback, net.ParseIP(advertised), net.ParseIP("10.96.0.1")}, time.Now())
	if err != nil {
		return nil, err
	}
	logs := &stream.Store{}
	reader, err := stream.NewLogs(logs, c.engine.Now)
	if err != nil {
		return nil, err
	}
	c.server, err = apiserver.New(ctx, apiserver.Config{
		Listener: c.listener, Certificate: certificate, CA: keys.caPEM, ServiceAccountKey: keys.tokenKey(),
		TokenAuthFile: o.TokenAuthFile, Authorization: o.Authorization, DisableAdmissionPlugins: o.DisableAdmissionPlugins,
		AdvertiseAddress: net.ParseIP(advertised),
		NewStorage:       c.newStorage,
		Clock:            c.engine, Random: c.engine.Random(), Gate: gate{c},
		Logs: reader, Version: gitVersion,
		Handlers: map[string]http.Handler{clockPath: clockHandler{c}},
	})
	if err != nil {
		return nil, err
	}
	return keys, c.register(o, keys, logs)
}

// newStorage opens one resource in the store.
func (c *Cluster) newStorage(sc apiserver.StorageConfig) (k8sstorage.Interface, factory.DestroyFunc, error) {
	store, err := c.db.Resource(storage.ResourceConfig{
		GroupResource: sc.GroupResource, ResourcePrefix: sc.Prefix, Codec: sc.Codec,
		NewFunc: sc.NewFunc, NewListFunc: sc.NewListFunc,
	})
	return store, func() {}, err
}

// observe joins the store to the API server's caches and to the engine.
func (c *Cluster) observe() {
	c.db.Observe(func(commit storage.Commit) {
		if err := c.deliver(commit, false); err != nil {
			c.fail(err)
		}
	})
}

func (c *Cluster) deliver(commit storage.Commit, replayed bool) error {
	if commit.Object == nil {
		return nil // an object that nobody could read was removed
	}
	obj, err := c.server.Observe(commit.Resource, commit.Type, commit.Object)
	if err != nil {
		return err
	}
	c.engine.Deliver(engine.Commit{Revision: commit.Revision, Type: commit.Type, Resource: engine.ResourceOf(commit.Resource), Object: obj, Replayed: replayed})
	return nil
}

// replay fills caches and view with what an earlier run has left.
func (c *Cluster) replay() error {
	return c.db.Replay(func(commit storage.Commit) error { return c.deliver(commit, true) })
}

func (c *Cluster) writeKubeconfig(o Options, keys *pki) error {
	c.kubeconfig = o.Kubeconfig
	if c.kubeconfig == "" {
		c.kubeconfig = c.dir.file("kubeconfig")
	}
	path, err := filepath.Abs(c.kubeconfig)
	if err != nil {
		return err
	}
	c.kubeconfig = path
	certificate, key, err := keys.administrator(time.Now())
	if err != nil {
		return err
	}
	return writeKubeconfig(path, "https://"+reachable(c.listener.Addr()), keys.caPEM, certificate, key)
}

// reachable is the address that clients on this machine use.
func reachable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// run starts the API server and the engine.
func (c *Cluster) run(ctx context.Context) error {
	if err := c.server.Bootstrap(storage.WithoutWait(ctx)); err != nil {
		return err
	}
	c.running.Add(2)
	go func() {
		defer c.running.Done()
		if err := c.engine.Run(storage.WithoutWait(ctx)); err != nil && ctx.Err() == nil {
			c.fail(err)
		}
	}()
	go func() {
		defer c.running.Done()
		if err := c.server.Run(ctx); err != nil && ctx.Err() == nil {
			c.fail(err)
		}
	}()
	return nil
}

// fail reports why the cluster cannot go on.
func (c *Cluster) fail(err error) {
	select {
	case c.failed <- err:
	default: // the first error is the one that counts
	}
}

// Kubeconfig is the path of the kubeconfig that was written.
func (c *Cluster) Kubeconfig() string { return c.kubeconfig }

// Engine moves the cluster's time.
func (c *Cluster) Engine() *engine.Engine { return c.engine }

// Wait returns when ctx ends, or earlier with the reason why the cluster
// cannot go on.
func (c *Cluster) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-c.failed:
		return err
	}
}

// Close stops everything in order and writes out what is pending.
func (c *Cluster) Close() {
	c.stop()
	c.running.Wait()
	if c.programs != nil {
		c.programs.Close()
	}
	if c.db != nil {
		_ = c.db.Close()
	}
	if c.dir != nil {
		c.dir.close()
	}
}

// gate is where writes from outside enter the ring.
type gate struct{ c *Cluster }

// Enter implements apiserver.Gate. What the engine has written in the meantime
// must be durable, and so visible to readers, before a client is answered.
func (g gate) Enter(ctx context.Context) (func(context.Context) error, error) {
	leave, err := g.c.engine.Enter(ctx)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		if err := leave(ctx); err != nil {
			return err
		}
		if g.c.engine.Status().Mode == engine.Realtime {
			return nil
		}
		return g.c.db.Sync(ctx)
	}, nil
}

// nodesReady reports whether every simulated node is Ready.
func nodesReady(nodes []corev1.Node, want int) bool {
	ready := 0
	for i := range nodes {
		for _, condition := range nodes[i].Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
				ready++
			}
		}
	}
	return ready >= want
}
