package apiserver

import (
	"context"
	"crypto"
	"fmt"

	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	authorizerunion "k8s.io/apiserver/pkg/authorization/union"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	controller "k8s.io/kubernetes/pkg/controller/serviceaccount"
	kubeauthenticator "k8s.io/kubernetes/pkg/kubeapiserver/authenticator"
	"k8s.io/kubernetes/pkg/routes"
	"k8s.io/kubernetes/pkg/serviceaccount"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac"
)

// Authorization modes of Config.
const (
	AuthorizationRBAC        = "RBAC"
	AuthorizationAlwaysAllow = "AlwaysAllow"
)

// Issuer is the issuer and audience of service-account tokens, as kubeadm
// configures it.
const Issuer = "https://kubernetes.default.svc.cluster.local"

// publicPaths are all the paths that need no credential.
func publicPaths() []apiserver.AnonymousAuthCondition {
	return []apiserver.AnonymousAuthCondition{{Path: "/healthz"}, {Path: "/livez"}, {Path: "/readyz"}, {Path: "/version"}}
}

// authenticate decides which requests are accepted. It returns the keys that verify
// tokens.
func authenticate(ctx context.Context, c *genericapiserver.Config, cfg *Config, client kubernetes.Interface,
	factory informers.SharedInformerFactory) (serviceaccount.PublicKeysGetter, error) {
	keys, err := serviceaccount.StaticPublicKeysGetter([]any{cfg.ServiceAccountKey.Public()})
	if err != nil {
		return nil, err
	}
	c.Authentication.APIAudiences = authenticator.Audiences{Issuer}
	c.Authentication.Authenticator, err = newAuthenticator(ctx, c, cfg, client, factory, keys)
	return keys, err
}

// newAuthenticator knows client certificates of the CA, service-account
// tokens, static tokens, and the anonymous user for publicPaths. OpenAPI says so.
func newAuthenticator(ctx context.Context, c *genericapiserver.Config, cfg *Config, client kubernetes.Interface,
	factory informers.SharedInformerFactory, keys serviceaccount.PublicKeysGetter) (authenticator.Request, error) {
	v1 := factory.Core().V1()
	getter := controller.NewGetterFromClient(client, v1.Secrets().Lister(), v1.ServiceAccounts().Lister(), v1.Pods().Lister(), v1.Nodes().Lister(),
		factory.Admissionregistration().V1().ValidatingWebhookConfigurations().Lister(),
		factory.Admissionregistration().V1().MutatingWebhookConfigurations().Lister())
	request, _, definitions, schemes, err := kubeauthenticator.Config{
		Anonymous:                      apiserver.AnonymousAuthConfig{Enabled: true, Conditions: publicPaths()},
		ClientCAContentProvider:        c.SecureServing.ClientCA,
		TokenAuthFile:                  cfg.TokenAuthFile,
		APIAudiences:                   authenticator.Audiences{Issuer},
		ServiceAccountIssuers:          []string{Issuer},
		ServiceAccountLookup:           true,
		ServiceAccountPublicKeysGetter: keys,
		ServiceAccountTokenGetter:      getter,
		SecretsWriter:                  client.CoreV1(),
		AuthenticationConfig:           &apiserver.AuthenticationConfiguration{},
	}.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("authentication: %w", err)
	}
	c.OpenAPIConfig.SecurityDefinitions, c.OpenAPIV3Config.SecuritySchemes = definitions, schemes
	if request, err = newIssuedCerts(request, cfg.CA, cfg.Issued, cfg.Clock); err != nil {
		return nil, err
	}
	return newCertCache(request, timeOf(cfg.Issued, cfg.Clock)), nil
}

// newAuthorizer returns upstream's RBAC authorizer, or one that allows everything.
func newAuthorizer(mode string, factory informers.SharedInformerFactory) (authorizer.Authorizer, authorizer.RuleResolver, error) {
	privileged := authorizerfactory.NewPrivilegedGroups(user.SystemPrivilegedGroup)
	if mode == AuthorizationAlwaysAllow {
		all := authorizerfactory.NewAlwaysAllowAuthorizer()
		return all, all, nil
	}
	v1 := factory.Rbac().V1()
	roles := rbac.New(
		&rbac.RoleGetter{Lister: v1.Roles().Lister()},
		&rbac.RoleBindingLister{Lister: v1.RoleBindings().Lister()},
		&rbac.ClusterRoleGetter{Lister: v1.ClusterRoles().Lister()},
		&rbac.ClusterRoleBindingLister{Lister: v1.ClusterRoleBindings().Lister()},
	)
	both, err := authorizerunion.New(
		authorizerunion.NamedAuthorizer{AuthorizerName: "privileged", Authorizer: privileged},
		authorizerunion.NamedAuthorizer{AuthorizerName: AuthorizationRBAC, Authorizer: roles},
	)
	return both, roles, err
}

// installIssuerDiscovery serves what others need to verify service-account tokens by
// themselves: /.well-known/openid-configuration and /openid/v1/jwks. As upstream, it is
// for users with the role system:service-account-issuer-discovery, which every
// ServiceAccount has.
func installIssuerDiscovery(s *genericapiserver.GenericAPIServer, keys serviceaccount.PublicKeysGetter) error {
	metadata, err := serviceaccount.NewOpenIDMetadataProvider(Issuer, "", s.ExternalAddress, keys)
	if err != nil {
		return fmt.Errorf("the discovery of the tokens' issuer: %w", err)
	}
	routes.NewOpenIDMetadataServer(metadata).Install(s.Handler.GoRestfulContainer)
	return nil
}

// newIssuer signs service-account tokens.
func newIssuer(key crypto.Signer) (serviceaccount.TokenGenerator, error) {
	return serviceaccount.JWTTokenGenerator(Issuer, key)
}
