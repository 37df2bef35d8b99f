package e2e

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	upstreamgc "k8s.io/kubernetes/pkg/controller/garbagecollector"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/cluster"
)

// withoutUID matches what differs between two clusters.
var withoutUID = regexp.MustCompile(`uid: [0-9a-f-]+`)

var (
	upstreamGraphs = flag.Int("upstream.graphs", often(120, 40), "how many random graphs of owners to give to upstream's garbage collector too")
	upstreamSeed   = flag.Int64("upstream.seed", 1, "decides which")
)

// TestGarbageIsCollectedAsByUpstream makes random graphs of owners twice: with
// our garbage collector, and, in a cluster that lacks it, with upstream's own in
// this process. Owners are of kinds with and without a namespace, some absent,
// of another UID, in another namespace, or of a kind or a version that the server
// does not know; there are circles. Step by step objects are deleted, in
// the background, in the foreground or leaving orphans, and references change.
// What is left after each step is the same, and who was told of owners in other
// namespaces.
func TestGarbageIsCollectedAsByUpstream(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it runs in real time")
	}
	random := rand.New(rand.NewSource(*upstreamSeed))
	ours := newGraphs(t, startTwin(t, cluster.Options{Mode: engine.Auto, Controllers: []string{"*"}}))
	theirs := newGraphs(t, startTwin(t, cluster.Options{Mode: engine.Realtime, Controllers: []string{"*", "-garbagecollector"}}))
	runUpstreamGC(t, theirs.config)
	var stories [][]graphStep
	for i := range *upstreamGraphs {
		stories = append(stories, randomGraph(random, i))
	}
	for k, more := 0, true; more; k++ {
		more = false
		state := ours.state(t)
		for i, story := range stories {
			if k >= len(story) {
				continue
			}
			more = true
			if story[k].deletes && hasHeld(ofGraph(state, i)) {
				continue
			}
			story[k].do(t, ours)
			story[k].do(t, theirs)
		}
		theirs.awaitCanaries(t, k)
		theirs.awaitState(t, ours, stories)
	}
}

// startTwin starts a cluster that one can hold against another.
func startTwin(t *testing.T, o cluster.Options) *rest.Config {
	t.Helper()
	o.Ephemeral, o.DataDir, o.Listen, o.Speed, o.Seed = true, t.TempDir(), "127.0.0.1:0", 1, 1
	o.Authorization, o.CheckTrusted = "AlwaysAllow", true
	c, err := cluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.AwaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	return config
}

// runUpstreamGC runs upstream's garbage collector until the test ends, with one
// worker: with several, their race decides how circles break.
func runUpstreamGC(t *testing.T, config *rest.Config) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	client := kubernetes.NewForConfigOrDie(config)
	objects := metadata.NewForConfigOrDie(config)
	factory := gcInformers{informers.NewSharedInformerFactory(client, 0), metadatainformer.NewSharedInformerFactory(objects, 0)}
	started := make(chan struct{})
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(discovery.NewDiscoveryClientForConfigOrDie(config)))
	gc, err := upstreamgc.NewGarbageCollector(ctx, client, objects, mapper, upstreamgc.DefaultIgnoredResources(), factory, started)
	if err != nil {
		t.Fatal(err)
	}
	factory.Start(ctx.Done())
	close(started)
	done := make(chan struct{}, 2)
	go func() { gc.Run(ctx, 1, time.Minute); done <- struct{}{} }()
	go func() {
		gc.Sync(ctx, discovery.NewDiscoveryClientForConfigOrDie(config), time.Hour)
		done <- struct{}{}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		<-done
		factory.Shutdown()
		factory.untyped.Shutdown()
	})
}

// gcInformers are those of client-go's kinds and, for the others, of metadata
// alone, as in kube-controller-manager.
type gcInformers struct {
	informers.SharedInformerFactory
	untyped metadatainformer.SharedInformerFactory
}

func (f gcInformers) ForResource(resource schema.GroupVersionResource) (informers.GenericInformer, error) {
	informer, err := f.SharedInformerFactory.ForResource(resource)
	if err != nil {
		return f.untyped.ForResource(resource), nil
	}
	return informer, nil
}

func (f gcInformers) Start(stop <-chan struct{}) {
	f.SharedInformerFactory.Start(stop)
	f.untyped.Start(stop)
}

// awaitCanaries makes an object of each kind whose owner never was, and waits for
// it to go: then what came before has been looked at too.
func (g *graphs) awaitCanaries(t *testing.T, step int) {
	t.Helper()
	for _, kind := range graphKinds() {
		o := graphObject{kind, graphNamespace, fmt.Sprintf("canary-%d-%s", step, strings.ToLower(kind.kind))}
		role := graphObject{graphKinds()[3], "", "never-was"}
		createStep(o, []graphRef{{to: role}}, false).do(t, g)
		awaitSilence(t, func() string {
			_, err := g.resource(o).Get(t.Context(), o.name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return ""
			}
			return fmt.Sprintf("upstream has not collected %s %s: %v", o.kind, o.name, err)
		})
	}
}

// awaitState waits for a cluster to come to the state of another. If it does not,
// the stories of the graphs that differ are told.
func (g *graphs) awaitState(t *testing.T, other *graphs, stories [][]graphStep) {
	t.Helper()
	want := other.state(t)
	awaitSilence(t, func() string {
		got := g.state(t)
		diff := cmp.Diff(got, want)
		for i, story := range stories {
			if maps.Equal(ofGraph(got, i), ofGraph(want, i)) {
				continue
			}
			diff += fmt.Sprintf("\ngraph %d:\n", i)
			for _, step := range story {
				diff += step.text + "\n"
			}
		}
		return diff
	})
}

// ofGraph is the part of a state that is the ith graph's.
func ofGraph(state map[string]string, i int) map[string]string {
	out := map[string]string{}
	for k, v := range state {
		if strings.Contains(k, fmt.Sprintf(" graph-%d-", i)) {
			out[k] = v
		}
	}
	return out
}

// hasHeld reports whether some object ends but for the finalizer hold.
func hasHeld(state map[string]string) bool {
	for _, v := range state {
		if v == fmt.Sprintf("deleted true %q", []string{hold}) {
			return true
		}
	}
	return false
}

// awaitSilence waits until f has nothing to say.
func awaitSilence(t *testing.T, f func() string) {
	t.Helper()
	var problem string
	for deadline := time.Now().Add(untilMax); time.Now().Before(deadline); time.Sleep(untilInterval) {
		if problem = f(); problem == "" {
			return
		}
	}
	t.Fatalf("seed %d, after %v (-upstream +ours):\n%s", *upstreamSeed, untilMax, problem)
}

// state says what there is of each object, and the Events.
func (g *graphs) state(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	list := func(resource schema.GroupVersionResource, say func(*unstructured.Unstructured)) {
		all, err := g.client.Resource(resource).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range all.Items {
			say(&all.Items[i])
		}
	}
	names := map[types.UID]string{}
	for _, kind := range graphKinds() {
		list(kind.GroupVersionResource, func(obj *unstructured.Unstructured) {
			if !strings.HasPrefix(obj.GetName(), "graph-") {
				return
			}
			names[obj.GetUID()] = obj.GetName()
			text := fmt.Sprintf("deleted %t %q", obj.GetDeletionTimestamp() != nil, obj.GetFinalizers())
			for _, ref := range obj.GetOwnerReferences() {
				if obj.GetDeletionTimestamp() != nil {
					break // which one goes before it does, upstream leaves to chance
				}
				text += fmt.Sprintf(" %s/%s %s blocks %t", ref.APIVersion, ref.Kind, ref.Name, *ref.BlockOwnerDeletion)
			}
			out[obj.GetKind()+" "+obj.GetName()] = text
		})
	}
	list(schema.GroupVersionResource{Version: "v1", Resource: "events"}, func(e *unstructured.Unstructured) {
		if reason, _, _ := unstructured.NestedString(e.Object, "reason"); reason != "OwnerRefInvalidNamespace" {
			return
		}
		message, _, _ := unstructured.NestedString(e.Object, "message")
		kind, _, _ := unstructured.NestedString(e.Object, "involvedObject", "kind")
		name, _, _ := unstructured.NestedString(e.Object, "involvedObject", "name")
		component, _, _ := unstructured.NestedString(e.Object, "source", "component")
		out["Event "+kind+" "+name+" "+withoutUID.ReplaceAllString(message, "uid: ")] = e.GetNamespace() + " " + component
	})
	return out
}
