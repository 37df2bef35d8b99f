package testcluster

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/cluster"
	"github.com/kubesim-dev/kubesim/internal/handlers"
	"github.com/kubesim-dev/kubesim/internal/timeline"
)

// Mode says how virtual time advances.
type Mode = engine.Mode

// The modes of a cluster in a test. Realtime is refused: such a test would depend on
// the machine.
const (
	// Manual advances the clock only when the test says so.
	Manual = engine.Manual
	// Auto also advances the clock by itself, after each write, until no work is under
	// way: a Job has ended when its creation is answered.
	Auto = engine.Auto
)

// Types of objects with which a test instructs the simulator; see docs/scripts.md and
// docs/faults.md.
type (
	// PodScript says what containers do.
	PodScript = v1alpha1.PodScript
	// Fault makes requests or nodes fail.
	Fault = v1alpha1.Fault
)

// NoNodes is a value of Config.Nodes: the cluster has an API but no nodes, and Pods
// stay Pending.
const NoNodes = -1

// nodesDefault is the default of kubesim serve.
const nodesDefault = 2

// Config describes a cluster. The zero value is valid and a good choice.
type Config struct {
	// Seed decides every name, UID and random number. Zero means 1. The flag
	// -testcluster.seed overrides it.
	Seed uint64
	// Start is the first instant of virtual time. Zero means 2026-01-01T00:00:00Z, so
	// timestamps are the same in every run.
	Start time.Time
	// Mode is Manual or Auto. Empty means Manual: nothing happens behind the test's
	// back, and whatever clients beside the test do takes no virtual time.
	Mode Mode
	// AutoMax bounds how far mode Auto advances the clock after one write of the test.
	// A container that sleeps for longer keeps sleeping. Zero means no bound.
	AutoMax time.Duration
	// Nodes is the number of simulated nodes. Zero means 2; NoNodes means none.
	Nodes int
	// Controllers selects controllers as kube-controller-manager's flag does, for example
	// {"*", "-cronjob"}. Nil means all.
	Controllers []string
	// Memory is how much of the machine's memory all Pods may hold. A Pod that takes
	// too much is killed or evicted. Unit: bytes. Zero means a quarter of the machine's
	// memory.
	Memory int64
	// Listen is an address for clients outside of the test, for example "127.0.0.1:0" for
	// any free port; see Cluster.Kubeconfig. Empty means none: the cluster needs no port.
	Listen string
	// AdmissionConfiguration configures admission plugins, by name, as the plugins of
	// kube-apiserver's --admission-control-config-file: for example the defaults and
	// exemptions of PodSecurity.
	AdmissionConfiguration map[string]map[string]any
	// CRDInstallOptions say which custom resources the cluster begins with. They can be
	// used when Start returns.
	CRDInstallOptions CRDInstallOptions
	// WebhookInstallOptions say which webhooks beside the test the cluster calls, once the
	// test serves them at Cluster.Webhooks.
	WebhookInstallOptions WebhookInstallOptions
	// DataDir keeps the cluster after the test: `kubesim serve --data-dir DIR --clock
	// manual` continues it. It should be empty. If it is not set, a temporary folder is
	// used and removed.
	DataDir string
}

// Flags of every test binary that imports this package, as package testing has its own.
//
//nolint:gochecknoglobals // a flag of the test binary is global, and must be there before flags are parsed
var (
	seedFlag   = flag.Uint64("testcluster.seed", 0, "takes the place of every testcluster.Config.Seed, unless 0")
	updateFlag = flag.Bool("testcluster.update", false, "rewrite the golden files of testcluster")
)

// defaultStart is the first instant of a cluster whose Config sets none.
func defaultStart() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// complete sets the fields that are not set. seed is the value of the flag.
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

// validate returns everything that is wrong with a complete Config.
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
	if err := cluster.CheckControllers(c.Controllers); err != nil {
		errs = append(errs, fmt.Errorf("testcluster.Config.Controllers: %w", err))
	}
	if err := engine.CheckTime(c.Start); err != nil {
		errs = append(errs, fmt.Errorf("testcluster.Config.Start %w", err))
	}
	return errors.Join(errs...)
}

// options returns the options of the cluster, whose log goes to events, and its timeline to lines.
func (c Config) options(events, lines *record) cluster.Options {
	return cluster.Options{
		DataDir: c.DataDir, Ephemeral: true, Listen: c.Listen, Mode: c.Mode, Speed: 1, AutoMax: c.AutoMax, Seed: c.Seed, Start: c.Start,
		Nodes: c.Nodes, Memory: c.Memory, Controllers: c.Controllers, Authorization: "RBAC", Log: events,
		AdmissionConfiguration: c.AdmissionConfiguration,
		Follower:               timeline.New(timeline.Config{Out: lines, Start: c.Start, All: true}), Handlers: handlers.For(nil),
	}
}
