// Package profile runs the plugins of upstream's default scheduler profile for one Pod at a
// time, without goroutines and without a clock.
//
// Invariant: what a call returns follows from the Snapshot, the View, the nominated Pods and
// the arguments. The plugins are upstream's own; what of theirs depends on a map's order, on
// the wall clock or on a random number is replaced (preemption.go), or not used.
package profile

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/latest"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/defaultbinder"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/defaultpreemption"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/feature"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/imagelocality"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/interpodaffinity"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/nodeaffinity"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/nodedeclaredfeatures"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/nodename"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/nodeports"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/noderesources"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/nodeunschedulable"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/nodevolumelimits"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/podtopologyspread"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/queuesort"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/schedulinggates"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/tainttoleration"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/volumebinding"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/volumerestrictions"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/volumezone"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	"k8s.io/kubernetes/pkg/scheduler/metrics"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/scheduler/snapshot"
)

// Config is what a Profile needs.
type Config struct {
	// View holds Resources.
	View     *engine.View
	Snapshot *snapshot.Snapshot
	// Features are the gates that the plugins look at.
	Features feature.Features
	// Unfocused lets PreFilter see every bound Pod, which takes longer and comes to the same.
	// It is for the test that says so.
	Unfocused bool
}

// Profile is the default profile.
type Profile struct {
	framework  framework.Framework
	snapshot   *snapshot.Snapshot
	nominated  *nominator
	preemption *preemptor
	// features is the plugin NodeDeclaredFeatures.
	features fwk.PreFilterPlugin
	hints    []hint
	selector func(*corev1.Pod) labels.Selector
	// focuses says that PreFilter sees only what a Pod is about. The plugin's own short way
	// for hostnames, an alpha gate, compares the lengths of lists instead.
	focuses bool
}

// metricsOnce makes upstream's metrics, which the plugins count in. They are never
// registered, and so count nothing.
//
//nolint:gochecknoglobals // the metrics are package variables of upstream's, made once a process
var metricsOnce sync.Once

// New returns a Profile.
func New(cfg Config) (*Profile, error) {
	metricsOnce.Do(metrics.InitMetrics)
	p := &Profile{snapshot: cfg.Snapshot, nominated: newNominator(), preemption: &preemptor{}, selector: defaultSelector(informerFactory{view: cfg.View}), focuses: !cfg.Unfocused && !cfg.Features.EnableInterPodAffinityHostnameFastPath}
	config, err := defaultProfile()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(quiet(context.Background()))
	p.framework, err = frameworkruntime.NewFramework(ctx, p.registry(without(cfg.Features)), config,
		frameworkruntime.WithInformerFactory(informerFactory{view: cfg.View}),
		frameworkruntime.WithSnapshotSharedLister(cfg.Snapshot),
		frameworkruntime.WithMutableSnapshotLister(cfg.Snapshot),
		frameworkruntime.WithPodNominator(p.nominated),
		frameworkruntime.WithSharedCSIManager(csiManager{cfg.View}),
		frameworkruntime.WithParallelism(1),
		frameworkruntime.WithLogger(klog.Logger(logr.Discard())),
	)
	cancel() // ends the goroutine of its metrics
	if err != nil {
		return nil, fmt.Errorf("scheduler: upstream's default profile: %w", err)
	}
	frameworkruntime.WaitForShutdown(p.framework)
	p.framework.SetAPICacher(p.preemption)
	p.hints, err = hintsOf(p.framework.EnqueueExtensions())
	return p, err
}

// without switches off what is done in other goroutines, and what needs listers that are not
// here.
//
// Deviation: the gates GenericWorkload, CompositePodGroup, TopologyAwareWorkloadScheduling and
// InPlacePodVerticalScalingSchedulerPreemption change nothing in the scheduler, and it does not
// allocate ResourceClaims.
func without(fts feature.Features) feature.Features {
	fts.EnableAsyncPreemption = false
	fts.EnableDynamicResourceAllocation, fts.EnableDRAExtendedResource = false, false
	fts.EnableGenericWorkload, fts.EnableCompositePodGroup, fts.EnableTopologyAwareWorkloadScheduling = false, false, false
	fts.EnableInPlacePodVerticalScalingSchedulerPreemption = false
	return fts
}

// defaultProfile is upstream's, with those of its plugins that the registry has.
func defaultProfile() (*schedulerconfig.KubeSchedulerProfile, error) {
	config, err := latest.Default()
	if err != nil {
		return nil, fmt.Errorf("scheduler: upstream's default configuration: %w", err)
	}
	profile := &config.Profiles[0]
	known := (&Profile{}).registry(feature.Features{})
	profile.Plugins.MultiPoint.Enabled = slices.DeleteFunc(profile.Plugins.MultiPoint.Enabled, func(p schedulerconfig.Plugin) bool {
		return known[p.Name] == nil
	})
	return profile, nil
}

// registry has the plugins of the default profile. Source: NewInTreeRegistry,
// k8s.io/kubernetes pkg/scheduler/framework/plugins v1.37.2.
func (p *Profile) registry(fts feature.Features) frameworkruntime.Registry {
	r := frameworkruntime.Registry{
		imagelocality.Name:                   imagelocality.New,
		queuesort.Name:                       queuesort.New,
		defaultbinder.Name:                   defaultbinder.New,
		tainttoleration.Name:                 frameworkruntime.FactoryAdapter(fts, tainttoleration.New),
		nodename.Name:                        frameworkruntime.FactoryAdapter(fts, nodename.New),
		nodeports.Name:                       frameworkruntime.FactoryAdapter(fts, nodeports.New),
		nodeaffinity.Name:                    frameworkruntime.FactoryAdapter(fts, nodeaffinity.New),
		podtopologyspread.Name:               frameworkruntime.FactoryAdapter(fts, podtopologyspread.New),
		nodeunschedulable.Name:               frameworkruntime.FactoryAdapter(fts, nodeunschedulable.New),
		noderesources.Name:                   frameworkruntime.FactoryAdapter(fts, noderesources.NewFit),
		noderesources.BalancedAllocationName: frameworkruntime.FactoryAdapter(fts, noderesources.NewBalancedAllocation),
		volumebinding.Name:                   frameworkruntime.FactoryAdapter(fts, volumebinding.New),
		volumerestrictions.Name:              frameworkruntime.FactoryAdapter(fts, volumerestrictions.New),
		volumezone.Name:                      frameworkruntime.FactoryAdapter(fts, volumezone.New),
		nodevolumelimits.CSIName:             frameworkruntime.FactoryAdapter(fts, nodevolumelimits.NewCSI),
		interpodaffinity.Name:                frameworkruntime.FactoryAdapter(fts, interpodaffinity.New),
		schedulinggates.Name:                 frameworkruntime.FactoryAdapter(fts, schedulinggates.New),
		nodedeclaredfeatures.Name: func(ctx context.Context, args runtime.Object, h fwk.Handle) (fwk.Plugin, error) {
			plugin, err := nodedeclaredfeatures.New(ctx, args, h, fts)
			p.features, _ = plugin.(fwk.PreFilterPlugin)
			return plugin, err
		},
		defaultpreemption.Name: func(ctx context.Context, args runtime.Object, h fwk.Handle) (fwk.Plugin, error) {
			plugin, err := defaultpreemption.New(ctx, args, h, fts)
			if err != nil {
				return nil, err
			}
			p.preemption.tame(plugin)
			return plugin, nil
		},
	}
	for name, build := range r {
		r[name] = func(ctx context.Context, args runtime.Object, h fwk.Handle) (fwk.Plugin, error) {
			return build(ctx, args, handle{h})
		}
	}
	return r
}

// handle is what the plugins see of the framework.
type handle struct{ fwk.Handle }

// Parallelizer implements fwk.Handle.
func (handle) Parallelizer() fwk.Parallelizer { return inTurn{} }

// inTurn does one piece after the other.
type inTurn struct{}

// Until implements fwk.Parallelizer.
func (inTurn) Until(ctx context.Context, pieces int, do workqueue.DoWorkPieceFunc, _ string) {
	for i := 0; i < pieces && ctx.Err() == nil; i++ {
		do(i)
	}
}

// quiet keeps the plugins from logging: what they have to say is in what they return.
func quiet(ctx context.Context) context.Context {
	return klog.NewContext(ctx, klog.Logger(logr.Discard()))
}
