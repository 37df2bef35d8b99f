// Package play plays scenarios, and dry runs of PodScripts, each on a cluster of its own
// that nobody else reaches.
package play

import (
	"context"
	"fmt"
	"io"

	utilfeature "k8s.io/apiserver/pkg/util/feature"

	"github.com/kubesim-dev/kubesim/internal/cluster"
	"github.com/kubesim-dev/kubesim/internal/scenario"
)

// Config says how a scenario is played, beside what itself says.
type Config struct {
	// Show is told of each line of the timeline; nil for nobody.
	Show func(scenario.Entry)
	// Log receives the event log; nil for none.
	Log io.Writer
	// Restarts: the cluster is stopped and started again before the first, second,
	// fourth, eighth … move of time, which changes nothing.
	Restarts bool
}

// Play plays a scenario. The result is nil if its cluster could not be started.
func Play(ctx context.Context, sc *scenario.Scenario, cfg Config) (*scenario.Result, error) {
	cluster.Quiet(0, io.Discard)
	if err := utilfeature.DefaultMutableFeatureGate.SetFromMap(sc.Spec.Server.FeatureGates); err != nil {
		return nil, fmt.Errorf("%s: spec.server.featureGates: %w", sc.At("spec.server.featureGates"), err)
	}
	world, timeline := scenario.NewWorld(), scenario.NewTimeline(cfg.Show)
	st, err := newTestbed(ctx, sc, world, timeline, cfg.Log)
	if err != nil {
		return nil, err
	}
	defer st.close()
	st.restarts = cfg.Restarts
	return scenario.NewPlayer(sc, st, world, timeline).Play(ctx)
}
