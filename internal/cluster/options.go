package cluster

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	genericapiserver "k8s.io/apiserver/pkg/server"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/datadir"
	"github.com/kubesim-dev/kubesim/kubelet-sim/lifecycle"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
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
	// Name is the cluster's, which its entries in a kubeconfig have, see
	// kubeconfig.Context; empty for one without.
	Name string
	// Kubeconfig is a file to put the cluster's entries into, beside the one in the data
	// directory; empty for none.
	Kubeconfig string
	// Mode and Speed say how virtual time moves.
	Mode  engine.Mode
	Speed float64
	// Paused: virtual time stands still at first.
	Paused bool
	// AutoMax bounds how far auto mode advances the clock after one input, see engine.Config.
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
	// AdmissionConfiguration configures admission plugins; nil for their defaults.
	AdmissionConfiguration apiserver.AdmissionConfiguration
	// Audit says which requests of clients are logged where; nil for none.
	Audit *apiserver.AuditConfig
	// ServiceClusterIPRange is where the addresses of Services come from, as
	// kube-apiserver's flag says it; empty for the default.
	ServiceClusterIPRange string
	// Etcd says where the cluster lies if it does not lie in DataDir.
	Etcd EtcdOptions
	// Opened is called when the process has the file in the data directory, before anything
	// is written to it, and again after each rewind; ClockChanged when a client has changed
	// how virtual time moves. Nil for nothing. Neither is called if the cluster lies in etcd.
	Opened       func(*datadir.Dir) error
	ClockChanged func(mode engine.Mode, speed float64, paused bool)
	// Log receives the event log; nil for none.
	Log io.Writer
	// Follower is told of what happens; nil for nobody.
	Follower Follower
	// Warn is told of each thing in the data directory that had to be left aside, and of
	// what could not be written when the cluster started; nil for nobody.
	Warn func(text string)
	// CheckTrusted: the writes of controllers and kubelets are validated also where
	// they are trusted, and one that is not valid ends the cluster. For tests.
	CheckTrusted bool

	// NoOpenAPI: no client asks what the API is like.
	NoOpenAPI bool

	// Configure changes what upstream's generic server is configured with, last of all;
	// nil for nothing. For tests.
	Configure func(*genericapiserver.Config)

	// Handlers answer paths beside the API, for clients that it has authorized; nil for
	// none.
	Handlers func(*Cluster) map[string]http.Handler
	// Recorder is told what clients do; nil for nobody. The cluster must be new, and its
	// clock's mode not realtime.
	Recorder Recorder
}

// Follower is told of what happens in a cluster, while it happens.
type Follower interface {
	// Follower is told of what the kubelets do.
	lifecycle.Follower
	// Attach gives it the engine, before it runs; another one after each restart.
	Attach(e *engine.Engine)
	// Committed is told of each commit to a file, by the goroutine that writes it.
	Committed(resource schema.GroupResource, obj engine.Object, deleted bool)
}

// Recorder is told what clients do to a cluster, in the order in which it has an effect.
type Recorder interface {
	apiserver.Recorder
	// Begin comes first; now is the cluster's clock.
	Begin(start time.Time, now func() time.Time) error
	// Clock: a command of the clock has been done.
	Clock(c engine.Command)
	// TakenBack: the cluster was, by what, for example "rewind 10m".
	TakenBack(what string)
}

// ServiceRange is where the addresses of Services come from. It must not overlap with
// those of Pods and nodes, if there are any.
func (o *Options) ServiceRange() (apiserver.ServiceRange, error) {
	services, err := apiserver.ParseServiceRange(o.ServiceClusterIPRange)
	if err != nil {
		return services, err
	}
	for what, cidr := range node.Ranges() {
		if o.Nodes > 0 && services.Overlaps(&cidr) {
			return services, fmt.Errorf("--service-cluster-ip-range %s overlaps with %s, from which %s get their addresses: want for example %s",
				services.String(), cidr.String(), what, apiserver.DefaultServiceClusterIPRange)
		}
	}
	return services, nil
}
