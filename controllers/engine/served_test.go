package engine

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

const widgets Resource = "widgets.example.com"

func servedWidgets() Served {
	return Served{Name: widgets, GVK: schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Widget"}, Namespaced: true}
}

func widget(name string, owners ...string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetNamespace("default")
	u.SetName(name)
	var refs []metav1.OwnerReference
	for _, owner := range owners {
		refs = append(refs, metav1.OwnerReference{Name: owner})
	}
	u.SetOwnerReferences(refs)
	return u
}

// follower looks after all that is served, as the garbage collector does. Its keys wake up every 7 seconds.
type follower struct {
	e     *Engine
	lines *[]string
}

func (f follower) Name() string { return "follower" }

func (f follower) Observe(c Commit) []Key { return []Key{f.key(c.Resource, c.Object.GetName())} }

func (f follower) key(r Resource, name string) Key {
	return Key{Controller: "follower", Kind: string(r), Name: name}
}

func (f follower) say(format string, args ...any) {
	*f.lines = append(*f.lines, fmt.Sprintf("%s ", f.e.Now().Sub(noon()))+fmt.Sprintf(format, args...))
}

func (f follower) Reconcile(_ context.Context, key Key, now time.Time) (Wake, error) {
	var held []string
	for _, s := range f.e.View().Served() {
		held = append(held, fmt.Sprintf("%s:%d", s.Name, len(ByIndex[Object](f.e.View(), s.Name, "owner", "a"))))
	}
	f.say("%s of %s", key, strings.Join(held, " "))
	return Wake{At: now.Add(7 * time.Second)}, nil
}

func (f follower) ObserveServed(s Served, gone bool) []Key {
	f.say("%s gone=%t", s.Name, gone)
	return []Key{f.key(Pods, "all")}
}

func byOwner(obj Object) (names []string) {
	for _, ref := range obj.GetOwnerReferences() {
		names = append(names, ref.Name)
	}
	return names
}

// everything is what an index of all resources wants.
func everything(Served) bool { return true }

// served runs a day of a cluster in which a resource comes and goes in steps, and returns
// what happened and the event log.
func servedRun(t *testing.T) (lines []string, log string) {
	t.Helper()
	var out bytes.Buffer
	e, err := New(Config{Mode: Manual, Speed: 1, Start: noon(), Log: &out})
	if err != nil {
		t.Fatal(err)
	}
	f := follower{e, &lines}
	e.View().IndexServed("owner", everything, byOwner)
	e.Serve(Served{Name: Pods, GVK: schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, Namespaced: true})
	definitions := scripted{name: "definitions", steps: new([]string), only: "crd", do: func(_ Key, now time.Time) (Wake, error) {
		switch now.Sub(noon()) {
		case 10 * time.Second:
			e.Serve(servedWidgets())
			e.Serve(servedWidgets()) // no news
			for i, name := range []string{"x", "y"} {
				e.Deliver(Commit{Revision: int64(10 + i), Type: watch.Added, Resource: widgets, Object: widget(name, "a")})
			}
		case 20 * time.Second:
			e.Withdraw(widgets)
		case 30 * time.Second:
			e.Serve(servedWidgets())
			return Wake{}, nil
		}
		return Wake{At: now.Add(10 * time.Second)}, nil
	}}
	e.Register(definitions, f)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = e.Run(ctx)
	}()
	asked := make(chan struct{})
	go func() { // a store asks at any time
		defer close(asked)
		for ctx.Err() == nil {
			e.View().Tracks(widgets)
		}
	}()
	e.Deliver(added(1, "crd"))
	if err := e.Advance(t.Context(), 40*time.Second); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-done
	<-asked
	if e.View().Count(widgets) != 0 {
		t.Error("a resource that was withdrawn comes back with its objects")
	}
	return lines, out.String()
}

// TestAResourceComesAndGoes: between the same two steps in every run, with its indexes, and
// its keys go with it.
func TestAResourceComesAndGoes(t *testing.T) {
	lines, log := servedRun(t)
	want := []string{
		"0s follower/pods/crd of pods:0",
		"7s follower/pods/crd of pods:0",
		"10s widgets.example.com gone=false",
		"10s follower/pods/all of pods:0 widgets.example.com:2",
		"10s follower/widgets.example.com/x of pods:0 widgets.example.com:2",
		"10s follower/widgets.example.com/y of pods:0 widgets.example.com:2",
		"14s follower/pods/crd of pods:0 widgets.example.com:2",
		"17s follower/pods/all of pods:0 widgets.example.com:2",
		"17s follower/widgets.example.com/x of pods:0 widgets.example.com:2",
		"17s follower/widgets.example.com/y of pods:0 widgets.example.com:2",
		"20s widgets.example.com gone=true",
		"20s follower/pods/all of pods:0",
		"21s follower/pods/crd of pods:0",
		"27s follower/pods/all of pods:0",
		"28s follower/pods/crd of pods:0",
		"30s widgets.example.com gone=false",
		"30s follower/pods/all of pods:0 widgets.example.com:0",
		"35s follower/pods/crd of pods:0 widgets.example.com:0",
		"37s follower/pods/all of pods:0 widgets.example.com:0",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("what happened (-want +got):\n%s", diff)
	}
	for _, line := range []string{
		"2026-01-01T12:00:10.000000000Z - definitions/default/crd serves widgets.example.com\n",
		"2026-01-01T12:00:20.000000000Z - definitions/default/crd withdraws widgets.example.com\n",
	} {
		if strings.Count(log, line) != 1 {
			t.Errorf("the event log has %d times %q, want it once:\n%s", strings.Count(log, line), line, log)
		}
	}
	for range 20 {
		if again, other := servedRun(t); !cmp.Equal(lines, again) || other != log {
			t.Fatalf("another run differs:\n%s\n%s", cmp.Diff(lines, again), cmp.Diff(log, other))
		}
	}
}

// TestWhatIsNamedStays: a resource that a reconciler asks for by name stays in the View when
// it is not served any more, but not its indexes of all that is served; and an index that
// comes late has what there is.
func TestWhatIsNamedStays(t *testing.T) {
	v := newView()
	v.Track(widgets)
	v.apply(Commit{Type: watch.Added, Resource: widgets, Object: widget("x", "a")})
	v.serve(servedWidgets())
	v.IndexServed("owner", everything, byOwner)
	if got := v.CountByIndex(widgets, "owner", "a"); got != 1 {
		t.Errorf("an index that comes late has %d objects, want 1", got)
	}
	if s, ok := v.ServedKind(servedWidgets().GVK); !ok || s.Name != widgets {
		t.Errorf("ServedKind: %v, %t; want the resource", s, ok)
	}
	v.withdraw(widgets)
	if _, ok := v.ServedKind(servedWidgets().GVK); ok || len(v.Served()) > 0 {
		t.Errorf("served are %v, want nothing", v.Served())
	}
	if !v.Tracks(widgets) || v.Count(widgets) != 1 || len(v.table(widgets).indexes) != 0 {
		t.Error("a resource that was asked for by name is to keep its objects, and no index of others")
	}
}
