package cluster

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	flowcontrolbootstrap "k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"github.com/kubesim-dev/kubesim/controllers/apiservice"
	"github.com/kubesim-dev/kubesim/controllers/autoregister"
	"github.com/kubesim-dev/kubesim/controllers/defaultservicecidr"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/flowcontrol"
	"github.com/kubesim-dev/kubesim/controllers/ipallocator"
)

// newOwn returns what upstream's API server does in goroutines of its own. cidr is its
// range of Services' addresses.
func newOwn(p parts, cidr string) ([]engine.Reconciler, error) {
	services, err := apiservice.New(apiservice.Config{
		Host: p.host(nil), Authority: string(p.keys.Certificate()), Ask: p.engine.Ask, Forget: p.server.ForgetAPIService,
		Waits: func() bool { return p.engine.Status().Mode != engine.Realtime },
		Look: func(ctx context.Context, service *apiregistrationv1.APIService, target *corev1.Service) apiservice.Look {
			return p.server.LookAtAPIService(ctx, service, target)
		},
	})
	if err != nil {
		return nil, err
	}
	registrations, err := autoregister.New(p.host(nil))
	if err != nil {
		return nil, err
	}
	flows, err := newFlowControl(p)
	if err != nil {
		return nil, err
	}
	standard, err := defaultservicecidr.New(defaultservicecidr.Config{Host: p.host(nil), CIDR: cidr})
	if err != nil {
		return nil, err
	}
	repair, err := ipallocator.New(p.host(p.engine.NewEventRecorder(p.api, ipallocator.Identity(), engine.Source{Component: ipallocator.Component})))
	if err != nil {
		return nil, err
	}
	return []engine.Reconciler{services, registrations, flows, standard, repair}, nil
}

// newFlowControl keeps upstream's own flow schemas and priority levels.
func newFlowControl(p parts) (engine.Reconciler, error) {
	return flowcontrol.New(flowcontrol.Config{
		Host: p.host(nil),
		Mandatory: flowcontrol.Objects{
			FlowSchemas: flowcontrolbootstrap.MandatoryFlowSchemas, PriorityLevels: flowcontrolbootstrap.MandatoryPriorityLevelConfigurations,
		},
		Suggested: flowcontrol.Objects{
			FlowSchemas: flowcontrolbootstrap.SuggestedFlowSchemas, PriorityLevels: flowcontrolbootstrap.SuggestedPriorityLevelConfigurations,
		},
	})
}
