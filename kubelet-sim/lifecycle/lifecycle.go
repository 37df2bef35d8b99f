// Package lifecycle is the Pod worker of every simulated kubelet: it carries out what package
// decide says of a Pod, lets its programs go on, and reports what package status makes of
// them.
//
// Invariant: what the worker knows of a Pod is one plain value, podstate.State, which the
// engine's checkpoint keeps. What it holds beside that, a podRun's programs, files and
// connections, follows from the State and the Pod's object: after a restart of the server
// the programs are run again from their start, as package recovery says. All of it is of
// the engine's goroutine, but for the logs that readers ask to be made again.
//
// Read reconcile.go first, then decide's plan.go and apply.go, which has a case for each verb.
// The rooms around it know nothing of the worker. Those that need it, sessions and static
// Pods, have an interface of their own, or use what clients.go and network.go export.
package lifecycle

import (
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/cri"
	"github.com/kubesim-dev/kubesim/kubelet-sim/depend"
	"github.com/kubesim-dev/kubesim/kubelet-sim/images"
	"github.com/kubesim-dev/kubesim/kubelet-sim/network"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podcertificate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/script"
	"github.com/kubesim-dev/kubesim/kubelet-sim/static"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
	"github.com/kubesim-dev/kubesim/kubelet-sim/volume"
)

// Config is what New needs to know.
type Config struct {
	// Engine runs the reconciler.
	Engine *engine.Engine
	// API is written to.
	API engine.API
	// Nodes are the simulated nodes; Pods elsewhere are left alone.
	Nodes []node.Node
	// Runtime runs the containers, see NewRuntime.
	Runtime cri.Runtime
	// Logs receives what the containers print.
	Logs *stream.Store
	// Stats receives what they use.
	Stats *stats.Store
	// Memory is what the Pods share of the host's.
	Memory *stats.Budget
	// Token makes the token of a service account for a projected volume, when
	// a program first looks at it. Nil: such volumes have no token.
	Token func(volume.TokenRequest) (string, error)
	// UnknownRuntime is how long a program takes that nothing is known of.
	// Unit: virtual time. Zero: UnknownRuntimeDefault.
	UnknownRuntime time.Duration
	// Follower, if set, is told what containers do.
	Follower Follower
	// ClusterDomain and ClusterDNS go into resolv.conf. Empty: "cluster.local"
	// and 10.96.0.10.
	ClusterDomain, ClusterDNS string
}

// UnknownRuntimeDefault is Config.UnknownRuntime's default.
const UnknownRuntimeDefault = 5 * time.Second

func (c *Config) validate() error {
	var errs []error
	if c.Engine == nil {
		errs = append(errs, errors.New("lifecycle: Config.Engine is nil"))
	}
	if c.API == nil {
		errs = append(errs, errors.New("lifecycle: Config.API is nil"))
	}
	if c.Runtime == nil {
		errs = append(errs, errors.New("lifecycle: Config.Runtime is nil: want NewRuntime()"))
	}
	if c.Logs == nil {
		errs = append(errs, errors.New("lifecycle: Config.Logs is nil: want a new stream.Store"))
	}
	if c.Stats == nil {
		errs = append(errs, errors.New("lifecycle: Config.Stats is nil: want a new stats.Store"))
	}
	if c.Memory == nil {
		errs = append(errs, errors.New("lifecycle: Config.Memory is nil: want a stats.NewBudget"))
	}
	if c.UnknownRuntime == 0 {
		c.UnknownRuntime = UnknownRuntimeDefault
	}
	if c.ClusterDomain == "" {
		c.ClusterDomain = "cluster.local"
	}
	if c.ClusterDNS == "" {
		c.ClusterDNS = "10.96.0.10"
	}
	return errors.Join(errs...)
}

// Reconciler is the kubelet of every simulated node.
type Reconciler struct {
	cfg          Config
	view         *engine.View
	nodes        map[string]*nodeState
	runs         map[types.NamespacedName]*podRun
	images       images.Names
	storage      *volume.Storage
	shared       *stats.Account // pays for what is of no one Pod: storage, and the nodes' own files
	lookAt       int64          // what may be held before relieveHost has to look again. Unit: bytes
	network      *network.Cluster
	certificates podcertificate.Manager
	mirrors      static.Mirrors
	// waiters are the Pods that wait for an object.
	waiters depend.Waiters
	// stocked: takeStock was done.
	stocked bool
	// written are the nodes whose files a program may have changed in this step.
	written []*nodeState
	// looked: lookAtManifests was called.
	looked bool

	// mu guards recalls, which other goroutines ask for.
	mu      sync.Mutex
	recalls map[types.NamespacedName]bool
}

var _ engine.Reconciler = (*Reconciler)(nil)

// New returns the reconciler. It needs the View's Pods, Nodes, ConfigMaps,
// Secrets, Services, EndpointSlices, ServiceAccounts, ClusterTrustBundles,
// PodCertificateRequests, volumes and claims, which New makes it track.
func New(cfg Config) (*Reconciler, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	r := &Reconciler{
		cfg: cfg, view: cfg.Engine.View(),
		nodes: map[string]*nodeState{}, runs: map[types.NamespacedName]*podRun{},
		certificates: podcertificate.Manager{Engine: cfg.Engine, API: cfg.API},
		images:       images.Names{}, shared: cfg.Memory.OpenShared(), waiters: depend.Waiters{}, recalls: map[types.NamespacedName]bool{},
	}
	r.mirrors = static.Mirrors{View: r.view, API: cfg.API, Kubelet: staticKubelet{r}}
	r.storage = volume.NewStorage(r.view, cfg.Token, r.shared.Of(stats.Storage))
	for _, resource := range []engine.Resource{
		engine.Pods, engine.Nodes, engine.ConfigMaps, engine.Secrets, engine.Services,
		engine.ServiceAccounts, engine.ClusterTrustBundles, engine.PodCertificateRequests,
		engine.PersistentVolumes, engine.PersistentVolumeClaims,
	} {
		r.view.Track(resource)
	}
	indexIPs(r.view)
	script.Track(r.view)
	r.network = network.New(r.view, cfg.ClusterDomain)
	for _, n := range cfg.Nodes {
		state, err := newNodeState(n, cfg.Engine.NewEventRecorder(cfg.API, node.Identity(n.Name), engine.Source{Component: "kubelet", Host: n.Name}))
		if err != nil {
			return nil, err
		}
		state.files = static.NewFiles(n.Name, cfg.ClusterDNS, r.shared.Of(stats.Storage), func() { r.noteWritten(state) })
		state.netns.Account = r.shared.Of(stats.Memory)
		r.nodes[n.Name] = state
	}
	return r, nil
}

// Close ends every program. The engine must have stopped for good.
func (r *Reconciler) Close() {
	for _, run := range r.runs {
		run.close()
	}
}
