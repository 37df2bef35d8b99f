package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	k8sstorage "k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"
	"k8s.io/client-go/rest"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/apiserver/registry"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/pki"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
	"github.com/kubesim-dev/kubesim/storage"
	"github.com/kubesim-dev/kubesim/storage/etcd"
)

// EtcdOptions describe a cluster that several servers share.
type EtcdOptions struct {
	// Servers are the URLs of etcd's members; empty for a cluster in a data
	// directory.
	Servers []string
	// Prefix begins every key of the cluster.
	Prefix string
	// CAFile, CertFile and KeyFile secure the connection to etcd.
	CAFile, CertFile, KeyFile string
	// LeaseDuration, RenewDeadline and RetryPeriod say how the servers elect
	// the one whose engine runs, as kube-controller-manager's flags of these
	// names.
	LeaseDuration, RenewDeadline, RetryPeriod time.Duration
}

// shared is the backend of a cluster that lies in etcd. Every server of it
// answers clients; one, the leader, runs the engine with the controllers and
// the kubelets. Time is the wall clock's, as on a real cluster: nobody could
// move it for all.
type shared struct {
	c    *Cluster
	ring *ring
	db   *etcd.DB
	// authority is what all servers of the cluster share.
	authority *pki.Authority
	// start is the revision at which this server has begun: no other has it.
	start  int64
	random *engine.Random

	// forward is how this server asks another.
	forward rest.TLSClientConfig

	// terms counts how often this server has led.
	terms uint64
	// logs and metrics are those of the present term, nil while another server leads.
	logs    atomic.Pointer[registry.LogReader]
	metrics atomic.Pointer[stats.Metrics]
	network atomic.Pointer[stream.Network]
	faults  faults
	// definitions are what this server serves of them.
	definitions *definitions
}

// openTimeout bounds how long etcd may take to answer the first questions.
const openTimeout = 10 * time.Second

// openEtcd connects to etcd and founds the cluster, or joins it.
func openEtcd(ctx context.Context, r *ring) (backend, error) {
	c := r.c
	o := c.options.Etcd
	db, err := etcd.Open(ctx, etcd.Config{
		Servers: o.Servers, Prefix: o.Prefix, CAFile: o.CAFile, CertFile: o.CertFile, KeyFile: o.KeyFile,
		CompactionInterval: c.options.CompactionInterval, OnFatal: c.fail,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	s := &shared{c: c, ring: r, db: db}
	if s.authority, err = s.found(ctx); err == nil {
		s.start, err = db.NewRevision(ctx)
	}
	if err != nil {
		_ = db.Close() // the first error is the one that counts
		return nil, err
	}
	s.random = engine.NewRandom(c.options.Seed, s.stream())
	return s, nil
}

// stream is the random stream of the present term; before the first one it is
// that of what this server does as an API server. No two are the same, so that
// no name or UID comes twice.
func (s *shared) stream() uint64 { return uint64(s.start)<<16 + s.terms }

// founding is what the first server of a cluster decides for all of them.
type founding struct {
	pki.Shared
	// Seed is that of the simulated programs: a new leader runs the containers
	// of the one before again.
	Seed uint64 `json:"seed"`
}

// found returns the cluster's keys; the first server makes them. Whoever can read
// them in etcd could as well write a ClusterRoleBinding there, or read every
// Secret.
func (s *shared) found(ctx context.Context) (*pki.Authority, error) {
	data, err := s.db.Once(ctx, "cluster", func() ([]byte, error) {
		keys, err := pki.NewShared(time.Now())
		if err != nil {
			return nil, err
		}
		return json.Marshal(founding{Shared: keys, Seed: s.c.options.Seed})
	})
	if err != nil {
		return nil, err
	}
	var f founding
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("the cluster's keys in etcd: %w", err)
	}
	if f.Seed != s.c.options.Seed {
		return nil, fmt.Errorf("--seed %d: the cluster in etcd has --seed %d, and all of its servers must: give that one, or another --etcd-prefix to begin a new cluster",
			s.c.options.Seed, f.Seed)
	}
	keys, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("the cluster's keys in etcd: %w", err)
	}
	return keys, nil
}

// keys implements backend.
func (s *shared) keys() (*pki.Authority, error) { return s.authority, nil }

// configure implements backend.
func (s *shared) configure(cfg *apiserver.Config) error {
	cfg.NewStorage = s.newStorage
	cfg.Recall = func(gr schema.GroupResource) error { return s.db.Recall(s.c.ctx, gr) }
	cfg.Clock, cfg.Random, cfg.Timekeeper = wallClock{}, s.random, wallClock{}
	cfg.Gate, cfg.Faults = openGate{}, &s.faults
	cfg.Logs, cfg.Metrics = leaderLogs{s}, leaderMetrics{s}
	cfg.Dial = s.dial
	if cfg.Handlers == nil {
		cfg.Handlers = map[string]http.Handler{}
	}
	cfg.Handlers[dialPath] = s
	cfg.StoreHealth = s.db.Ping
	certificate, key, err := s.authority.Client(forwarder, time.Now())
	// Whatever its address, another server has a certificate of the cluster's
	// authority, for this name too.
	s.forward = rest.TLSClientConfig{ServerName: "kubernetes.default.svc", CAData: s.authority.Certificate(), CertData: certificate, KeyData: key}
	return err
}

// newStorage opens one resource in etcd.
func (s *shared) newStorage(sc apiserver.StorageConfig) (k8sstorage.Interface, factory.DestroyFunc, error) {
	return s.db.Resource(etcd.ResourceConfig{
		GroupResource: sc.GroupResource, Prefix: sc.Prefix, Codec: sc.Codec,
		NewFunc: sc.NewFunc, NewListFunc: sc.NewListFunc,
		KeyFunc: sc.KeyFunc, AttrFunc: sc.AttrFunc, Triggers: sc.Triggers, Indexers: sc.Indexers,
		Uncached: sc.Uncached || sc.GroupResource.Resource == "events",
	})
}

// join implements backend.
func (s *shared) join(ctx context.Context) error {
	s.definitions = newDefinitions(s.ring.server.Custom())
	_, err := s.db.Observe(ctx, func(commit storage.Commit, _ bool) {
		s.definitions.note(commit)
		if _, err := s.ring.server.Observe(commit.Resource, commit.Type, commit.Object); err != nil {
			s.c.fail(err)
		}
	})
	if err != nil {
		return err
	}
	s.definitions.catchUp() // before anybody asks
	s.ring.serving.Go(func() { s.definitions.run(ctx) })
	return nil
}

// close implements backend.
func (s *shared) close() { _ = s.db.Close() } // nobody is left to tell

// address is where other servers reach this one.
func (s *shared) address() (string, error) {
	host, port, err := net.SplitHostPort(s.c.listener.Addr().String())
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		chosen, err := utilnet.ChooseHostInterface()
		if err != nil {
			return "", fmt.Errorf("--listen %s: no address of this machine that other servers could reach: %w: name one", s.c.options.Listen, err)
		}
		host = chosen.String()
	}
	return net.JoinHostPort(host, port), nil
}

// What nobody can do to a cluster that others may share.
var (
	errSharedTime    = errors.New("virtual time of a cluster in etcd is the wall clock's: nobody else moves it")
	errSharedHistory = errors.New("this cluster lies in etcd, which others may share: snapshots and rewinding need --storage bbolt; " +
		"'etcdctl snapshot save' and 'etcdutl snapshot restore' keep and restore all of an etcd")
	errNoActors = errors.New("this cluster lies in etcd, which does not keep who did what: 'kubesim explain' needs --storage bbolt; 'kubectl describe' has the Events")
)

// timed implements backend.
func (s *shared) timed() (timed, error) { return nil, errSharedTime }

// kept implements backend.
func (s *shared) kept() (kept, error) { return nil, errSharedHistory }

// attributed implements backend.
func (s *shared) attributed() (attributed, error) { return nil, errNoActors }
