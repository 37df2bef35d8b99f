package apiserver

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"

	"net"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"
	"k8s.io/client-go/tools/cache"

	"github.com/kubesim-dev/kubesim/apiserver/registry"
	"github.com/kubesim-dev/kubesim/apiserver/webhook"
)

// Config is what a server needs to know. All fields must be set, except those that say
// otherwise.
type Config struct {
	// Listener accepts the TLS connections.
	Listener net.Listener
	// Certificate is the serving certificate.
	Certificate tls.Certificate
	// CA is the PEM bundle that verifies client certificates.
	CA []byte
	// Issued reports whether a client's certificate, if it is one of the CA's, was issued
	// for a CertificateSigningRequest. Such a certificate follows Clock, the others the
	// wall clock. Optional.
	Issued func(*x509.Certificate) bool
	// FrontProxy is how the server is known to API servers beside it: a client
	// certificate.
	FrontProxy tls.Certificate
	// ServiceAccountKey signs service-account tokens.
	ServiceAccountKey crypto.Signer
	// TokenAuthFile lists static bearer tokens, like upstream's --token-auth-file.
	// Optional.
	TokenAuthFile string
	// Authorization is "RBAC" or "AlwaysAllow".
	Authorization string
	// DisableAdmissionPlugins names plugins of the default set. Optional.
	DisableAdmissionPlugins []string
	// AdmissionConfiguration configures admission plugins. Optional.
	AdmissionConfiguration AdmissionConfiguration
	// Audit says which requests are logged where. Optional.
	Audit *AuditConfig
	// AdvertiseAddress is the address of the kubernetes Service's endpoint. It
	// must not be a loopback address: the API refuses that.
	AdvertiseAddress net.IP
	// ExternalAddress is the host and port at which clients on this machine reach the
	// server.
	ExternalAddress string
	// Services is where the addresses of Services come from.
	Services ServiceRange
	// NewStorage opens the store of one resource.
	NewStorage func(StorageConfig) (storage.Interface, factory.DestroyFunc, error)
	// Ahead marks a read that sees what Observe was told of, even if it is not committed
	// yet. Optional: if it is not set, each read does.
	Ahead func(context.Context) context.Context
	// Recall tells Observe, and whoever else knows what is stored, of what the store of a
	// resource holds that has come to be served.
	Recall func(schema.GroupResource) error
	// Clock and Random are the cluster's time and randomness.
	Clock  registry.Clock
	Random registry.Random
	// Timekeeper changes Clock, for the resource clocks.
	Timekeeper registry.Timekeeper
	// Gate admits external writes; see Gate.
	Gate Gate
	// Faults makes requests fail. Optional.
	Faults Faults
	// BeginList makes a client's list one of those that wait for each other if they are
	// large, until end is called. whole says that its answer is encoded in one piece.
	// Optional.
	BeginList func(ctx context.Context, whole bool) (_ context.Context, end func())
	// Recorder is told what clients do. Optional.
	Recorder Recorder
	// Logs answers the pods/log subresource.
	Logs registry.LogReader
	// Metrics answers the group metrics.k8s.io.
	Metrics registry.MetricsReader
	// Dial connects to kubelets and Pods, for the subresources that stream or proxy.
	Dial registry.Dialer
	// Call calls webhooks that are Services. Optional: without it, they are refused.
	Call func(context.Context, webhook.Call) error
	// Handlers answer paths outside of the API, for clients that may post to these
	// paths, such as "/kubesim/history". Optional.
	Handlers map[string]http.Handler
	// StoreHealth returns an error if the store is unhealthy. It is the check called
	// etcd.
	StoreHealth func(ctx context.Context) error
	// CheckTrusted makes Local validate its writes even where it is trusted. An error
	// ends the run with a panic. For tests. Optional.
	CheckTrusted bool
	// NoOpenAPI says that nobody needs the API's description. Building it takes half of
	// a server's start. Apply works without it. Optional.
	NoOpenAPI bool
	// Configure changes what upstream's generic server is configured with, last of all.
	// For tests. Optional.
	Configure func(*genericapiserver.Config)
	// Version is what /version reports as gitVersion, for example
	// "v1.37.2+kubesim".
	Version string
	// Build is the source from which the binary was built, for /version.
	Build Build
}

// StorageConfig describes one resource to the store.
type StorageConfig struct {
	// GroupResource names the resource; Prefix is its folder among the keys,
	// for example "/batch/jobs".
	GroupResource schema.GroupResource
	Prefix        string
	// Codec encodes objects for the store and decodes them to internal types.
	Codec runtime.Codec
	// Protobuf says that Codec encodes in protobuf.
	Protobuf bool
	// NewFunc and NewListFunc return empty objects.
	NewFunc, NewListFunc func() runtime.Object
	// Uncached says that upstream's watch cache is of no use: only a client that reads an
	// object knows its attributes.
	Uncached bool
	// KeyFunc, AttrFunc, Triggers and Indexers configure upstream's watch cache. A
	// store that does not need them may ignore them.
	KeyFunc  func(runtime.Object) (string, error)
	AttrFunc storage.AttrFunc
	Triggers storage.IndexerFuncs
	Indexers *cache.Indexers
}

// Gate admits one external write to the cluster. In the modes in which virtual time
// does not flow, it waits until the cluster is at rest, and leave returns when it is at
// rest again; see Engine.Enter in controllers/engine.
type Gate interface {
	Enter(ctx context.Context) (leave func(context.Context) error, err error)
	// Flows reports whether virtual time flows, so that nobody waits for anybody.
	Flows() bool
}

// EventTTL is how long Events are kept, in virtual time. Source: default of
// --event-ttl, k8s.io/kubernetes pkg/controlplane/apiserver/options v1.37.2.
const EventTTL = time.Hour

func (c *Config) validate() error {
	var errs []error
	for what, missing := range map[string]bool{
		"Listener": c.Listener == nil, "CA": len(c.CA) == 0, "FrontProxy": c.FrontProxy.PrivateKey == nil, "ServiceAccountKey": c.ServiceAccountKey == nil,
		"NewStorage": c.NewStorage == nil, "Recall": c.Recall == nil, "StoreHealth": c.StoreHealth == nil, "Services": c.Services.IP == nil, "ExternalAddress": c.ExternalAddress == "", "Clock": c.Clock == nil, "Random": c.Random == nil,
		"Timekeeper": c.Timekeeper == nil, "Gate": c.Gate == nil, "Logs": c.Logs == nil, "Metrics": c.Metrics == nil, "Dial": c.Dial == nil, "Version": c.Version == "", "AdvertiseAddress": c.AdvertiseAddress == nil,
	} {
		if missing {
			errs = append(errs, errors.New("apiserver: Config."+what+" is not set"))
		}
	}
	if c.Authorization != AuthorizationRBAC && c.Authorization != AuthorizationAlwaysAllow {
		errs = append(errs, errors.New("--authorization "+c.Authorization+": want RBAC or AlwaysAllow"))
	}
	return errors.Join(errs...)
}

// webhooks says how webhooks are called, but for where their Services are.
func (c *Config) webhooks() webhook.Config {
	out := webhook.Config{Random: c.Random, Clock: c.Clock}
	if c.Call != nil {
		out.Call = func(ctx context.Context, call webhook.Call) error {
			_, call.OnStage = ctx.Value(turnKey{}).(*turn)
			return c.Call(ctx, call)
		}
	}
	return out
}
