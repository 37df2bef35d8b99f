// Package servicecidrs stands in for upstream's pkg/controller/servicecidrs: the
// controller is kubesim's own, and runs in the server from its start.
package servicecidrs

import (
	"context"

	networkinginformers "k8s.io/client-go/informers/networking/v1"
	"k8s.io/client-go/kubernetes"
)

// Controller stands for the one in the server.
type Controller struct{}

// NewController makes nothing.
func NewController(context.Context, networkinginformers.ServiceCIDRInformer, networkinginformers.IPAddressInformer, kubernetes.Interface) *Controller {
	return &Controller{}
}

// Run has nothing to do.
func (*Controller) Run(context.Context, int) {}
