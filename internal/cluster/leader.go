package cluster

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/apiserver/registry"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/memory"
	"github.com/kubesim-dev/kubesim/kubelet-sim/session"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
	"github.com/kubesim-dev/kubesim/storage"
)

// leaseName is the Lease, in kube-system, that the leader holds. Its holder is
// the leader's address, "_", and the revision at which the leader started.
const leaseName = "kubesim"

// lastWritesMax bounds how long a leader that stops waits for what it has begun to
// write. Unit: wall time.
const lastWritesMax = 500 * time.Millisecond

// run implements backend. It stands for election again and again: a server that
// has lost the lease goes on as one of those that do not lead.
func (s *shared) run(ctx context.Context) error {
	address, err := s.address()
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		if err := s.campaign(ctx, fmt.Sprintf("%s_%d", address, s.start)); err != nil {
			return err
		}
	}
	return nil
}

// campaign waits for the lease, leads one term, and returns when that is over.
func (s *shared) campaign(ctx context.Context, identity string) error {
	// The lease is given back after the engine has stopped: the election outlives
	// ctx.
	standing, retire := context.WithCancel(context.WithoutCancel(ctx))
	defer retire()
	won := make(chan context.Context, 1)
	elector, err := s.elector(identity, won)
	if err != nil {
		return err
	}
	lost := make(chan struct{})
	go func() {
		defer close(lost)
		elector.Run(standing)
	}()
	select {
	case lease := <-won:
		term, end := context.WithCancel(ctx)
		stop := context.AfterFunc(lease, end)
		writes, tearOff := context.WithCancel(lease)
		last := context.AfterFunc(ctx, func() { time.AfterFunc(lastWritesMax, tearOff) })
		err = s.lead(term, leasedAPI{
			held: func() bool { return elector.IsLeader() && elector.Check(0) == nil },
			term: writes,
		})
		stop()
		last()
		end()
		tearOff()
	case <-ctx.Done():
	case <-lost:
	}
	retire()
	<-lost
	s.resign(standing, identity)
	return err
}

// elector stands for election; won receives a context that lasts as long as the
// lease.
func (s *shared) elector(identity string, won chan<- context.Context) (*leaderelection.LeaderElector, error) {
	o := s.c.options.Etcd
	return leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Name: leaseName,
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: leaseName},
			Client:     s.ring.server.Client().CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
		},
		LeaseDuration: o.LeaseDuration, RenewDeadline: o.RenewDeadline, RetryPeriod: o.RetryPeriod,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(lease context.Context) { won <- lease },
			OnStoppedLeading: func() {},
		},
	})
}

// resignMax bounds how long a server that stops tries that: etcd may be away. Unit: wall
// time.
const resignMax = 500 * time.Millisecond

// resign gives the lease back, if this server holds it, so that the next one
// need not wait for its end.
//
// Upstream's ReleaseOnCancel is not used: it takes the lease from the server that
// holds it by then, and lets the engine run on while it tries.
func (s *shared) resign(ctx context.Context, identity string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(s.c.options.Etcd.RetryPeriod, resignMax))
	defer cancel()
	leases := s.ring.server.Client().CoordinationV1().Leases(metav1.NamespaceSystem)
	lease, err := leases.Get(ctx, leaseName, metav1.GetOptions{})
	if err == nil && ptr.Deref(lease.Spec.HolderIdentity, "") == identity {
		lease.Spec.HolderIdentity = ptr.To("")
		_, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
	}
	if err != nil { // then it ends by itself
		klog.FromContext(ctx).Error(err, "The lease was not given back")
	}
}

// lead runs engine, controllers and kubelets, all new, until ctx ends. They
// write as long as leased lets them.
func (s *shared) lead(ctx context.Context, leased leasedAPI) error {
	s.terms++
	e, err := engine.New(engine.Config{
		Seed: s.c.options.Seed, Stream: s.stream(), Mode: engine.Realtime, Speed: 1, Log: s.c.options.Log,
	})
	if err != nil {
		return err
	}
	leased.api = localAPI{s.ring.server.Local(), &calls{}}
	containers, used := memory.NewLogs(s.c.options.Memory), &stats.Store{}
	api, err := s.faults.register(e, leased)
	if err != nil {
		return err
	}
	defer s.faults.Store(nil)
	unfollow := s.ring.follow(e)
	defer unfollow()
	programs, err := s.ring.register(e, api, s.definitions, containers, used)
	if err != nil {
		return err
	}
	defer programs.Close()
	logs, err := stream.NewLogs(containers, e.Now)
	if err != nil {
		return err
	}
	measured, err := s.ring.newMetrics(e, used)
	if err != nil {
		return err
	}
	sessions := session.New(programs, func(context.Context) error { return nil })
	e.Register(sessions)
	network := s.ring.newNetwork(sessions)
	defer network.Close()
	stop, err := s.feed(ctx, e)
	if err != nil {
		return nil // the lease was lost in the meantime
	}
	defer stop()
	s.logs.Store(ptr.To[registry.LogReader](logs))
	defer s.logs.Store(nil)
	s.metrics.Store(measured)
	defer s.metrics.Store(nil)
	s.network.Store(network)
	defer s.network.Store(nil)
	if err := e.Run(ctx); ctx.Err() == nil {
		return err
	}
	return nil
}

// feed joins etcd to the engine. While etcd does not answer it tries again; the
// lease is lost if that takes too long.
func (s *shared) feed(ctx context.Context, e *engine.Engine) (stop func(), err error) {
	err = wait.PollUntilContextCancel(ctx, s.c.options.Etcd.RetryPeriod, true, func(ctx context.Context) (bool, error) {
		stop, err = s.db.Observe(ctx, func(commit storage.Commit, replayed bool) {
			obj, err := apiserver.Lean(commit.Object)
			if err != nil {
				s.c.fail(err)
				return
			}
			news := commitOf(commit, obj)
			news.Replayed = replayed
			e.Deliver(news)
		})
		if err != nil {
			klog.FromContext(ctx).Error(err, "The engine waits for etcd")
		}
		return err == nil, nil
	})
	return stop, err
}
