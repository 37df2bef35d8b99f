package handlers

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/internal/cluster"
	"github.com/kubesim-dev/kubesim/internal/explain"
)

// ExplainPath is where a running server tells the life of an object: with the
// parameters kind, namespace and name a Story, see explain.Tell. With commits=true it is
// that of explain.Changes; without a name then of the whole namespace, and with
// numbered=true with numbers in place of generated names.
const ExplainPath = "/kubesim/explain"

// explained are the kinds that can be, with their resources.
func explained() map[string]schema.GroupResource {
	return map[string]schema.GroupResource{
		"Pod":                     {Resource: "pods"},
		"Job":                     {Group: batchv1.GroupName, Resource: "jobs"},
		"CronJob":                 {Group: batchv1.GroupName, Resource: "cronjobs"},
		"Deployment":              {Group: appsv1.GroupName, Resource: "deployments"},
		"ReplicaSet":              {Group: appsv1.GroupName, Resource: "replicasets"},
		"StatefulSet":             {Group: appsv1.GroupName, Resource: "statefulsets"},
		"DaemonSet":               {Group: appsv1.GroupName, Resource: "daemonsets"},
		"HorizontalPodAutoscaler": {Group: autoscalingv2.GroupName, Resource: "horizontalpodautoscalers"},
	}
}

// withCommits is a cluster, which may keep the author of each commit.
type withCommits interface {
	Commits() (cluster.Commits, error)
}

// explainHandler serves ExplainPath.
type explainHandler struct{ withCommits }

// ServeHTTP implements http.Handler.
func (h explainHandler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	commits, err := h.Commits()
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if req.Method != http.MethodGet {
		http.Error(w, "explain answers GET", http.StatusMethodNotAllowed)
		return
	}
	q := req.URL.Query()
	target := explain.Target{Kind: q.Get("kind"), Namespace: q.Get("namespace"), Name: q.Get("name")}
	tell := explain.Tell
	if q.Get("commits") == "true" {
		tell = func(target explain.Target, commits []explain.Commit, now time.Time) explain.Story {
			return explain.Changes(target, commits, now, q.Get("numbered") == "true")
		}
	} else if target.Name == "" {
		http.Error(w, "the parameter name is missing", http.StatusBadRequest)
		return
	}
	story, err := storyOf(req.Context(), commits, target, tell)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer(w, http.StatusOK, story)
}

// storyOf gathers the commits of a target and lets them be told.
func storyOf(ctx context.Context, from cluster.Commits, target explain.Target, tell func(explain.Target, []explain.Commit, time.Time) explain.Story) (explain.Story, error) {
	resource, ok := explained()[target.Kind]
	if !ok {
		return explain.Story{}, fmt.Errorf("kind %q: want one of %s", target.Kind, strings.Join(slices.Sorted(maps.Keys(explained())), ", "))
	}
	f := fetcher{from: from, ctx: ctx, namespace: target.Namespace, uids: map[types.UID]bool{}, names: map[string]bool{}}
	if target.Name == "" {
		f.all()
	} else {
		found := f.named(resource, target.Name)
		if f.err == nil && len(found) == 0 {
			return explain.Story{}, notFound(from, resource, target)
		}
		if target.Kind != "Job" && target.Kind != "CronJob" { // what controls it knows why
			f.owners(found)
		}
		f.family()
		f.targets(found)
	}
	if f.err != nil {
		return explain.Story{}, f.err
	}
	slices.SortFunc(f.commits, func(a, b explain.Commit) int { return cmp.Compare(a.Revision, b.Revision) })
	return tell(target, f.commits, from.Now().UTC()), nil
}

// notFound is what kubectl would say, and what to do.
func notFound(from cluster.Commits, resource schema.GroupResource, target explain.Target) error {
	history := "there never was one"
	if rev := from.Compacted(); rev > 0 {
		history = fmt.Sprintf("there was none since revision %d, before which history was compacted away, see 'kubesim serve --compaction-interval'", rev)
	}
	//nolint:staticcheck // ST1005: kubectl's own words, which a user looks for
	return fmt.Errorf("Error from server (NotFound): %w, and %s: 'kubectl get %s -n %s' lists what there is",
		apierrors.NewNotFound(resource, target.Name), history, resource.Resource, target.Namespace)
}

// fetcher gathers the commits of a target and of what belongs to it.
type fetcher struct {
	from      cluster.Commits
	ctx       context.Context
	namespace string
	// uids are those of the objects so far, names those of nodes.
	uids    map[types.UID]bool
	names   map[string]bool
	commits []explain.Commit
	err     error
}

// take adds the versions of a resource whose keys begin with prefix and of which one
// matches.
func (f *fetcher) take(resource schema.GroupResource, prefix string, match func(key string, value []byte) bool) (taken []explain.Commit) {
	if f.err != nil {
		return nil
	}
	versions, err := f.from.History(f.ctx, resource, prefix, match)
	if err != nil {
		f.err = err
		return nil
	}
	for _, v := range versions {
		if v.Object == nil {
			continue // it was removed without being readable
		}
		obj, err := apiserver.External(v.Object)
		if err != nil {
			f.err = err
			return nil
		}
		taken = append(taken, explain.Commit{Revision: v.Revision, Time: v.Time, Actor: v.Actor, Type: v.Type, Object: obj, Cut: v.Cut})
	}
	f.commits = append(f.commits, taken...)
	return taken
}

// named takes the object of a name, and all that had that name before.
func (f *fetcher) named(resource schema.GroupResource, name string) []explain.Commit {
	key := f.namespace + "/" + name
	found := f.take(resource, key, func(k string, _ []byte) bool { return k == key })
	f.know(found)
	return found
}

// know adds the UIDs of objects, and the names of the nodes of Pods.
func (f *fetcher) know(commits []explain.Commit) {
	for _, c := range commits {
		f.uids[c.Object.GetUID()] = true
		if pod, ok := c.Object.(*corev1.Pod); ok {
			f.names[pod.Spec.NodeName] = true
		}
	}
}

// owners takes what controls the objects, and what controls that.
func (f *fetcher) owners(controlled []explain.Commit) {
	taken := map[types.UID]bool{}
	for _, c := range controlled {
		ref := metav1.GetControllerOfNoCopy(c.Object)
		if ref == nil || taken[ref.UID] || ref.Kind == "CronJob" {
			continue
		}
		if resource, ok := explained()[ref.Kind]; ok {
			taken[ref.UID] = true
			f.owners(f.named(resource, ref.Name))
		}
	}
}

// revisions are where StatefulSets and DaemonSets keep their templates.
func revisions() schema.GroupResource {
	return schema.GroupResource{Group: appsv1.GroupName, Resource: "controllerrevisions"}
}

// targets takes what autoscalers scale, without its Pods.
func (f *fetcher) targets(found []explain.Commit) {
	taken := map[autoscalingv2.CrossVersionObjectReference]bool{}
	for _, c := range found {
		hpa, ok := c.Object.(*autoscalingv2.HorizontalPodAutoscaler)
		if !ok || taken[hpa.Spec.ScaleTargetRef] {
			continue
		}
		ref := hpa.Spec.ScaleTargetRef
		taken[ref] = true
		if resource, ok := explained()[ref.Kind]; ok {
			key := f.namespace + "/" + ref.Name
			f.take(resource, key, func(k string, _ []byte) bool { return k == key })
		}
	}
}

// family takes what the objects control, their Events, and the nodes and Faults that
// may have to do with it.
func (f *fetcher) family() {
	for _, resource := range []schema.GroupResource{explained()["Job"], explained()["ReplicaSet"], revisions(), explained()["Pod"]} {
		f.know(f.take(resource, f.namespace+"/", f.mentions))
	}
	f.take(schema.GroupResource{Resource: "events"}, f.namespace+"/", f.mentions)
	f.take(schema.GroupResource{Resource: "nodes"}, "", func(key string, _ []byte) bool { return f.names[key] })
	f.take(schema.GroupResource{Group: v1alpha1.GroupName, Resource: "faults"}, "", func(string, []byte) bool { return true })
	// What was there before was found again.
	seen := map[int64]bool{}
	f.commits = slices.DeleteFunc(f.commits, func(c explain.Commit) bool {
		twice := seen[c.Revision]
		seen[c.Revision] = true
		return twice
	})
}

// all takes the Jobs, workloads, autoscalers, Pods and Events of a namespace.
func (f *fetcher) all() {
	for _, resource := range []schema.GroupResource{
		explained()["Job"], explained()["Deployment"], explained()["ReplicaSet"], explained()["StatefulSet"], explained()["DaemonSet"], revisions(),
		explained()["HorizontalPodAutoscaler"], explained()["Pod"], {Resource: "events"},
	} {
		f.take(resource, f.namespace+"/", func(string, []byte) bool { return true })
	}
}

// uidBytes is the length of a UID's text.
const uidBytes = 36

// mentions reports whether an encoded object names a UID of the family: its own, its
// owner's, or that of what an Event is about. To decode all of a namespace for that
// would take a hundred times as long.
func (f *fetcher) mentions(_ string, value []byte) bool {
	for i := 8; i+uidBytes-8 <= len(value); i++ {
		if value[i] != '-' || value[i+5] != '-' || value[i+10] != '-' || value[i+15] != '-' {
			continue
		}
		if f.uids[types.UID(value[i-8:i-8+uidBytes])] {
			return true
		}
	}
	return false
}
