package server

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/authorization/union"
	genericapiserver "k8s.io/apiserver/pkg/server"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/apiserver/plugin/pkg/audit/log"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/kubernetes/pkg/auth/authorizer/abac"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/internal/cluster"
)

// apply sets what flags of kube-apiserver ask for.
func apply(o *cluster.Options, flags map[string]string) error {
	known := map[string]func(o *cluster.Options, value string) error{
		// The endpoint of the Service kubernetes is kubesim's own; tests give an address, or
		// none, because upstream refuses that of a loopback device.
		"advertise-address":        ignore,
		"endpoint-reconciler-type": want("none"),
		"authorization-mode": func(o *cluster.Options, value string) error {
			return setAuthorization(o, list(value), flags["authorization-policy-file"])
		},
		"authorization-policy-file": ignore, // see setAuthorization
		"anonymous-auth":            setAnonymous,
		"disable-admission-plugins": disablePlugins,
		"enable-admission-plugins":  enablePlugins,
		"feature-gates":             setGates,
		"runtime-config":            serve,
		"admission-control-config-file": func(o *cluster.Options, value string) (err error) {
			o.AdmissionConfiguration, err = apiserver.ReadAdmissionConfiguration(value)
			return err
		},
		"audit-policy-file":        audit(func(a *apiserver.AuditConfig, value string) { a.PolicyFile = value }),
		"audit-log-path":           audit(func(a *apiserver.AuditConfig, value string) { a.Path = value }),
		"audit-log-version":        want("audit.k8s.io/v1"),
		"audit-log-mode":           want("blocking"),
		"service-cluster-ip-range": setRange,
		"strict-transport-security-directives": func(o *cluster.Options, value string) error {
			configure(o, func(g *genericapiserver.Config) { g.HSTSDirectives = list(value) })
			return nil
		},
		"token-auth-file": func(o *cluster.Options, value string) error { o.TokenAuthFile = value; return nil },
		// Privileged Pods are always allowed.
		"allow-privileged": want("true"),
		// Config.Storage says it.
		"etcd-prefix":  ignore,
		"etcd-servers": ignore,
		// kubesim compacts by itself, and counts nothing.
		"etcd-compaction-interval":      want("0s"),
		"etcd-count-metric-poll-period": want("0s"),
		"etcd-db-metric-poll-interval":  want("0s"),
		// There is one store, whatever lies before it.
		"watch-cache": ignore,
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		set := known[name]
		if set == nil {
			errs = append(errs, fmt.Errorf("kubesim has no flag --%s (%s) for upstream's tests", name, flags[name]))
			continue
		}
		if err := set(o, flags[name]); err != nil {
			errs = append(errs, fmt.Errorf("kubesim, as upstream's tests start it: --%s %s: %w", name, flags[name], err))
		}
	}
	return errors.Join(errs...)
}

// audit sets a part of how the log of requests is kept.
func audit(set func(a *apiserver.AuditConfig, value string)) func(*cluster.Options, string) error {
	return func(o *cluster.Options, value string) error {
		if o.Audit == nil {
			o.Audit = &apiserver.AuditConfig{Format: log.FormatJson}
		}
		set(o.Audit, value)
		return nil
	}
}

// want refuses every other value.
func want(only string) func(*cluster.Options, string) error {
	return func(_ *cluster.Options, value string) error {
		if value != only {
			return fmt.Errorf("want %s", only)
		}
		return nil
	}
}

// list reads what pflag prints of a list.
func list(value string) []string {
	value = strings.TrimSuffix(strings.TrimPrefix(value, "["), "]")
	if value == "" {
		return nil
	}
	return strings.Split(value, ",")
}

// setAuthorization takes upstream's modes. Node only adds rights that RBAC alone does
// not give to kubelets, of which none runs here.
//
// ABAC, whose policies are in a file, is upstream's own: kubesim has only its place.
func setAuthorization(o *cluster.Options, modes []string, policies string) error {
	switch {
	case slices.Equal(modes, []string{"ABAC"}):
		attributes, err := abac.NewFromFile(policies)
		if err != nil {
			return err
		}
		privileged := authorizerfactory.NewPrivilegedGroups(user.SystemPrivilegedGroup)
		both, err := union.New(union.NamedAuthorizer{AuthorizerName: "privileged", Authorizer: privileged}, union.NamedAuthorizer{AuthorizerName: "ABAC", Authorizer: attributes})
		if err != nil {
			return err
		}
		configure(o, func(g *genericapiserver.Config) { g.Authorization.Authorizer, g.RuleResolver = both, attributes })
	case policies != "":
		return errors.New("only the mode ABAC has policies in a file")
	case slices.Equal(modes, []string{"RBAC"}), slices.Equal(modes, []string{"Node", "RBAC"}):
		o.Authorization = apiserver.AuthorizationRBAC
	case slices.Equal(modes, []string{"AlwaysAllow"}):
		o.Authorization = apiserver.AuthorizationAlwaysAllow
	case slices.Equal(modes, []string{"AlwaysDeny"}):
		configure(o, func(g *genericapiserver.Config) {
			g.Authorization.Authorizer = authorizerfactory.NewAlwaysDenyAuthorizer()
		})
	default:
		return errors.New("want RBAC, Node,RBAC, AlwaysAllow or AlwaysDeny")
	}
	return nil
}

// setAnonymous does what upstream's flag does. kubesim's own server lets nobody be
// anonymous but for its health and version.
func setAnonymous(o *cluster.Options, value string) error {
	configure(o, func(g *genericapiserver.Config) {
		own := g.Authentication.Authenticator
		g.Authentication.Authenticator = authenticator.RequestFunc(func(r *http.Request) (*authenticator.Response, bool, error) {
			response, ok, err := own.AuthenticateRequest(r)
			if ok && response.User.GetName() == user.Anonymous {
				return nil, false, nil
			}
			if ok || err != nil || value != "true" {
				return response, ok, err
			}
			return &authenticator.Response{User: &user.DefaultInfo{Name: user.Anonymous, Groups: []string{user.AllUnauthenticated}}}, true, nil
		})
	})
	return nil
}

// configure adds a change of the configuration.
func configure(o *cluster.Options, change func(*genericapiserver.Config)) {
	before := o.Configure
	o.Configure = func(g *genericapiserver.Config) {
		if before != nil {
			before(g)
		}
		change(g)
	}
}

func disablePlugins(o *cluster.Options, value string) error {
	o.DisableAdmissionPlugins = append(o.DisableAdmissionPlugins, list(value)...)
	return nil
}

// enablePlugins takes the plugins that are always on.
func enablePlugins(_ *cluster.Options, value string) error {
	for _, plugin := range list(value) {
		if !slices.Contains(apiserver.AdmissionPlugins(), plugin) {
			return fmt.Errorf("%s is not in the default set, and kubesim has no other", plugin)
		}
	}
	return nil
}

// setGates switches gates of the process, as kubesim's own flag does.
func setGates(_ *cluster.Options, value string) error {
	gates := map[string]bool{}
	if err := cliflag.NewMapStringBool(&gates).Set(value); err != nil {
		return err
	}
	return utilfeature.DefaultMutableFeatureGate.SetFromMap(gates)
}

// serve takes what switches on versions that are on by default. All that a test then
// finds is what kubesim serves: one that needs more fails.
func serve(_ *cluster.Options, value string) error {
	for _, each := range list(value) {
		name, on, _ := strings.Cut(each, "=")
		if on != "" && on != "true" {
			return fmt.Errorf("%s cannot be switched off", name)
		}
	}
	return nil
}

func setRange(o *cluster.Options, value string) error {
	if strings.Contains(value, ",") {
		return errors.New("want one range: kubesim has no second family of addresses")
	}
	o.ServiceClusterIPRange = value
	return nil
}

// ignore takes every value of a flag that changes nothing here, for the reason that is
// said at its name.
func ignore(*cluster.Options, string) error { return nil }
