// Package namespace stands in for upstream's pkg/controller/namespace: the controller
// is kubesim's own, and runs in the server from its start.
package namespace

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
)

// NamespaceController stands for the one in the server.
//
//nolint:revive // the name that upstream's tests know
type NamespaceController struct{}

// NewNamespaceController makes nothing.
func NewNamespaceController(context.Context, kubernetes.Interface, metadata.Interface, func() ([]*metav1.APIResourceList, error),
	coreinformers.NamespaceInformer, time.Duration, corev1.FinalizerName) *NamespaceController {
	return &NamespaceController{}
}

// Run has nothing to do.
func (*NamespaceController) Run(context.Context, int) {}
