package registry

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/metrics/pkg/apis/metrics"
)

// MetricsReader knows what containers and nodes use. On a real cluster, this is
// metrics-server.
type MetricsReader interface {
	// PodMetrics returns what the Pods of a namespace use, or all Pods if it is empty.
	// It leaves out a Pod of which nothing is known.
	PodMetrics(ctx context.Context, namespace string) ([]metrics.PodMetrics, error)
	// NodeMetrics returns what the nodes use.
	NodeMetrics(ctx context.Context) ([]metrics.NodeMetrics, error)
}

// getLister reads the objects that the metrics are about.
type getLister interface {
	rest.Getter
	rest.Lister
}

// PodMetrics is the resource pods of group metrics.k8s.io. Source: podMetrics in
// kubernetes-sigs/metrics-server pkg/api.
type PodMetrics struct {
	metricsTable
	pods   getLister
	reader MetricsReader
}

// NodeMetrics is the resource nodes of group metrics.k8s.io. Source: nodeMetrics,
// kubernetes-sigs/metrics-server pkg/api.
type NodeMetrics struct {
	metricsTable
	nodes  getLister
	reader MetricsReader
}

// NewMetrics returns the resources of group metrics.k8s.io for the Pods and Nodes in
// these stores.
func NewMetrics(pods, nodes getLister, reader MetricsReader) (*PodMetrics, *NodeMetrics) {
	return &PodMetrics{pods: pods, reader: reader}, &NodeMetrics{nodes: nodes, reader: reader}
}

var (
	_ rest.Storage              = (*PodMetrics)(nil)
	_ rest.KindProvider         = (*PodMetrics)(nil)
	_ rest.Scoper               = (*PodMetrics)(nil)
	_ rest.SingularNameProvider = (*PodMetrics)(nil)
	_ getLister                 = (*PodMetrics)(nil)
	_ rest.Storage              = (*NodeMetrics)(nil)
	_ rest.KindProvider         = (*NodeMetrics)(nil)
	_ rest.Scoper               = (*NodeMetrics)(nil)
	_ rest.SingularNameProvider = (*NodeMetrics)(nil)
	_ getLister                 = (*NodeMetrics)(nil)
)

// New implements rest.Storage.
func (*PodMetrics) New() runtime.Object { return &metrics.PodMetrics{} }

// NewList implements rest.Lister.
func (*PodMetrics) NewList() runtime.Object { return &metrics.PodMetricsList{} }

// Destroy implements rest.Storage: nothing is held.
func (*PodMetrics) Destroy() {}

// Kind implements rest.KindProvider.
func (*PodMetrics) Kind() string { return "PodMetrics" }

// NamespaceScoped implements rest.Scoper.
func (*PodMetrics) NamespaceScoped() bool { return true }

// GetSingularName implements rest.SingularNameProvider: metrics-server has none.
func (*PodMetrics) GetSingularName() string { return "" }

// Get implements rest.Getter.
func (m *PodMetrics) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	obj, err := m.pods.Get(ctx, name, &metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, apierrors.NewNotFound(core.Resource("pods"), name) // not the request's own
	}
	if err != nil {
		return nil, err
	}
	found, err := m.of(ctx, []core.Pod{*obj.(*core.Pod)})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, apierrors.NewNotFound(metrics.Resource("podmetrics"), fmt.Sprintf("%s/%s", genericrequest.NamespaceValue(ctx), name))
	}
	return &found[0], nil
}

// List implements rest.Lister.
func (m *PodMetrics) List(ctx context.Context, options *internalversion.ListOptions) (runtime.Object, error) {
	pods, err := m.pods.List(ctx, selectors(options))
	if err != nil {
		return nil, err
	}
	items, err := m.of(ctx, pods.(*core.PodList).Items)
	return &metrics.PodMetricsList{Items: items}, err
}

// of returns the metrics of the running Pods among pods.
func (m *PodMetrics) of(ctx context.Context, pods []core.Pod) ([]metrics.PodMetrics, error) {
	all, err := m.reader.PodMetrics(ctx, genericrequest.NamespaceValue(ctx))
	if err != nil {
		return nil, err
	}
	known := make(map[types.NamespacedName]metrics.PodMetrics, len(all))
	for _, one := range all {
		known[types.NamespacedName{Namespace: one.Namespace, Name: one.Name}] = one
	}
	out := make([]metrics.PodMetrics, 0, len(pods))
	for i := range pods {
		one, ok := known[types.NamespacedName{Namespace: pods[i].Namespace, Name: pods[i].Name}]
		if ok && pods[i].Status.Phase == core.PodRunning {
			one.Labels = pods[i].Labels
			out = append(out, one)
		}
	}
	return out, nil
}

// New implements rest.Storage.
func (*NodeMetrics) New() runtime.Object { return &metrics.NodeMetrics{} }

// NewList implements rest.Lister.
func (*NodeMetrics) NewList() runtime.Object { return &metrics.NodeMetricsList{} }

// Destroy implements rest.Storage: nothing is held.
func (*NodeMetrics) Destroy() {}

// Kind implements rest.KindProvider.
func (*NodeMetrics) Kind() string { return "NodeMetrics" }

// NamespaceScoped implements rest.Scoper.
func (*NodeMetrics) NamespaceScoped() bool { return false }

// GetSingularName implements rest.SingularNameProvider: metrics-server has none.
func (*NodeMetrics) GetSingularName() string { return "" }

// Get implements rest.Getter.
func (m *NodeMetrics) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	obj, err := m.nodes.Get(ctx, name, &metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, apierrors.NewNotFound(core.Resource("nodes"), name) // not the request's own
	}
	if err != nil {
		return nil, err
	}
	found, err := m.of(ctx, []core.Node{*obj.(*core.Node)})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, apierrors.NewNotFound(metrics.Resource("nodemetrics"), name)
	}
	return &found[0], nil
}

// List implements rest.Lister.
func (m *NodeMetrics) List(ctx context.Context, options *internalversion.ListOptions) (runtime.Object, error) {
	nodes, err := m.nodes.List(ctx, selectors(options))
	if err != nil {
		return nil, err
	}
	items, err := m.of(ctx, nodes.(*core.NodeList).Items)
	return &metrics.NodeMetricsList{Items: items}, err
}

// of returns the metrics of the nodes whose kubelet can be reached.
func (m *NodeMetrics) of(ctx context.Context, nodes []core.Node) ([]metrics.NodeMetrics, error) {
	all, err := m.reader.NodeMetrics(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]metrics.NodeMetrics, 0, len(nodes))
	for i := range nodes {
		at := slices.IndexFunc(all, func(one metrics.NodeMetrics) bool { return one.Name == nodes[i].Name })
		if at >= 0 && ready(&nodes[i]) {
			one := all[at]
			one.Labels = nodes[i].Labels
			out = append(out, one)
		}
	}
	return out, nil
}

func ready(n *core.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c core.NodeCondition) bool {
		return c.Type == core.NodeReady && c.Status == core.ConditionTrue
	})
}

// selectors returns the part of options that selects objects. The resource version of a
// list of metrics has no meaning.
func selectors(options *internalversion.ListOptions) *internalversion.ListOptions {
	if options == nil {
		return &internalversion.ListOptions{}
	}
	return &internalversion.ListOptions{LabelSelector: options.LabelSelector, FieldSelector: options.FieldSelector}
}

// metricsTable prints metrics as metrics-server does. Source: table.go,
// kubernetes-sigs/metrics-server pkg/api.
type metricsTable struct{}

// ConvertToTable implements rest.TableConvertor.
func (metricsTable) ConvertToTable(_ context.Context, obj, _ runtime.Object) (*metav1.Table, error) {
	table := &metav1.Table{ColumnDefinitions: []metav1.TableColumnDefinition{
		{Name: "Name", Type: "string", Format: "name", Description: "Name of the resource"},
		{Name: "cpu", Type: "string", Format: "quantity"},
		{Name: "memory", Type: "string", Format: "quantity"},
		{Name: "Window", Type: "string", Format: "duration"},
	}}
	row := func(obj runtime.Object, name string, usage corev1.ResourceList, window metav1.Duration) {
		table.Rows = append(table.Rows, metav1.TableRow{
			Object: runtime.RawExtension{Object: obj},
			Cells:  []any{name, usage.Cpu().String(), usage.Memory().String(), window.Duration.String()},
		})
	}
	podRow := func(p *metrics.PodMetrics) { row(p, p.Name, sum(p.Containers), p.Window) }
	switch t := obj.(type) {
	case *metrics.PodMetrics:
		podRow(t)
	case *metrics.PodMetricsList:
		for i := range t.Items {
			podRow(&t.Items[i])
		}
	case *metrics.NodeMetrics:
		row(t, t.Name, t.Usage, t.Window)
	case *metrics.NodeMetricsList:
		for i := range t.Items {
			row(&t.Items[i], t.Items[i].Name, t.Items[i].Usage, t.Items[i].Window)
		}
	}
	return table, nil
}

func sum(containers []metrics.ContainerMetrics) corev1.ResourceList {
	total := corev1.ResourceList{}
	for i := range containers {
		for name, q := range containers[i].Usage {
			all := total[name]
			all.Add(q)
			total[name] = all
		}
	}
	return total
}
