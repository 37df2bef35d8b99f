package storage

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/apis/example"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/utils/ptr"
)

// keptPods is a store that keeps objects as they are given, in a file of its own.
func keptPods(t *testing.T, path string) *Store {
	t.Helper()
	db, err := Open(Config{Path: path, Now: newClock().now, CheckKept: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Check(context.Background()); err != nil {
			t.Error(err)
		}
		closeDB(t, db)
	})
	rc := podConfig(testCodec(t))
	rc.Protobuf = true
	s, err := db.Resource(rc)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func untidyPod(name string) *example.Pod {
	return &example.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "ns", UID: types.UID(name), Labels: map[string]string{},
			CreationTimestamp: metav1.Time{Time: time.Date(2025, 1, 1, 0, 0, 1, 999, time.UTC)},
		},
	}
}

func getPod(ctx context.Context, t *testing.T, s *Store, key string) *example.Pod {
	t.Helper()
	out := &example.Pod{}
	if err := s.Get(ctx, key, storage.GetOptions{}, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWhatIsKeptIsReadAsIfDecoded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubesim.db")
	ctx := WithoutWait(t.Context())
	var kept *example.Pod
	t.Run("written", func(t *testing.T) {
		s := keptPods(t, path)
		if _, err := s.CreateKept(ctx, "/pods/ns/a", untidyPod("a"), 0); err != nil {
			t.Fatal(err)
		}
		_, err := s.UpdateKept(ctx, "/pods/ns/a", nil, func(old runtime.Object, _ storage.ResponseMeta) (runtime.Object, *uint64, error) {
			next := old.(*example.Pod).DeepCopy()
			next.Spec.NodeName = "node-1"
			return next, nil, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		kept = getPod(ctx, t, s, "/pods/ns/a")
		if err := s.db.Sync(ctx); err != nil {
			t.Fatal(err)
		}
		// A client's update of an object that was kept.
		out := &example.Pod{}
		err = s.GuaranteedUpdate(t.Context(), "/pods/ns/a", out, false, nil, storage.SimpleUpdate(func(obj runtime.Object) (runtime.Object, error) {
			return obj, nil
		}), nil)
		if err != nil || out.ResourceVersion != kept.ResourceVersion {
			t.Errorf("an update that changes nothing gave revision %s and %v, want %s", out.ResourceVersion, err, kept.ResourceVersion)
		}
	})
	t.Run("read again", func(t *testing.T) {
		if diff := cmp.Diff(kept, getPod(t.Context(), t, keptPods(t, path), "/pods/ns/a")); diff != "" {
			t.Errorf("after opening the file anew (-kept +decoded):\n%s", diff)
		}
	})
}

func TestUpdateKept(t *testing.T) {
	keep := func(old runtime.Object, _ storage.ResponseMeta) (runtime.Object, *uint64, error) {
		return old.DeepCopyObject(), nil, nil
	}
	for name, tc := range map[string]struct {
		key           string
		preconditions *storage.Preconditions
		want          func(error) bool
	}{
		"a change of nothing takes no revision": {"/pods/ns/a", nil, func(err error) bool { return err == nil }},
		"a key that is not there":               {"/pods/ns/b", nil, storage.IsNotFound},
		"another object of that name":           {"/pods/ns/a", &storage.Preconditions{UID: ptr.To(types.UID("other"))}, storage.IsInvalidObj},
	} {
		t.Run(name, func(t *testing.T) {
			s := keptPods(t, filepath.Join(t.TempDir(), "kubesim.db"))
			ctx := WithoutWait(t.Context())
			if _, err := s.CreateKept(ctx, "/pods/ns/a", untidyPod("a"), 0); err != nil {
				t.Fatal(err)
			}
			before := s.db.Revision()
			if _, err := s.UpdateKept(ctx, tc.key, tc.preconditions, keep); !tc.want(err) {
				t.Errorf("error %v", err)
			}
			if after := s.db.Revision(); after != before {
				t.Errorf("revision %d, want %d still", after, before)
			}
			if _, err := s.CreateKept(ctx, "/pods/ns/a", untidyPod("a"), 0); !storage.IsExist(err) {
				t.Errorf("a second object of one name: %v", err)
			}
		})
	}
}
