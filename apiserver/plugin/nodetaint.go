package plugin

import (
	"context"

	"k8s.io/apiserver/pkg/admission"
	api "k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/plugin/pkg/admission/nodetaint"
)

// RegisteredNodes lets a kubelet register its Node as it is. The TaintNodesByCondition
// plugin taints every new Node as not ready, and the node-lifecycle controller removes
// the taint as soon as the kubelet reports that it is ready.
//
// Deviation: a simulated kubelet is Ready when it registers, so its Node gets no taint.
// Nodes that anybody else creates get it.
func RegisteredNodes() admission.Decorator {
	return admission.DecoratorFunc(func(handler admission.Interface, _ string) admission.Interface {
		inner, ok := handler.(*nodetaint.Plugin)
		if !ok {
			return handler
		}
		return nodeTaints{inner}
	})
}

type nodeTaints struct{ *nodetaint.Plugin }

var _ admission.MutationInterface = nodeTaints{}

// Admit implements admission.MutationInterface.
func (p nodeTaints) Admit(ctx context.Context, a admission.Attributes, o admission.ObjectInterfaces) error {
	if node, ok := a.GetObject().(*api.Node); ok && isReady(node) && a.GetUserInfo().GetName() == "system:node:"+node.Name {
		return nil
	}
	return p.Plugin.Admit(ctx, a, o)
}

func isReady(node *api.Node) bool {
	for _, c := range node.Status.Conditions {
		if c.Type == api.NodeReady {
			return c.Status == api.ConditionTrue
		}
	}
	return false
}
