package testcluster

import (
	"context"
	"fmt"
)

// Snapshot keeps the present state of the cluster under a name: objects, time, and
// programs that run.
func (c *Cluster) Snapshot(name string) {
	c.t.Helper()
	_, err := c.cluster.Save(context.Background(), name)
	c.must(err)
}

// Restore takes the cluster back to a snapshot, to try something else from there on:
// what follows gets the same names and random numbers as it did then. Watches end;
// Client, and clients made of RESTConfig, go on. In mode Auto time is paused afterwards
// if work is under way, see Resume.
func (c *Cluster) Restore(name string) {
	c.t.Helper()
	c.must(c.cluster.Restore(name))
	c.must(c.cluster.AwaitReady(context.Background()))
	fmt.Fprintf(c.timeline, "-- restored %q --\n", name)
}
