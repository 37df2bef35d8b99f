package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
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
	// Listen is the address of the API, for example "127.0.0.1:6443"; empty for
	// none: only this process reaches it then, see Cluster.RESTConfig.
	Listen string
	// Listener, if set, accepts the API's connections in place of a port at
	// Listen. The cluster closes it.
	Listener net.Listener
	// Kubeconfig is the file to write; empty for one in the data directory.
	Kubeconfig string
	// Mode and Speed say how virtual time moves.
	Mode  engine.Mode
	Speed float64
	// AutoMax bounds how far mode auto moves time after one input, see engine.Config.
	AutoMax time.Duration
	// Seed decides every name, UID and random number.
	Seed uint64
	// Start is the first virtual instant, between engine.TimeMin and engine.TimeMax;
	// zero for the present. A cluster that starts again goes on from where it stopped,
	// if that is later.
	Start time.Time
	// Nodes is how many simulated nodes there are; 0 for an API alone.
	Nodes int
	// Controllers selects reconcilers, in the syntax of kube-controller-manager.
	Controllers []string
	// Memory is what the Pods may hold of the host's memory, all together: logs, files,
	// processes, connections. Unit: bytes. Zero: a quarter of the machine's.
	Memory int64
	// CompactionInterval is how much history the store keeps, in virtual time; in
	// etcd in wall time, where zero is upstream's default. Else zero is
	// defaultCompactionInterval and at least historyMin revisions.
	CompactionInterval time.Duration
	// Authorization, TokenAuthFile and DisableAdmissionPlugins: as upstream.
	Authorization           string
	TokenAuthFile           string
	DisableAdmissionPlugins []string
	// ServiceClusterIPRange is where the addresses of Services come from, as
	// kube-apiserver's flag says it; empty for the default.
	ServiceClusterIPRange string
	// Etcd says where the cluster lies if it does not lie in DataDir.
	Etcd EtcdOptions
	// Log receives the event log; nil for none.
	Log io.Writer
	// Timeline receives what happens to Pods and Jobs, a line each, with the virtual
	// time since Start, as `kubesim script test` prints it; nil for none.
	Timeline io.Writer
	// Warnings receives a line about each thing in the data directory that had to be
	// left aside; nil for nobody.
	Warnings io.Writer
	// CheckTrusted: the writes of controllers and kubelets are validated also where
	// they are trusted, and one that is not valid ends the cluster. For tests.
	CheckTrusted bool

	// Record, if set, is the file that receives what clients do, as a scenario. The
	// cluster must be new, and its clock's mode not realtime.
	Record *os.File

	// featureGates are those of the process, for Record.
	featureGates map[string]bool
	// resumed: the cluster was rewound; virtual time goes on from then, although
	// the wall clock does not. paused: its clock stood still.
	resumed, paused bool
	// timeline, if set, is told what happens to Pods.
	timeline *timeline
	// noOpenAPI: no client asks what the API is like.
	noOpenAPI bool
}

// advertised is the address of the kubernetes Service's endpoint. The API
// refuses loopback addresses; this one, of TEST-NET-1 (RFC 5737), is nobody's.
const advertised = "192.0.2.1"

// Cluster is a running cluster: the ring of store, API server, engine,
// controllers and kubelets.
type Cluster struct {
	options    Options
	dir        *dataDir
	listener   net.Listener
	kubeconfig string
	// failed receives the first error of a part that must not end.
	failed chan error
	turns  turns
	// recording is nil without Options.Record.
	recording *recording

	// What follows is the ring, which is taken apart and put together again when
	// the cluster is rewound. ctx outlives it.
	ctx     context.Context
	backend backend
	keys    *pki
	server  *apiserver.Server
	// The engine stops before the server: what it still has to write, it writes
	// through the server.
	stopDriving, stopServing context.CancelFunc
	driving, serving         sync.WaitGroup
}

// Start builds the cluster and starts it. The caller must Close it.
func Start(ctx context.Context, o Options) (_ *Cluster, err error) {
	listener := o.Listener
	switch {
	case listener != nil:
	case o.Listen == "":
		listener = newMemory()
	default:
		if listener, err = listen(o.Listen); err != nil {
			return nil, err
		}
	}
	if o.Timeline != nil {
		o.timeline = newTimeline(o.Timeline)
		o.timeline.all, o.timeline.start = true, o.Start
	}
	c := &Cluster{options: o, listener: listener, ctx: context.WithoutCancel(ctx), failed: make(chan error, 4)}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if c.dir, err = openDataDir(o.DataDir, o.Ephemeral); err != nil {
		return nil, err
	}
	return c, c.assemble()
}

// assemble joins the ring and sets it going. What it has opened when it fails,
// takeApart closes.
func (c *Cluster) assemble() (err error) {
	ctx, stop := context.WithCancel(c.ctx)
	c.stopDriving, c.stopServing, c.backend = func() {}, stop, nil
	if c.backend, err = openBackend(ctx, c); err != nil {
		return err
	}
	if c.keys, err = c.backend.keys(); err != nil {
		return err
	}
	if err := c.newServer(ctx); err != nil {
		return err
	}
	if err := c.backend.join(ctx); err != nil {
		return err
	}
	if err := c.writeKubeconfig(); err != nil {
		return err
	}
	return c.run(ctx)
}

// takeApart stops the ring in order and writes out what is pending.
func (c *Cluster) takeApart() {
	if c.stopServing == nil {
		return // it was never assembled
	}
	c.stopDriving()
	c.driving.Wait()
	c.awaitStreams()
	c.stopServing()
	c.serving.Wait()
	if c.backend != nil {
		c.backend.close()
	}
}

// streamsMax bounds how long a server that stops waits for its clients to hear that
// their sessions have ended. Unit: wall time.
const streamsMax = 300 * time.Millisecond

func (c *Cluster) awaitStreams() {
	if c.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), streamsMax)
	defer cancel()
	c.server.AwaitStreams(ctx)
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

// serviceRange is where the addresses of Services come from. It must not overlap with
// those of Pods and nodes.
func serviceRange(o Options) (apiserver.ServiceRange, error) {
	services, err := apiserver.ParseServiceRange(o.ServiceClusterIPRange)
	if err != nil {
		return services, err
	}
	for what, cidr := range node.Ranges() {
		if services.Overlaps(&cidr) {
			return services, fmt.Errorf("--service-cluster-ip-range %s overlaps with %s, from which %s get their addresses: want for example %s",
				services.String(), cidr.String(), what, apiserver.DefaultServiceClusterIPRange)
		}
	}
	return services, nil
}

// newServer builds the API server on what the backend gives it.
func (c *Cluster) newServer(ctx context.Context) error {
	host, _, err := net.SplitHostPort(c.listener.Addr().String())
	if err != nil {
		return err
	}
	services, err := serviceRange(c.options)
	if err != nil {
		return err
	}
	certificate, err := c.keys.serving([]net.IP{net.ParseIP(host), net.IPv4(127, 0, 0, 1), net.IPv6loopback, net.ParseIP(advertised), services.Kubernetes}, time.Now())
	if err != nil {
		return err
	}
	cfg := apiserver.Config{
		Listener: borrow(c.listener), Certificate: certificate, CA: c.keys.caPEM, ServiceAccountKey: c.keys.tokenKey(),
		TokenAuthFile: c.options.TokenAuthFile, Authorization: c.options.Authorization,
		DisableAdmissionPlugins: c.options.DisableAdmissionPlugins,
		AdvertiseAddress:        net.ParseIP(advertised), ExternalAddress: reachable(c.listener.Addr()), Version: gitVersion, Build: builtFrom(), Services: services,
		CheckTrusted: c.options.CheckTrusted, NoOpenAPI: c.options.noOpenAPI,
	}
	if err := c.backend.configure(&cfg); err != nil {
		return err
	}
	c.server, err = apiserver.New(ctx, cfg)
	return err
}

func (c *Cluster) writeKubeconfig() error {
	c.kubeconfig = c.options.Kubeconfig
	if c.kubeconfig == "" {
		c.kubeconfig = c.dir.file("kubeconfig")
	}
	path, err := filepath.Abs(c.kubeconfig)
	if err != nil {
		return err
	}
	c.kubeconfig = path
	certificate, key, err := c.keys.administrator(time.Now())
	if err != nil {
		return err
	}
	return writeKubeconfig(path, "https://"+reachable(c.listener.Addr()), c.keys.caPEM, certificate, key)
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

// run starts the API server and what drives the cluster.
func (c *Cluster) run(ctx context.Context) error {
	if err := c.server.Bootstrap(storage.WithoutWait(ctx)); err != nil {
		return err
	}
	driving, stop := context.WithCancel(ctx)
	c.stopDriving = stop
	c.driving.Go(func() {
		if err := c.backend.run(driving); err != nil && driving.Err() == nil {
			c.fail(err)
		}
	})
	c.serving.Go(func() {
		if err := c.server.Run(ctx); err != nil && ctx.Err() == nil {
			c.fail(err)
		}
	})
	return nil
}

// warn tells the user about what the cluster goes on without.
func (c *Cluster) warn(text string) {
	if c.options.Warnings != nil {
		fmt.Fprintf(c.options.Warnings, "kubesim: %s\n", text)
	}
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

// Client may do anything, and needs no port: its requests run the API server's
// own handlers, in this process. It is that of the ring as it is now: a rewind
// ends it.
func (c *Cluster) Client() kubernetes.Interface { return c.server.Client() }

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
	c.turns.end()
	c.takeApart()
	_ = c.listener.Close() // nobody is left to tell
	if c.dir != nil {
		c.dir.close()
	}
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
