package differential

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/scale"
	"k8s.io/client-go/util/flowcontrol"
	upstreamcronjob "k8s.io/kubernetes/pkg/controller/cronjob"
	upstreamdaemon "k8s.io/kubernetes/pkg/controller/daemon"
	upstreamdeployment "k8s.io/kubernetes/pkg/controller/deployment"
	upstreamdisruption "k8s.io/kubernetes/pkg/controller/disruption"
	upstreamjob "k8s.io/kubernetes/pkg/controller/job"
	upstreamreplicaset "k8s.io/kubernetes/pkg/controller/replicaset"
	upstreamreplication "k8s.io/kubernetes/pkg/controller/replication"
	upstreamstatefulset "k8s.io/kubernetes/pkg/controller/statefulset"
	upstreamttl "k8s.io/kubernetes/pkg/controller/ttlafterfinished"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/cluster"
)

// side says whose controllers run.
type side bool

const (
	ours   side = false
	theirs side = true
)

// controllers is what cluster.Options call the ones that kubesim runs on a side.
func (s side) controllers() []string {
	if s == theirs {
		return []string{
			"*", "-job", "-cronjob", "-ttl-after-finished",
			"-replicationcontroller", "-replicaset", "-deployment", "-statefulset", "-daemonset", "-disruption",
		}
	}
	return []string{"*"}
}

// workers are how many Jobs upstream's controller works on at a time, as many
// as in kube-controller-manager. A Job is always one worker's.
const workers = 5

// inCluster runs do with a client of a new cluster whose first instant is start, and
// returns why the cluster broke, "" if it did not.
//
// All of the cluster, upstream's controllers too, lives in a bubble of
// testing/synctest: what they take for the machine's clock stands still while
// one of them runs, and jumps to the next timer when all of them wait. That is
// why requests do not go over a socket, which the bubble does not know how to
// wait for, but from the client straight into the handlers.
func inCluster(t *testing.T, s side, seed uint64, start time.Time, nodes int, do func(context.Context, kubernetes.Interface)) (broke string) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(start))
		ctx, cancel := context.WithCancel(t.Context())
		c, err := cluster.Start(ctx, cluster.Options{
			Listener: &deaf{closed: make(chan struct{})}, DataDir: dir, Ephemeral: true, Authorization: "AlwaysAllow",
			Mode: engine.Realtime, Speed: 1, Seed: seed, Nodes: nodes, Controllers: s.controllers(), CheckTrusted: true,
		})
		if err != nil {
			cancel()
			t.Error(err)
			return
		}
		defer c.Close()
		stop := func() {}
		if s == theirs {
			stop = runUpstreams(ctx, t, c.Client())
		}
		do(ctx, c.Client())
		soon, end := context.WithTimeout(ctx, time.Second)
		if err := c.Wait(soon); err != nil {
			broke, _, _ = strings.Cut(err.Error(), "\n") // what follows is a stack
		}
		end()
		cancel()
		stop()
	})
	return broke
}

// runUpstreams starts upstream's controllers. What it returns waits for their
// end, after ctx.
func runUpstreams(ctx context.Context, t *testing.T, client kubernetes.Interface) (wait func()) {
	t.Helper()
	client = telling{client, new(atomic.Int64)}
	factory := informers.NewSharedInformerFactory(client, 0)
	jobs, err := upstreamjob.NewController(ctx, client, factory.Core().V1().Pods(), factory.Batch().V1().Jobs(), nil, nil)
	if err != nil {
		t.Error(err)
		return factory.Shutdown
	}
	cronJobs, err := upstreamcronjob.NewControllerV2(ctx, factory.Batch().V1().Jobs(), factory.Batch().V1().CronJobs(), client)
	if err != nil {
		t.Error(err)
		return factory.Shutdown
	}
	ttl := upstreamttl.New(ctx, factory.Batch().V1().Jobs(), client)
	budgets, err := newDisruption(ctx, factory, client)
	if err != nil {
		t.Error(err)
		return factory.Shutdown
	}
	apps, pods := factory.Apps().V1(), factory.Core().V1().Pods()
	replication := upstreamreplication.NewReplicationManager(ctx, pods, factory.Core().V1().ReplicationControllers(), client, upstreamreplicaset.BurstReplicas)
	replicaSets := upstreamreplicaset.NewReplicaSetController(ctx, apps.ReplicaSets(), pods, client, upstreamreplicaset.BurstReplicas)
	deployments, err := upstreamdeployment.NewDeploymentController(ctx, apps.Deployments(), apps.ReplicaSets(), pods, client)
	if err != nil {
		t.Error(err)
		return factory.Shutdown
	}
	statefulSets := upstreamstatefulset.NewStatefulSetController(ctx, pods, apps.StatefulSets(), factory.Core().V1().PersistentVolumeClaims(), apps.ControllerRevisions(), client)
	daemonSets, err := upstreamdaemon.NewDaemonSetsController(ctx, apps.DaemonSets(), apps.ControllerRevisions(), pods, factory.Core().V1().Nodes(), client,
		flowcontrol.NewBackOff(time.Second, 15*time.Minute))
	if err != nil {
		t.Error(err)
		return factory.Shutdown
	}
	factory.Start(ctx.Done())
	var running sync.WaitGroup
	for _, c := range []interface{ Run(context.Context, int) }{jobs, cronJobs, ttl, replication, replicaSets, deployments, statefulSets, daemonSets, budgets} {
		running.Go(func() { c.Run(ctx, workers) })
	}
	return func() {
		running.Wait()
		factory.Shutdown()
	}
}

// newDisruption returns upstream's controller of budgets, which finds the owners of Pods
// by discovery.
func newDisruption(ctx context.Context, factory informers.SharedInformerFactory, client kubernetes.Interface) (*upstreamdisruption.DisruptionController, error) {
	groups, err := restmapper.GetAPIGroupResources(client.Discovery())
	if err != nil {
		return nil, err
	}
	mapper := restmapper.NewDiscoveryRESTMapper(groups)
	scales := scale.New(client.Discovery().RESTClient(), mapper, dynamic.LegacyAPIPathResolverFunc, scale.NewDiscoveryScaleKindResolver(client.Discovery()))
	apps, core := factory.Apps().V1(), factory.Core().V1()
	return upstreamdisruption.NewDisruptionController(ctx, core.Pods(), factory.Policy().V1().PodDisruptionBudgets(),
		core.ReplicationControllers(), apps.ReplicaSets(), apps.Deployments(), apps.StatefulSets(), client, mapper, scales, client.Discovery()), nil
}

// deaf is a listener that nobody ever reaches.
type deaf struct {
	once   sync.Once
	closed chan struct{}
}

// Accept implements net.Listener.
func (d *deaf) Accept() (net.Conn, error) {
	<-d.closed
	return nil, net.ErrClosed
}

// Close implements net.Listener.
func (d *deaf) Close() error {
	d.once.Do(func() { close(d.closed) })
	return nil
}

// Addr implements net.Listener.
func (d *deaf) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 6443} }
