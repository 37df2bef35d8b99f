package cluster

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the time zones of CronJobs, where the machine has none

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/kubernetes/pkg/features"
	schedulerfeature "k8s.io/kubernetes/pkg/scheduler/framework/plugins/feature"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/controllers/certificates/approver"
	"github.com/kubesim-dev/kubesim/controllers/certificates/cleaner"
	"github.com/kubesim-dev/kubesim/controllers/certificates/signer"
	"github.com/kubesim-dev/kubesim/controllers/clusterroleaggregation"
	"github.com/kubesim-dev/kubesim/controllers/cronjob"
	"github.com/kubesim-dev/kubesim/controllers/customresourcedefinition"
	"github.com/kubesim-dev/kubesim/controllers/daemonset"
	"github.com/kubesim-dev/kubesim/controllers/deployment"
	"github.com/kubesim-dev/kubesim/controllers/disruption"
	"github.com/kubesim-dev/kubesim/controllers/endpoint"
	"github.com/kubesim-dev/kubesim/controllers/endpointslice"
	"github.com/kubesim-dev/kubesim/controllers/endpointslicemirroring"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/ephemeral"
	"github.com/kubesim-dev/kubesim/controllers/expand"
	"github.com/kubesim-dev/kubesim/controllers/garbagecollector"
	"github.com/kubesim-dev/kubesim/controllers/job"
	"github.com/kubesim-dev/kubesim/controllers/localpath"
	"github.com/kubesim-dev/kubesim/controllers/namespace"
	"github.com/kubesim-dev/kubesim/controllers/nodelifecycle"
	"github.com/kubesim-dev/kubesim/controllers/persistentvolume"
	"github.com/kubesim-dev/kubesim/controllers/podautoscaler"
	"github.com/kubesim-dev/kubesim/controllers/podgc"
	"github.com/kubesim-dev/kubesim/controllers/pvcprotection"
	"github.com/kubesim-dev/kubesim/controllers/pvprotection"
	"github.com/kubesim-dev/kubesim/controllers/replicaset"
	"github.com/kubesim-dev/kubesim/controllers/resourcequota"
	"github.com/kubesim-dev/kubesim/controllers/rootcacertpublisher"
	"github.com/kubesim-dev/kubesim/controllers/scheduler"
	"github.com/kubesim-dev/kubesim/controllers/serviceaccount"
	"github.com/kubesim-dev/kubesim/controllers/serviceaccount/legacytoken"
	"github.com/kubesim-dev/kubesim/controllers/servicecidrs"
	"github.com/kubesim-dev/kubesim/controllers/statefulset"
	"github.com/kubesim-dev/kubesim/controllers/tainteviction"
	"github.com/kubesim-dev/kubesim/controllers/ttlafterfinished"
	"github.com/kubesim-dev/kubesim/controllers/validatingadmissionpolicystatus"
	"github.com/kubesim-dev/kubesim/controllers/workload"
	"github.com/kubesim-dev/kubesim/internal/memory"
	"github.com/kubesim-dev/kubesim/internal/pki"
	"github.com/kubesim-dev/kubesim/internal/version"
	"github.com/kubesim-dev/kubesim/kubelet-sim/cri"
	"github.com/kubesim-dev/kubesim/kubelet-sim/lifecycle"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
	"github.com/kubesim-dev/kubesim/kubelet-sim/script"
	"github.com/kubesim-dev/kubesim/kubelet-sim/session"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
	"github.com/kubesim-dev/kubesim/kubelet-sim/volume"
	"github.com/kubesim-dev/kubesim/storage"
)

// parts is what reconcilers are built from.
type parts struct {
	engine *engine.Engine
	view   *engine.View
	api    engine.API
	keys   *pki.Authority
	// server is the API server that the engine belongs to.
	server *apiserver.Server
	// metrics are what Pods use.
	metrics podautoscaler.Metrics
	// nodes are the simulated ones.
	nodes []node.Node
}

// host is what a controller runs on; one that writes no Events has no recorder.
func (p parts) host(recorder *engine.EventRecorder) engine.Host {
	return engine.Host{View: p.view, API: p.api, Recorder: recorder}
}

func (p parts) recorder(component string) *engine.EventRecorder {
	return p.recorderAs(component, component)
}

// recorderAs is for a controller whose Events name another component than its
// service account.
func (p parts) recorderAs(account, component string) *engine.EventRecorder {
	return p.engine.NewEventRecorder(p.api, engine.ControllerIdentity(account), engine.Source{Component: component})
}

// follow tells e of what the API server serves, and of each change until stop is called.
func (r *ring) follow(e *engine.Engine) (stop func()) {
	return r.server.Local().Follow(func(change apiserver.ServedChange) {
		name := engine.ResourceOf(change.GroupResource)
		if change.Gone {
			e.Withdraw(name)
			return
		}
		e.Serve(engine.Served{Name: name, GVK: change.Kind, Versions: change.Versions, Namespaced: change.Namespaced})
	})
}

// check is the wake for the check of a Node's heartbeat: progress where
// the kubelet is off the network, because the Pods there wait for what follows.
func (p parts) check(obj *corev1.Node, at time.Time) engine.Wake {
	switch {
	case node.Unreachable(obj):
		return engine.Progress(at)
	case slices.ContainsFunc(p.nodes, func(n node.Node) bool { return n.Name == obj.Name }):
		return engine.Upkeep(at)
	}
	return engine.Routine(at)
}

// controller is a controller that --controllers may switch off.
type controller struct {
	// name and alias are those of upstream's kube-controller-manager; some have
	// no alias.
	name, alias string
	build       func(parts) (engine.Reconciler, error)
}

// controllers are all of them, in the order in which they see a commit.
func controllers() []controller { return slices.Concat(workloads(), housekeepers()) }

// workloads make Pods, and what Pods need.
func workloads() []controller {
	return []controller{
		{"root-ca-certificate-publisher-controller", "root-ca-cert-publisher", func(p parts) (engine.Reconciler, error) {
			return rootcacertpublisher.New(rootcacertpublisher.Config{Host: p.host(nil), RootCA: p.keys.Certificate()})
		}},
		{"serviceaccount-controller", "serviceaccount", func(p parts) (engine.Reconciler, error) {
			return serviceaccount.New(p.host(nil))
		}},
		{"legacy-serviceaccount-token-cleaner-controller", "legacy-service-account-token-cleaner", func(p parts) (engine.Reconciler, error) {
			return legacytoken.New(p.host(nil))
		}},
		{"clusterrole-aggregation-controller", "clusterrole-aggregation", func(p parts) (engine.Reconciler, error) {
			return clusterroleaggregation.New(p.host(nil))
		}},
		// Before the job controller, so that what a Pod's end frees can be used
		// for its successor.
		{"resourcequota-controller", "resourcequota", func(p parts) (engine.Reconciler, error) {
			config := resourcequota.Config{Host: p.host(nil), Other: objectCount}
			var err error
			if config.Evaluators, err = p.evaluators(); err != nil {
				return nil, err
			}
			return resourcequota.New(config)
		}},
		{"job-controller", "job", newJob},
		{"cronjob-controller", "cronjob", func(p parts) (engine.Reconciler, error) {
			return cronjob.New(p.host(p.recorder("cronjob-controller")))
		}},
		{"replicationcontroller-controller", "replicationcontroller", func(p parts) (engine.Reconciler, error) {
			return replicaset.NewReplication(p.host(p.recorder("replication-controller")))
		}},
		{"deployment-controller", "deployment", func(p parts) (engine.Reconciler, error) {
			return deployment.New(deployment.Config{
				Host:  p.host(p.recorder("deployment-controller")),
				Gates: workloadGates(),
			})
		}},
		{"replicaset-controller", "replicaset", func(p parts) (engine.Reconciler, error) {
			return replicaset.New(replicaset.Config{
				Host:  p.host(p.recorder("replicaset-controller")),
				Gates: workloadGates(),
			})
		}},
		{"statefulset-controller", "statefulset", func(p parts) (engine.Reconciler, error) {
			return statefulset.New(statefulset.Config{
				Host:  p.host(p.recorder("statefulset-controller")),
				Gates: workloadGates(),
			})
		}},
		{"daemonset-controller", "daemonset", func(p parts) (engine.Reconciler, error) {
			return daemonset.New(p.host(p.recorderAs("daemon-set-controller", "daemonset-controller")))
		}},
		{"horizontal-pod-autoscaler-controller", "horizontalpodautoscaling", newPodAutoscaler},
		{"ttl-after-finished-controller", "ttl-after-finished", func(p parts) (engine.Reconciler, error) {
			return ttlafterfinished.New(p.host(nil))
		}},
		{"endpoints-controller", "endpoint", func(p parts) (engine.Reconciler, error) {
			return endpoint.New(p.host(nil))
		}},
		{"endpointslice-controller", "endpointslice", func(p parts) (engine.Reconciler, error) {
			return endpointslice.New(p.host(nil))
		}},
		{"endpointslice-mirroring-controller", "endpointslicemirroring", func(p parts) (engine.Reconciler, error) {
			return endpointslicemirroring.New(p.host(p.recorderAs("endpointslicemirroring-controller", "endpoint-slice-mirroring-controller")))
		}},
	}
}

// housekeepers tidy up, and look after nodes and volumes.
func housekeepers() []controller {
	return []controller{
		{"garbage-collector-controller", "garbagecollector", func(p parts) (engine.Reconciler, error) {
			return garbagecollector.New(p.host(p.recorder("garbage-collector-controller")))
		}},
		{"namespace-controller", "namespace", func(p parts) (engine.Reconciler, error) {
			return namespace.New(p.host(nil))
		}},
		{"pod-garbage-collector-controller", "podgc", func(p parts) (engine.Reconciler, error) {
			return podgc.New(podgc.Config{
				Host: p.host(nil), TerminatedPodThreshold: podgc.TerminatedPodThresholdDefault,
				Period: podgc.PeriodDefault, Quarantine: podgc.QuarantineDefault,
			})
		}},
		{"certificatesigningrequest-approving-controller", "csrapproving", func(p parts) (engine.Reconciler, error) {
			return approver.New(p.host(nil))
		}},
		{"certificatesigningrequest-signing-controller", "csrsigning", func(p parts) (engine.Reconciler, error) {
			return signer.New(signer.Config{Host: p.host(nil), Duration: signer.DurationDefault, Issue: p.keys.Issue})
		}},
		{"certificatesigningrequest-cleaner-controller", "csrcleaner", func(p parts) (engine.Reconciler, error) {
			return cleaner.New(p.host(nil))
		}},
		{"podcertificaterequest-cleaner-controller", "", func(p parts) (engine.Reconciler, error) {
			return cleaner.NewPodCertificates(p.host(nil))
		}},
		{"validatingadmissionpolicy-status-controller", "", func(p parts) (engine.Reconciler, error) {
			return validatingadmissionpolicystatus.New(validatingadmissionpolicystatus.Config{Host: p.host(nil), Check: p.server.CheckPolicy})
		}},
		{"service-cidr-controller", "", func(p parts) (engine.Reconciler, error) {
			return servicecidrs.New(p.host(p.recorderAs("service-cidrs-controller", "service-cidr-controller")))
		}},
		{"disruption-controller", "disruption", func(p parts) (engine.Reconciler, error) {
			return disruption.New(p.host(p.recorderAs("disruption-controller", "controllermanager")))
		}},
		{"node-lifecycle-controller", "nodelifecycle", func(p parts) (engine.Reconciler, error) {
			return nodelifecycle.New(nodelifecycle.Config{
				Host: p.host(p.recorder("node-controller")), Check: p.check,
			})
		}},
		{"taint-eviction-controller", "", func(p parts) (engine.Reconciler, error) {
			return tainteviction.New(p.host(p.recorderAs("node-controller", "taint-eviction-controller")))
		}},
		{"ephemeral-volume-controller", "ephemeral-volume", func(p parts) (engine.Reconciler, error) {
			return ephemeral.New(p.host(p.recorderAs("ephemeral-volume-controller", "ephemeral_volume")))
		}},
		{"persistentvolume-binder-controller", "persistentvolume-binder", func(p parts) (engine.Reconciler, error) {
			return persistentvolume.New(p.host(p.recorderAs("persistent-volume-binder", "persistentvolume-controller")))
		}},
		{"persistentvolume-expander-controller", "persistentvolume-expander", func(p parts) (engine.Reconciler, error) {
			return expand.New(p.host(p.recorderAs("expand-controller", "volume_expand")))
		}},
		{"persistentvolumeclaim-protection-controller", "pvc-protection", func(p parts) (engine.Reconciler, error) {
			return pvcprotection.New(p.host(nil))
		}},
		{"persistentvolume-protection-controller", "pv-protection", func(p parts) (engine.Reconciler, error) {
			return pvprotection.New(p.host(nil))
		}},
		{"local-path-provisioner", "", func(p parts) (engine.Reconciler, error) {
			return localpath.New(p.host(p.engine.NewEventRecorder(p.api, engine.Identity{User: localpath.Account}, engine.Source{Component: localpath.Provisioner})))
		}},
		{"kube-scheduler", "scheduler", func(p parts) (engine.Reconciler, error) {
			return scheduler.New(scheduler.Config{
				Host:     p.host(p.engine.NewEventRecorder(p.api, engine.Identity{User: "system:kube-scheduler"}, engine.Source{Component: "default-scheduler"})),
				Random:   p.engine.Random(),
				Features: schedulerfeature.NewSchedulerFeaturesFromGates(utilfeature.DefaultFeatureGate),
			})
		}},
	}
}

func workloadGates() workload.Gates {
	enabled := utilfeature.DefaultFeatureGate.Enabled
	return workload.Gates{
		DeploymentReplicaSetTerminatingReplicas: enabled(features.DeploymentReplicaSetTerminatingReplicas),
		MaxUnavailableStatefulSet:               enabled(features.MaxUnavailableStatefulSet),
		StatefulSetRecreateStrategy:             enabled(features.StatefulSetRecreateStrategy),
		StatefulSetSemanticRevisionComparison:   enabled(features.StatefulSetSemanticRevisionComparison),
	}
}

func newPodAutoscaler(p parts) (engine.Reconciler, error) {
	return podautoscaler.New(podautoscaler.Config{
		Host:   p.host(p.recorderAs("horizontal-pod-autoscaler", "horizontal-pod-autoscaler")),
		Scales: scales{p.server.Local()}, Metrics: p.metrics,
		Gates: podautoscaler.Gates{
			ScaleToZero: utilfeature.DefaultFeatureGate.Enabled(features.HPAScaleToZero),
			Generation:  utilfeature.DefaultFeatureGate.Enabled(features.HPAGeneration),
			Tolerance:   utilfeature.DefaultFeatureGate.Enabled(features.HPAConfigurableTolerance),
		},
	})
}

func newJob(p parts) (engine.Reconciler, error) {
	return job.New(job.Config{
		Host: p.host(p.recorder("job-controller")), Limits: job.DefaultLimits(),
		Gates: job.Gates{
			MutableSchedulingDirectivesForSuspendedJobs: utilfeature.DefaultFeatureGate.Enabled(features.MutableSchedulingDirectivesForSuspendedJobs),
		},
	})
}

// selected applies --controllers: '*' names all that are on by default, 'foo'
// switches foo on, '-foo' switches it off.
func selected(patterns []string, c controller) bool {
	names := func(pattern string) bool { return pattern == c.name || c.alias != "" && pattern == c.alias }
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

// CheckControllers refuses names that nobody has.
func CheckControllers(patterns []string) error {
	known := controllers()
	for _, pattern := range patterns {
		name := strings.TrimPrefix(pattern, "-")
		if pattern == "*" || name != "" && slices.ContainsFunc(known, func(c controller) bool { return c.name == name || c.alias == name }) {
			continue
		}
		aliases := make([]string, len(known))
		for i, c := range known {
			aliases[i] = cmp.Or(c.alias, c.name)
		}
		return fmt.Errorf("%q: no such controller; there are %s, and '*' for all", pattern, strings.Join(aliases, ", "))
	}
	return nil
}

// register adds the reconcilers to e: controllers and kubelets, which write to api, and
// what serves custom resources in custom. Containers write to logs, and used is what they
// use. The caller must close what is returned when e has ended.
func (r *ring) register(e *engine.Engine, api engine.API, custom customresourcedefinition.Server, logs *stream.Store, used *stats.Store) (*lifecycle.Reconciler, error) {
	addresses, err := r.c.options.ServiceRange()
	if err != nil {
		return nil, err
	}
	list := node.List(r.c.options.Nodes)
	metrics, err := r.newMetrics(e, used)
	if err != nil {
		return nil, err
	}
	p := parts{engine: e, view: e.View(), api: api, keys: r.keys, server: r.server, metrics: metrics, nodes: list}
	definitions, err := customresourcedefinition.New(customresourcedefinition.Config{Host: p.host(nil), Server: custom})
	if err != nil {
		return nil, err
	}
	e.Register(definitions)
	for _, candidate := range controllers() {
		if !selected(r.c.options.Controllers, candidate) {
			continue
		}
		built, err := candidate.build(p)
		if err != nil {
			return nil, err
		}
		e.Register(built)
	}
	config := lifecycle.Config{
		Engine: e, API: p.api, Nodes: list, Runtime: cri.Simulated(), Logs: logs, Stats: used, Memory: memory.NewBudget(r.c.options.Memory), Token: r.token,
		ClusterDNS: addresses.DNS.String(),
	}
	if f := r.c.options.Follower; f != nil {
		f.Attach(e)
		config.Follower = f
	}
	pods, err := lifecycle.New(config)
	if err != nil {
		return nil, err
	}
	nodes, err := node.New(node.Config{Engine: e, API: p.api, Nodes: list, Version: version.Kubernetes, Images: pods.Images})
	if err != nil {
		return nil, err
	}
	scripts, err := script.NewStatus(script.StatusConfig{Engine: e, API: p.api})
	if err != nil {
		return nil, err
	}
	own, err := newOwn(p, addresses.String())
	if err != nil {
		return nil, err
	}
	e.Register(append([]engine.Reconciler{nodes, pods, scripts}, own...)...)
	return pods, nil
}

// newMetrics returns what metrics-server would have read of the simulated nodes.
func (r *ring) newMetrics(e *engine.Engine, used *stats.Store) (*stats.Metrics, error) {
	var names []string
	for _, n := range node.List(r.c.options.Nodes) {
		names = append(names, n.Name)
	}
	return stats.NewMetrics(used, names, e.Now, func(name string, scrape int64) uint64 {
		return e.Random().Derive(fmt.Sprintf("node/%s/stats/%d", name, scrape))
	})
}

// newNetwork returns the way to the simulated nodes and their Pods.
func (r *ring) newNetwork(sessions *session.Sessions) *stream.Network {
	var nodes []netip.Addr
	for _, n := range node.List(r.c.options.Nodes) {
		nodes = append(nodes, netip.MustParseAddr(n.IP))
	}
	return stream.NewNetwork(sessions, nodes)
}

// token makes the token of a projected volume, as a kubelet asks for it. It
// reads what the engine has written, durable or not, as every step does.
func (r *ring) token(asked volume.TokenRequest) (string, error) {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		BoundObjectRef: &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: asked.PodName, UID: asked.Pod},
	}}
	if asked.Audience != "" {
		request.Spec.Audiences = []string{asked.Audience}
	}
	if asked.ExpirationSeconds > 0 {
		request.Spec.ExpirationSeconds = &asked.ExpirationSeconds
	}
	return r.server.Local().Token(storage.WithoutWait(context.Background()), info(engine.Identity{User: "system:node", Groups: []string{"system:nodes"}}), asked.Namespace, asked.ServiceAccount, request)
}
