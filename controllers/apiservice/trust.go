package apiservice

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// trust is the Kind of the key of the ConfigMap from which API servers beside the cluster
// learn whom they may trust. Source: pkg/controlplane/controller/clusterauthenticationtrust
// in k8s.io/kubernetes v1.37.2.
//
// Deviation: a real cluster has it from its start; here it comes with the first APIService
// that has a Service.
const (
	trust     = "authentication"
	trustName = "extension-apiserver-authentication"
)

// trusted is the data of the ConfigMap. The headers and the name are those that kubeadm
// gives kube-apiserver. The certificate of the front proxy is one of the same authority.
func trusted(authority string) map[string]string {
	return map[string]string{
		"client-ca-file":                     authority,
		"requestheader-allowed-names":        `["front-proxy-client"]`,
		"requestheader-client-ca-file":       authority,
		"requestheader-extra-headers-prefix": `["X-Remote-Extra-"]`,
		"requestheader-group-headers":        `["X-Remote-Group"]`,
		"requestheader-username-headers":     `["X-Remote-User"]`,
	}
}

// decideTrust returns the ConfigMap to create or to update, of which have is the present
// one; both are nil if it is right. What a user has added stays, as upstream lets it.
func decideTrust(have *corev1.ConfigMap, authority string) (create, update *corev1.ConfigMap) {
	if have == nil {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: trustName}, Data: trusted(authority)}, nil
	}
	next := have.DeepCopy()
	if next.Data == nil {
		next.Data = map[string]string{}
	}
	changed := false
	for key, value := range trusted(authority) {
		if !strings.Contains(next.Data[key], strings.Trim(value, "[]\n")) {
			next.Data[key], changed = value, true
		}
	}
	if !changed {
		return nil, nil
	}
	return nil, next
}

// remote reports whether there is an APIService with a Service.
func (r *Reconciler) remote() bool {
	for _, s := range engine.List[*apiregistrationv1.APIService](r.cfg.View, engine.APIServices, "") {
		if s.Spec.Service != nil {
			return true
		}
	}
	return false
}

// trustOf is the key of the ConfigMap, if c may change what it has to be.
func (r *Reconciler) trustOf(c engine.Commit) []engine.Key {
	key := []engine.Key{{Controller: Name, Kind: trust}}
	switch o := c.Object.(type) {
	case *apiregistrationv1.APIService:
		if c.Type == watch.Added && o.Spec.Service != nil {
			return key
		}
	case *corev1.ConfigMap:
		if o.Namespace == metav1.NamespaceSystem && o.Name == trustName {
			return key
		}
	}
	return nil
}

// reconcileTrust writes the ConfigMap.
func (r *Reconciler) reconcileTrust(ctx context.Context) error {
	if !r.remote() {
		return nil
	}
	have, _ := engine.Get[*corev1.ConfigMap](r.cfg.View, engine.ConfigMaps, metav1.NamespaceSystem, trustName)
	create, update := decideTrust(have, r.cfg.Authority)
	var err error
	switch {
	case create != nil:
		_, err = r.cfg.API.Create(ctx, r.who, engine.ConfigMaps, create)
	case update != nil:
		_, err = r.cfg.API.Update(ctx, r.who, engine.ConfigMaps, "", update)
	}
	return err
}
