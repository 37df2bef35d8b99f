package testcluster

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubesim-dev/kubesim/internal/cluster"
)

// TB is the part of testing.TB that a cluster needs. Ginkgo's GinkgoT() has it, too.
type TB interface {
	Helper()
	Cleanup(f func())
	Name() string
	Failed() bool
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Cluster is the cluster of a test. Its methods return no errors: they fail the test if
// something goes wrong. Like t.FailNow, they must be called on the test's own
// goroutine.
type Cluster struct {
	t       TB
	config  Config
	cluster *cluster.Cluster
	rest    *rest.Config
	client  kubernetes.Interface
	dynamic dynamic.Interface
	kinds   kinds
	// webhooks is where webhooks beside the test are called; nil if none is.
	webhooks *WebhookServer
	// events is the event log. timeline is what happened to Pods and Jobs.
	events, timeline *record
}

// startMax bounds a start. Unit: wall time. It is generous: a machine may be loaded.
const startMax = 2 * time.Minute

// Start starts a cluster, which ends with the test. When it returns, the cluster's
// nodes are Ready, and it is still the instant Config.Start.
func Start(t TB, config Config) *Cluster {
	t.Helper()
	config = config.complete(*seedFlag)
	if err := config.validate(); err != nil {
		t.Fatalf("%v", err)
	}
	upstream.hush()
	c := &Cluster{t: t, config: config, events: newRecord(), timeline: newRecord()}
	if err := c.start(); err != nil {
		t.Fatalf("testcluster: %v", err)
	}
	return c
}

func (c *Cluster) start() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), startMax)
	defer cancel()
	if c.cluster, err = cluster.Start(ctx, c.config.options(c.events, c.timeline)); err != nil {
		return err
	}
	c.t.Cleanup(c.end)
	if err := c.cluster.AwaitReady(ctx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("the nodes are not Ready: %w", err)
	}
	if err := c.cluster.AwaitRest(ctx); err != nil {
		return err
	}
	if err := c.connect(); err != nil {
		return err
	}
	if err := c.installCRDs(); err != nil {
		return err
	}
	return c.installWebhooks()
}

// connect makes the clients.
func (c *Cluster) connect() (err error) {
	if c.rest, err = c.cluster.RESTConfig(); err != nil {
		return err
	}
	http, err := rest.HTTPClientFor(c.rest)
	if err != nil {
		return err
	}
	c.t.Cleanup(http.CloseIdleConnections)
	if c.client, err = kubernetes.NewForConfigAndClient(c.rest, http); err != nil {
		return err
	}
	c.dynamic, err = dynamic.NewForConfigAndClient(c.rest, http)
	return err
}

// end logs what a failed test needs, and closes the cluster.
func (c *Cluster) end() {
	if c.t.Failed() {
		c.t.Logf("%s", c.report())
	}
	c.cluster.Close()
}

// RESTConfig returns the administrator's configuration, for any client. It needs no
// port, and its requests are not rate-limited. client-go's executors of exec, attach
// and port-forward dial by themselves: they need Config.Listen.
func (c *Cluster) RESTConfig() *rest.Config { return rest.CopyConfig(c.rest) }

// Client returns a client with RESTConfig.
func (c *Cluster) Client() kubernetes.Interface { return c.client }

// Kubeconfig returns the path of a kubeconfig for kubectl and other programs, if the
// cluster listens.
func (c *Cluster) Kubeconfig() string {
	c.t.Helper()
	if c.config.Listen == "" {
		c.t.Fatalf(`testcluster: a kubeconfig leads to a port: set Config.Listen, for example to "127.0.0.1:0"`)
	}
	return c.cluster.Kubeconfig()
}

// Seed returns the seed, which decides the cluster's names and random numbers.
func (c *Cluster) Seed() uint64 { return c.config.Seed }

// Timeline returns what has happened to Pods and Jobs, one line each: the virtual time
// since Config.Start, who, and what.
func (c *Cluster) Timeline() string { return c.timeline.String() }

// EventLog returns a line for each write by controllers, kubelets and clients: the
// instant, the revision, who, and what to which object.
func (c *Cluster) EventLog() string { return c.events.String() }
