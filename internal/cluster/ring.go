package cluster

import (
	"context"
	"net"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/listener"
	"github.com/kubesim-dev/kubesim/internal/pki"
	"github.com/kubesim-dev/kubesim/internal/version"
	"github.com/kubesim-dev/kubesim/storage"
)

// advertised is the address of the kubernetes Service's endpoint. The API
// refuses loopback addresses; this one, of TEST-NET-1 (RFC 5737), is nobody's.
const advertised = "192.0.2.1"

// ring is what goes round: backend, API server, and what drives them. It is put
// together once, and taken apart once.
type ring struct {
	c       *Cluster
	life    life
	backend backend
	keys    *pki.Authority
	server  *apiserver.Server
	// access is how a client in this process gets in as the administrator.
	access rest.Config
	// The engine stops before the server: what it still has to write, it writes
	// through the server.
	stopDriving, stopServing context.CancelFunc
	driving, serving         sync.WaitGroup
	apart                    sync.Once
}

// life says how a ring begins.
type life struct {
	mode   engine.Mode
	speed  float64
	paused bool
	// again: the cluster was rewound or restarted; virtual time goes on from then, although
	// the wall clock does not. Its clock is paused.
	again bool
}

// assemble joins a ring and sets it going.
func (c *Cluster) assemble(l life) (err error) {
	ctx, stop := context.WithCancel(c.ctx)
	r := &ring{c: c, life: l, stopDriving: func() {}, stopServing: stop}
	defer func() {
		if err != nil {
			r.takeApart()
		}
	}()
	if r.backend, err = openBackend(ctx, r); err != nil {
		return err
	}
	if r.keys, err = r.backend.keys(); err != nil {
		return err
	}
	if err := r.newServer(ctx); err != nil {
		return err
	}
	if err := r.backend.join(ctx); err != nil {
		return err
	}
	if err := r.writeKubeconfig(ctx); err != nil {
		return err
	}
	return r.run(ctx)
}

// newServer builds the API server on what the backend gives it.
func (r *ring) newServer(ctx context.Context) error {
	o, accepts := &r.c.options, r.c.listener
	host, _, err := net.SplitHostPort(accepts.Addr().String())
	if err != nil {
		return err
	}
	services, err := o.ServiceRange()
	if err != nil {
		return err
	}
	certificate, err := r.keys.Serving([]net.IP{net.ParseIP(host), net.IPv4(127, 0, 0, 1), net.IPv6loopback, net.ParseIP(advertised), services.Kubernetes}, time.Now())
	if err != nil {
		return err
	}
	proxy, err := r.keys.FrontProxy(time.Now())
	if err != nil {
		return err
	}
	cfg := apiserver.Config{
		FrontProxy: proxy,
		Listener:   listener.Borrow(accepts), Certificate: certificate, CA: r.keys.Certificate(), Issued: pki.Issued, ServiceAccountKey: r.keys.TokenKey(),
		TokenAuthFile: o.TokenAuthFile, Authorization: o.Authorization,
		DisableAdmissionPlugins: o.DisableAdmissionPlugins, AdmissionConfiguration: o.AdmissionConfiguration, Audit: o.Audit,
		AdvertiseAddress: net.ParseIP(advertised), ExternalAddress: listener.Reachable(accepts.Addr()), Version: version.Git, Build: apiserver.Build(version.Built()), Services: services,
		CheckTrusted: o.CheckTrusted, NoOpenAPI: o.NoOpenAPI, Configure: o.Configure,
	}
	if o.Handlers != nil {
		cfg.Handlers = o.Handlers(r.c)
	}
	if err := r.backend.configure(&cfg); err != nil {
		return err
	}
	r.server, err = apiserver.New(ctx, cfg)
	return err
}

// run starts the API server and what drives the cluster.
func (r *ring) run(ctx context.Context) error {
	if err := r.server.Bootstrap(storage.WithoutWait(ctx), r.c.warn); err != nil {
		return err
	}
	driving, stop := context.WithCancel(ctx)
	r.stopDriving = stop
	r.c.ring.Store(r) // before anybody can ask for it
	r.driving.Go(func() {
		if err := r.backend.run(driving); err != nil && driving.Err() == nil {
			r.c.fail(err)
		}
	})
	r.serving.Go(func() {
		if err := r.server.Run(ctx); err != nil && ctx.Err() == nil {
			r.c.fail(err)
		}
	})
	return nil
}

// takeApart stops the ring in order and writes out what is pending.
func (r *ring) takeApart() {
	r.apart.Do(func() {
		r.stopDriving()
		r.driving.Wait()
		r.awaitStreams()
		r.stopServing()
		r.serving.Wait()
		if r.backend != nil {
			r.backend.close()
		}
	})
}

// streamsMax bounds how long a server that stops waits for its clients to hear that
// their sessions have ended. Unit: wall time.
const streamsMax = 300 * time.Millisecond

func (r *ring) awaitStreams() {
	if r.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), streamsMax)
	defer cancel()
	r.server.AwaitStreams(ctx)
}
