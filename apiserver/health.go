package apiserver

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"

	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/healthz"
)

// errNotFounded is what the checks of the cluster's first objects return before these
// are written.
var errNotFounded = errors.New("not finished")

// addHealthChecks adds those of kube-apiserver's named checks that have a counterpart
// here. They have the names that scripts and operators use: /readyz/etcd,
// /livez/poststarthook/rbac/bootstrap-roles. founded is set when the cluster's first
// objects are written and every cache is filled.
//
// The store's check is called etcd, wherever the store is. The generic server adds
// ping, log, shutdown and hooks of its own. The checks of aggregation, of custom
// resources and of controllers that do not exist here are missing.
func addHealthChecks(c *genericapiserver.Config, store func(context.Context) error, founded *atomic.Bool) {
	ofStore := func(name string) healthz.HealthChecker {
		return healthz.NamedGroupedCheck(name, name, func(r *http.Request) error { return store(r.Context()) })
	}
	ofFounding := func(name string) healthz.HealthChecker {
		return healthz.NamedCheck(name, func(*http.Request) error {
			if founded.Load() {
				return nil
			}
			return errNotFounded
		})
	}
	c.AddHealthChecks(ofStore("etcd"))
	c.AddReadyzChecks(ofStore("etcd-readiness"), ofFounding("informer-sync"))
	c.AddHealthChecks(
		ofFounding("poststarthook/start-system-namespaces-controller"),
		ofFounding("poststarthook/bootstrap-controller"),
		ofFounding("poststarthook/rbac/bootstrap-roles"),
		ofFounding("poststarthook/scheduling/bootstrap-system-priority-classes"),
	)
}
