// Package approver stands in for upstream's pkg/controller/certificates/approver: the
// controller is kubesim's own, and runs in the server from its start.
package approver

import (
	"context"

	certificatesinformers "k8s.io/client-go/informers/certificates/v1"
	"k8s.io/client-go/kubernetes"
)

// Controller stands for the one in the server.
type Controller struct{}

// NewCSRApprovingController makes nothing.
func NewCSRApprovingController(context.Context, kubernetes.Interface, certificatesinformers.CertificateSigningRequestInformer) *Controller {
	return &Controller{}
}

// Run has nothing to do.
func (*Controller) Run(context.Context, int) {}
