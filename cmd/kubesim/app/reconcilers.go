package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/job"
	"github.com/kubesim-dev/kubesim/controllers/rootcacertpublisher"
	"github.com/kubesim-dev/kubesim/controllers/serviceaccount"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
)

// parts is what reconcilers are built from.
type parts struct {
	engine *engine.Engine
	view   *engine.View
	api    engine.API
	rootCA []byte
}

func (p parts) recorder(component string) *engine.Recorder {
	return p.engine.NewRecorder(p.api, engine.ControllerIdentity(component), engine.Source{Component: component})
}

// controller is one that --controllers may switch off.
type controller struct {
	// name and alias are those of upstream's kube-controller-manager.
	name, alias string
	build       func(parts) (engine.Reconciler, error)
}

// controllers is the table of all of them, in the order in which they see a
// commit.
func controllers() []controller {
	return []controller{
		{"root-ca-certificate-publisher-controller", "root-ca-cert-publisher", func(p parts) (engine.Reconciler, error) {
			return rootcacertpublisher.New(rootcacertpublisher.Config{View: p.view, API: p.api, RootCA: p.rootCA})
		}},
		{"serviceaccount-controller", "serviceaccount", func(p parts) (engine.Reconciler, error) {
			return serviceaccount.New(serviceaccount.Config{View: p.view, API: p.api})
		}},
		{"job-controller", "job", func(p parts) (engine.Reconciler, error) {
			return job.New(job.Config{View: p.view, API: p.api, Recorder: p.recorder("job-controller")})
		}},
	}
}

// selected applies --controllers: '*' names all that are on by default, 'foo'
// switches foo on, '-foo' switches it off.
func selected(patterns []string, c controller) bool {
	names := func(pattern string) bool { return pattern == c.name || pattern == c.alias }
	for _, pattern := range patterns {
		if names(pattern) {
			return true
		}
		if off, ok := strings.CutPrefix(pattern, "-"); ok && names(off) {
			return false
		}
	}
	return slices.Contains(patterns, "*")
}

// checkControllers refuses names that nobody has.
func checkControllers(patterns []string) error {
	known := controllers()
	for _, pattern := range patterns {
		name := strings.TrimPrefix(pattern, "-")
		if pattern == "*" || slices.ContainsFunc(known, func(c controller) bool { return c.name == name || c.alias == name }) {
			continue
		}
		aliases := make([]string, len(known))
		for i, c := range known {
			aliases[i] = c.alias
		}
		return usageError{fmt.Errorf("--controllers %q: no such controller; there are %s, and '*' for all", pattern, strings.Join(aliases, ", "))}
	}
	return nil
}

// register adds the reconcilers to the engine.
func (c *Cluster) register(o Options, keys *pki, logs *stream.Store) error {
	p := parts{engine: c.engine, view: c.engine.View(), api: localAPI{c.server.Local()}, rootCA: keys.caPEM}
	for _, candidate := range controllers() {
		if !selected(o.Controllers, candidate) {
			continue
		}
		r, err := candidate.build(p)
		if err != nil {
			return err
		}
		c.engine.Register(r)
	}
	nodes, err := node.New(node.Config{Engine: c.engine, API: p.api, Nodes: node.List(o.Nodes), Version: kubernetesVersion})
	if err != nil {
		return err
	}
	c.engine.Register(nodes, newHousekeeping(c.db, c.engine, o.CompactionInterval))
	return nil
}
