package testcluster

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/cmd/kubesim/app"
	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Mode says how virtual time moves.
type Mode = engine.Mode

// The modes of a cluster in a test. Realtime is refused: such a test would depend on
// the machine.
const (
	// Manual moves time only when the test says so.
	Manual = engine.Manual
	// Auto moves time also by itself, after each write, until no work is under way: a Job
	// has ended when its creation is answered.
	Auto = engine.Auto
)

// Types that a test says to the simulator itself, see docs/scripts.md and docs/faults.md.
type (
	// PodScript says what containers do.
	PodScript = v1alpha1.PodScript
	// Fault lets requests or nodes fail.
	Fault = v1alpha1.Fault
)

// NoNodes is for Config.Nodes: an API alone, where Pods stay Pending.
const NoNodes = -1

// nodesDefault is that of kubesim serve.
const nodesDefault = 2

// Config describes a cluster. The zero value is a good one.
type Config struct {
	// Seed decides every name, UID and random number. Zero means 1. The flag
	// -testcluster.seed takes its place.
	Seed uint64
	// Start is the first instant of virtual time. Zero means 2026-01-01T00:00:00Z, so that
	// timestamps are the same in every run.
	Start time.Time
	// Mode is Manual or Auto. Empty means Manual: in it nothing happens behind the test's
	// back, and what clients beside the test do takes no virtual time.
	Mode Mode
	// AutoMax bounds how far mode Auto moves time after one write of the test, so that a
	// container that sleeps for longer goes on sleeping. Zero means no bound.
	AutoMax time.Duration
	// Nodes is how many simulated nodes there are. Zero means 2, NoNodes none.
	Nodes int
	// Controllers selects controllers as kube-controller-manager's flag does, for example
	// {"*", "-cronjob"}. Nil means all.
	Controllers []string
	// Memory is what all Pods may hold of the machine's memory; who takes too much is
	// killed or evicted. Unit: bytes. Zero means a quarter of the machine's.
	Memory int64
	// Listen is an address for clients outside of the test, for example "127.0.0.1:0" for
	// any free port; see Cluster.Kubeconfig. Empty means none: the cluster needs no port.
	Listen string
	// DataDir keeps the cluster after the test: `kubesim serve --data-dir DIR --clock
	// manual` goes on with it. It should be empty. Empty means a temporary folder, which is
	// removed.
	DataDir string
}

// Flags of every test binary that imports this package, as package testing has its own.
//
//nolint:gochecknoglobals // a flag of the test binary is global, and must be there before flags are parsed
var (
	seedFlag   = flag.Uint64("testcluster.seed", 0, "takes the place of every testcluster.Config.Seed, unless 0")
	updateFlag = flag.Bool("testcluster.update", false, "rewrite the golden files of testcluster")
)

// defaultStart is the first instant of a cluster whose Config names none.
func defaultStart() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// complete sets what is not set. seed is the flag's.
func (c Config) complete(seed uint64) Config {
	c.Seed = cmp.Or(seed, c.Seed, 1)
	if c.Start.IsZero() {
		c.Start = defaultStart()
	}
	c.Mode = cmp.Or(c.Mode, Manual)
	switch c.Nodes {
	case 0:
		c.Nodes = nodesDefault
	case NoNodes:
		c.Nodes = 0
	}
	if c.Controllers == nil {
		c.Controllers = []string{"*"}
	}
	return c
}

// validate says what is wrong with a Config that is complete, all of it.
func (c Config) validate() error {
	var errs []error
	if c.Mode != Manual && c.Mode != Auto {
		errs = append(errs, fmt.Errorf("testcluster.Config.Mode %q: want testcluster.Manual or testcluster.Auto", c.Mode))
	}
	if c.AutoMax < 0 {
		errs = append(errs, fmt.Errorf("testcluster.Config.AutoMax %s: want a positive duration, or 0 for no bound", c.AutoMax))
	}
	if c.Nodes < 0 {
		errs = append(errs, fmt.Errorf("testcluster.Config.Nodes %d: want a number, or testcluster.NoNodes for an API alone", c.Nodes))
	}
	if c.Memory < 0 {
		errs = append(errs, fmt.Errorf("testcluster.Config.Memory %d: want a number of bytes, or 0 for a quarter of the machine's memory", c.Memory))
	}
	if len(c.Controllers) == 0 {
		errs = append(errs, errors.New(`testcluster.Config.Controllers is empty: want nil or {"*"} for all, {"-*"} for none`))
	}
	if err := app.CheckControllers(c.Controllers); err != nil {
		errs = append(errs, fmt.Errorf("testcluster.Config.Controllers: %w", err))
	}
	if err := engine.CheckTime(c.Start); err != nil {
		errs = append(errs, fmt.Errorf("testcluster.Config.Start %w", err))
	}
	return errors.Join(errs...)
}

// options are those of the cluster, whose logs go to events and timeline.
func (c Config) options(events, timeline *record) app.Options {
	return app.Options{
		DataDir: c.DataDir, Ephemeral: true, Listen: c.Listen, Mode: c.Mode, Speed: 1, AutoMax: c.AutoMax, Seed: c.Seed, Start: c.Start,
		Nodes: c.Nodes, Memory: c.Memory, Controllers: c.Controllers, Authorization: "RBAC", Log: events, Timeline: timeline,
	}
}
