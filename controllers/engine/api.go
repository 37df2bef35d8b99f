package engine

import (
	"cmp"
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// Object is an API object in its external version, for example *corev1.Pod.
type Object interface {
	metav1.Object
	runtime.Object
}

// Resource names a kind of object as "plural.group", or "plural" in the core
// group, as kubectl prints it.
type Resource string

// The resources that kubesim's own reconcilers name.
const (
	Pods              Resource = "pods"
	Nodes             Resource = "nodes"
	Namespaces        Resource = "namespaces"
	ConfigMaps        Resource = "configmaps"
	Secrets           Resource = "secrets"
	ServiceAccounts   Resource = "serviceaccounts"
	Services          Resource = "services"
	Events            Resource = "events"
	LimitRanges       Resource = "limitranges"
	ResourceQuotas    Resource = "resourcequotas"
	PersistentVolumes Resource = "persistentvolumes"
	StorageClasses    Resource = "storageclasses.storage.k8s.io"
	ReplicaSets       Resource = "replicasets.apps"
	Deployments       Resource = "deployments.apps"
	StatefulSets      Resource = "statefulsets.apps"
	DaemonSets        Resource = "daemonsets.apps"
	Jobs              Resource = "jobs.batch"
	CronJobs          Resource = "cronjobs.batch"
	Leases            Resource = "leases.coordination.k8s.io"
	PriorityClasses   Resource = "priorityclasses.scheduling.k8s.io"
	Endpoints         Resource = "endpoints"
	EndpointSlices    Resource = "endpointslices.discovery.k8s.io"

	HorizontalPodAutoscalers Resource = "horizontalpodautoscalers.autoscaling"
	ControllerRevisions      Resource = "controllerrevisions.apps"
	PersistentVolumeClaims   Resource = "persistentvolumeclaims"
	PodDisruptionBudgets     Resource = "poddisruptionbudgets.policy"
	ReplicationControllers   Resource = "replicationcontrollers"
	ClusterTrustBundles      Resource = "clustertrustbundles.certificates.k8s.io"
	PodCertificateRequests   Resource = "podcertificaterequests.certificates.k8s.io"

	ServiceCIDRs Resource = "servicecidrs.networking.k8s.io"
	IPAddresses  Resource = "ipaddresses.networking.k8s.io"

	APIServices                Resource = "apiservices.apiregistration.k8s.io"
	CertificateSigningRequests Resource = "certificatesigningrequests.certificates.k8s.io"
	SubjectAccessReviews       Resource = "subjectaccessreviews.authorization.k8s.io"
)

// GroupResource returns r in apimachinery's form.
func (r Resource) GroupResource() schema.GroupResource {
	return schema.ParseGroupResource(string(r))
}

// ResourceOf is the inverse of GroupResource.
func ResourceOf(gr schema.GroupResource) Resource {
	if gr.Group == "" {
		return Resource(gr.Resource)
	}
	return Resource(gr.Resource + "." + gr.Group)
}

// Identity is a reconciler's user at the API server: the one that admission and
// authorization see.
type Identity struct {
	// User is the user name, for example
	// "system:serviceaccount:kube-system:job-controller".
	User string
	// Groups are the user's groups.
	Groups []string
}

// ControllerIdentity is the service account that upstream's
// kube-controller-manager gives the controller name, for example
// "job-controller".
func ControllerIdentity(name string) Identity {
	return Identity{
		User:   "system:serviceaccount:kube-system:" + name,
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"},
	}
}

// API is the part of the API server that reconcilers write to. Every call passes
// defaulting, admission and validation, exactly as a client's request does, and returns
// the API server's own errors (see apimachinery's pkg/api/errors). The arguments are
// not kept or changed. The results may be shared and must not be changed.
//
// The next step sees a write. The write is durable some time later: nobody outside sees
// it before that.
type API interface {
	// Create creates obj. Its name or generateName must be set.
	Create(ctx context.Context, who Identity, r Resource, obj Object) (Object, error)
	// Update replaces obj, or only its subresource "status", "finalize", "approval" or
	// "resize". The call fails with Conflict if obj's resourceVersion is set
	// and not the newest.
	Update(ctx context.Context, who Identity, r Resource, subresource string, obj Object) (Object, error)
	// Delete deletes an object, with the options of an API request.
	Delete(ctx context.Context, who Identity, r Resource, key types.NamespacedName, opts metav1.DeleteOptions) error
	// DeleteCollection deletes every object of r in namespace.
	DeleteCollection(ctx context.Context, who Identity, r Resource, namespace string, opts metav1.DeleteOptions) error
	// Bind creates a Pod's binding subresource.
	Bind(ctx context.Context, who Identity, binding *corev1.Binding) error
}

// Commit is one revision of the store.
type Commit struct {
	// Revision is the store's global revision, the object's resourceVersion.
	Revision int64
	// Type is Added, Modified or Deleted.
	Type watch.EventType
	// Resource is the kind of Object.
	Resource Resource
	// Object is the new state or, for a deletion, the last one.
	Object Object
	// Old is the state before, or nil if there was none.
	Old Object
	// Replayed says that the commit is from an earlier run. It fills the View, but is
	// not written to the event log again.
	Replayed bool
}

// Key names one unit of reconciliation.
type Key struct {
	// Controller is the reconciler's Name.
	Controller string
	// Kind says what the key is about, if its reconciler has keys of several kinds: a
	// resource, such as "nodes", another word, or Part. It is empty for the main kind.
	Kind string
	// Namespace and Name identify the object. Namespace is empty for objects without
	// one, and Name is empty for a Kind of which there is only one.
	Namespace, Name string
}

// Part is the Kind of the keys of parts of objects, such as one probe of a container.
// Their Names are paths that identify the part, so String leaves out the Kind.
const Part = "part"

// String returns the form that the event log prints: controller/namespace/kind/name,
// without empty parts.
func (k Key) String() string {
	if k.Namespace == "" {
		return k.Controller + "/" + k.path()
	}
	return k.Controller + "/" + k.Namespace + "/" + k.path()
}

// path returns the Kind and the Name.
func (k Key) path() string {
	switch {
	case k.Kind == "" || k.Kind == Part:
		return k.Name
	case k.Name == "":
		return k.Kind
	}
	return k.Kind + "/" + k.Name
}

// compare orders keys as their Strings do, part by part.
func (k Key) compare(o Key) int {
	byName := cmp.Compare(k.Name, o.Name)
	if k.Kind != o.Kind {
		byName = cmp.Or(cmp.Compare(k.path(), o.path()), cmp.Compare(k.Kind, o.Kind))
	}
	return cmp.Or(cmp.Compare(k.Controller, o.Controller), cmp.Compare(k.Namespace, o.Namespace), byName)
}

// Reconciler brings one kind of object closer to its spec. It runs only on the engine's
// goroutine.
type Reconciler interface {
	// Name is the key prefix in the queue and in the event log, for example
	// "job".
	Name() string
	// Observe processes a commit and returns the keys whose plan may change with it, in
	// a fixed order. The View already has c. The engine calls it once for each commit
	// of a tracked resource, in revision order, between two steps. After a restart, it
	// first gets every object of the last checkpoint, as a Replayed Added commit, and
	// then each later commit.
	//
	// It may change what the reconciler itself keeps (indexes and sums over objects,
	// metrics, what it holds for a deleted object), print, and call Poke and Touch. It
	// must not write to the API, take from Random, or depend on wall time or the order
	// of a map: after a crash, the same commit must have the same effect.
	Observe(c Commit) []Key
	// Reconcile decides about key from the present state and applies the plan. The
	// returned wake replaces any earlier wake of the key. After an error the key is
	// retried, with an exponential back-off of virtual time; see Retrier.
	Reconcile(ctx context.Context, key Key, now time.Time) (Wake, error)
}

// Periodic is a Reconciler that starts things by a schedule. If mode auto has advanced
// the clock by itself, what a Periodic starts afterwards is routine, and so is
// everything that follows from it. Otherwise, the clock would advance forever for a
// CronJob whose Jobs overlap.
type Periodic interface {
	Reconciler
	// Periodic does nothing: it marks the Reconciler.
	Periodic()
}

// Retrier is a Reconciler with a back-off of its own for keys that fail. Retry returns
// how long a key that has failed n times in a row waits, in virtual time. err says why
// it failed last. Zero leaves the wait to the engine. What the key's step wrote before
// it failed does not cause an earlier retry.
type Retrier interface {
	Retry(n int, err error) time.Duration
}

// Batcher is a Reconciler that lets commits wait for each other. Batch returns how long
// the keys of c may wait, in virtual time, so that one step answers many commits. Zero
// means at once.
type Batcher interface {
	Batch(c Commit) time.Duration
}
