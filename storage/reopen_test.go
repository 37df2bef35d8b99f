package storage

import (
	"errors"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/storage"
)

// widgetConfig is that of a resource in JSON, whose codec says that it is of a version.
func widgetConfig(version string) ResourceConfig {
	gv := schema.GroupVersion{Group: "example.com", Version: version}
	return ResourceConfig{
		GroupResource: schema.GroupResource{Group: gv.Group, Resource: "widgets"}, ResourcePrefix: "/example.com/widgets",
		Codec:   versioned{unstructured.UnstructuredJSONScheme, gv.String()},
		NewFunc: func() runtime.Object { return &unstructured.Unstructured{} },
		NewListFunc: func() runtime.Object {
			return &unstructured.UnstructuredList{}
		},
	}
}

// versioned decodes everything as of one version, as a conversion would.
type versioned struct {
	runtime.Codec
	version string
}

func (v versioned) Decode(data []byte, gvk *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	obj, kind, err := v.Codec.Decode(data, gvk, into)
	if u, ok := obj.(*unstructured.Unstructured); ok {
		u.SetAPIVersion(v.version)
	}
	return obj, kind, err
}

func widget(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "example.com/v1", "kind": "Widget", "metadata": map[string]any{"name": name},
	}}
}

// TestAResourceComesAndGoes: a store that is opened while others are written to, closed,
// and opened again with another codec while the committer still has what was written
// before.
func TestAResourceComesAndGoes(t *testing.T) {
	for name, ephemeral := range map[string]bool{"durable": false, "ephemeral": true} {
		t.Run(name, func(t *testing.T) {
			db := openDB(t, setup{ephemeral: ephemeral})
			pods := podStore(t, db, testCodec(t), nil)
			create(t.Context(), t, pods, "/pods/ns/a")
			first, err := db.Resource(widgetConfig("v1"))
			if err != nil {
				t.Fatal(err)
			}
			events, err := first.Watch(t.Context(), "/example.com/widgets/", storage.ListOptions{ResourceVersion: "1", Recursive: true, Predicate: storage.Everything})
			if err != nil {
				t.Fatal(err)
			}
			engine := WithoutWait(t.Context())
			if err := first.Create(engine, "/example.com/widgets/w", widget("w"), nil, 0); err != nil {
				t.Fatal(err)
			}
			if got := <-events.ResultChan(); got.Type != watch.Added {
				t.Fatalf("the watch got %v, want the object that was added", got)
			}
			if err := first.Create(engine, "/example.com/widgets/x", widget("x"), nil, 0); err != nil {
				t.Fatal(err)
			}
			first.Close()
			for range events.ResultChan() { // it ends, or the test does not
			}
			if err := first.Create(engine, "/example.com/widgets/y", widget("y"), nil, 0); !errors.Is(err, ErrWithdrawn) {
				t.Errorf("a write to a closed store: %v, want %v", err, ErrWithdrawn)
			}
			second, err := db.Resource(widgetConfig("v2"))
			if err != nil {
				t.Fatal(err)
			}
			comesBack(t, db, second)
			if err := db.Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// comesBack verifies what a store that was opened again knows of w and x.
func comesBack(t *testing.T, db *DB, s *Store) {
	t.Helper()
	var replayed []string
	err := db.Recall(t.Context(), s.resource, func(c Commit) error {
		u := c.Object.(*unstructured.Unstructured)
		replayed = append(replayed, u.GetName()+" "+u.GetAPIVersion())
		return nil
	})
	if err != nil || len(replayed) != 2 || replayed[0] != "w example.com/v2" || replayed[1] != "x example.com/v2" {
		t.Errorf("Recall: %v, %v; want w and x in the version of the new codec", replayed, err)
	}
	got := &unstructured.Unstructured{}
	if err := s.Get(t.Context(), "/example.com/widgets/w", storage.GetOptions{}, got); err != nil || got.GetAPIVersion() != "example.com/v2" {
		t.Errorf("Get: %v, %v; want the version of the new codec", got, err)
	}
	if err := s.Delete(t.Context(), "/example.com/widgets/w", &unstructured.Unstructured{}, nil, storage.ValidateAllObjectFunc, nil, storage.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	if err := db.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if stats, err := s.Stats(t.Context()); err != nil || stats.ObjectCount != 1 {
		t.Errorf("Stats: %v, %v; want one object", stats, err)
	}
}
