package plugin

import (
	"context"

	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/resourcequota"
	"k8s.io/client-go/tools/cache"
)

// QuotaWhereThereIsOne keeps requests for a namespace without a quota away from the
// ResourceQuota plugin. The plugin would pass them to goroutines of its own and wait
// for them.
func QuotaWhereThereIsOne(quotas cache.Indexer) admission.Decorator {
	return admission.DecoratorFunc(func(handler admission.Interface, _ string) admission.Interface {
		inner, ok := handler.(*resourcequota.QuotaAdmission)
		if !ok {
			return handler
		}
		return quotaPlugin{QuotaAdmission: inner, quotas: quotas}
	})
}

type quotaPlugin struct {
	*resourcequota.QuotaAdmission
	quotas cache.Indexer
}

var _ admission.ValidationInterface = quotaPlugin{}

// Validate implements admission.ValidationInterface.
func (p quotaPlugin) Validate(ctx context.Context, a admission.Attributes, o admission.ObjectInterfaces) error {
	if there, err := p.quotas.IndexKeys(cache.NamespaceIndex, a.GetNamespace()); err == nil && len(there) == 0 {
		return nil
	}
	return p.QuotaAdmission.Validate(ctx, a, o)
}
