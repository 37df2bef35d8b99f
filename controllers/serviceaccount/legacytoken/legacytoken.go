// Package legacytoken deletes service-account tokens that Kubernetes once made by itself,
// and that nobody has used for a year.
//
// Invariant: a token goes only if its ServiceAccount lists it and no Pod mounts it, a year
// after it was marked as invalid, which is a year after its last use.
//
// It follows LegacySATokenCleaner, k8s.io/kubernetes pkg/controller/serviceaccount v1.37.2.
//
// Deviation: it acts at the earliest instant at which upstream could, which looks once a day.
package legacytoken

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/kubernetes/pkg/serviceaccount"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "legacytoken"

// The ConfigMap that says since when the use of tokens is recorded. Source:
// pkg/controlplane/controller/legacytokentracking v1.37.2.
const (
	trackingName = "kube-apiserver-legacy-service-account-token-tracking"
	trackingKey  = "since"
)

// Reconciler reconciles Secrets.
type Reconciler struct {
	engine.Host
	who engine.Identity
}

var _ engine.Reconciler = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(host engine.Host) (*Reconciler, error) {
	if err := host.Validate(Name); err != nil {
		return nil, err
	}
	host.View.Track(engine.Secrets, engine.ServiceAccounts, engine.Pods, engine.ConfigMaps)
	return &Reconciler{Host: host, who: engine.ControllerIdentity("legacy-service-account-token-cleaner")}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	if c.Type == watch.Deleted {
		return nil
	}
	var keys []engine.Key
	switch o := c.Object.(type) {
	case *corev1.Secret:
		if o.Type == corev1.SecretTypeServiceAccountToken {
			keys = append(keys, engine.Key{Controller: Name, Namespace: o.Namespace, Name: o.Name})
		}
	case *corev1.ServiceAccount:
		for _, s := range o.Secrets {
			keys = append(keys, engine.Key{Controller: Name, Namespace: o.Namespace, Name: s.Name})
		}
	}
	return keys
}

// Reconcile implements engine.Reconciler.
//
// The wake is recurring: mode auto must not jump years ahead to clean up.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	secret, ok := engine.Get[*corev1.Secret](r.View, engine.Secrets, key.Namespace, key.Name)
	if !ok || secret.Type != corev1.SecretTypeServiceAccountToken || !r.listed(secret) {
		return engine.Wake{}, nil
	}
	since, ok := r.since()
	if !ok {
		return engine.Wake{}, nil
	}
	p := decide(secret, since, r.mounted(secret), now)
	switch {
	case p.Mark:
		next := secret.DeepCopy()
		metav1.SetMetaDataLabel(&next.ObjectMeta, serviceaccount.InvalidSinceLabelKey, now.UTC().Format(time.DateOnly))
		_, err := r.API.Update(ctx, r.who, engine.Secrets, "", next) // its commit makes the key due
		return engine.Wake{}, err
	case p.Delete:
		err := r.API.Delete(ctx, r.who, engine.Secrets, types.NamespacedName{Namespace: key.Namespace, Name: key.Name},
			metav1.DeleteOptions{Preconditions: &metav1.Preconditions{ResourceVersion: &secret.ResourceVersion}})
		if apierrors.IsNotFound(err) {
			err = nil
		}
		return engine.Wake{}, err
	}
	return engine.Cleanup(p.WakeAt), nil
}

// listed reports whether the ServiceAccount of a token lists it: Kubernetes has made it.
func (r *Reconciler) listed(secret *corev1.Secret) bool {
	account, ok := engine.Get[*corev1.ServiceAccount](r.View, engine.ServiceAccounts, secret.Namespace, secret.Annotations[corev1.ServiceAccountNameKey])
	uid := types.UID(secret.Annotations[corev1.ServiceAccountUIDKey])
	return ok && (uid == "" || uid == account.UID) &&
		slices.ContainsFunc(account.Secrets, func(s corev1.ObjectReference) bool { return s.Name == secret.Name })
}

// since is the first day of which all uses are recorded.
func (r *Reconciler) since() (time.Time, bool) {
	tracking, ok := engine.Get[*corev1.ConfigMap](r.View, engine.ConfigMaps, metav1.NamespaceSystem, trackingName)
	if !ok {
		return time.Time{}, false
	}
	day, err := time.Parse(time.DateOnly, tracking.Data[trackingKey])
	return day.AddDate(0, 0, 1), err == nil
}

// mounted reports whether a Pod uses the Secret.
func (r *Reconciler) mounted(secret *corev1.Secret) bool {
	return slices.ContainsFunc(engine.List[*corev1.Pod](r.View, engine.Pods, secret.Namespace), func(pod *corev1.Pod) bool {
		found := false
		podutil.VisitPodSecretNames(pod, func(name string) bool {
			found = found || name == secret.Name
			return !found
		})
		return found
	})
}

// The wait before a token that is not used is marked, and then deleted, and how often one
// is looked at that a Pod mounts. Source: defaults of kube-controller-manager's
// --legacy-service-account-token-clean-up-period, and DefaultCleanerSyncInterval.
const (
	cleanUpPeriod = 365 * 24 * time.Hour
	syncInterval  = 24 * time.Hour
)

// plan is what to do about a token, or when to look again.
type plan struct {
	Mark, Delete bool
	WakeAt       time.Time
}

// decide returns what to do at now. since is when the use of tokens began to be recorded.
func decide(secret *corev1.Secret, since time.Time, mounted bool, now time.Time) plan {
	if secret.DeletionTimestamp != nil {
		return plan{}
	}
	at := latest(since, secret.CreationTimestamp.Add(1)).Add(cleanUpPeriod)
	if used, ok := secret.Labels[serviceaccount.LastUsedLabelKey]; ok {
		day, err := time.Parse(time.DateOnly, used)
		if err != nil {
			return plan{}
		}
		at = latest(at, forgotten(day))
	}
	if now.Before(at) {
		return plan{WakeAt: at}
	}
	if mounted {
		return plan{WakeAt: now.Add(syncInterval)}
	}
	day, err := time.Parse(time.DateOnly, secret.Labels[serviceaccount.InvalidSinceLabelKey])
	if err != nil {
		return plan{Mark: true}
	}
	if at := forgotten(day); now.Before(at) {
		return plan{WakeAt: at}
	}
	return plan{Delete: true}
}

// forgotten is when a day is longer ago than the period: upstream compares days.
func forgotten(day time.Time) time.Time { return day.AddDate(0, 0, 1).Add(cleanUpPeriod) }

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
