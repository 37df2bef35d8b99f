package storage

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/apis/example"
	"k8s.io/apiserver/pkg/storage"
)

func withTTL(seconds uint64) storage.UpdateFunc {
	return func(obj runtime.Object, _ storage.ResponseMeta) (runtime.Object, *uint64, error) {
		p := obj.(*example.Pod)
		p.Labels = map[string]string{"ttl": fmt.Sprint(seconds)}
		if seconds == 0 {
			return p, nil, nil
		}
		return p, &seconds, nil
	}
}

func TestKeysExpireOnTheVirtualClock(t *testing.T) {
	for name, tc := range map[string]struct {
		ttl, update uint64 // seconds; update 0 leaves the TTL out
		updated     bool
		want        time.Duration // from the start; 0: never
	}{
		"no TTL never expires":            {0, 0, false, 0},
		"a TTL counts from the creation":  {60, 0, false, time.Minute},
		"an update gives a new TTL":       {60, 90, true, 100 * time.Second},
		"an update without TTL ends it":   {60, 0, true, 0},
		"an update may bring a first TTL": {0, 5, true, 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClock()
			start := c.now()
			f := newFixture(t, setup{now: c.now})
			key := "/pods/ns/a"
			if err := f.Create(t.Context(), key, pod(key), nil, tc.ttl); err != nil {
				t.Fatal(err)
			}
			c.advance(10 * time.Second)
			if tc.updated {
				if err := f.GuaranteedUpdate(t.Context(), key, &example.Pod{}, false, nil, withTTL(tc.update), nil); err != nil {
					t.Fatal(err)
				}
			}
			at, ok := f.db.NextExpiry()
			if ok != (tc.want != 0) || (ok && !at.Equal(start.Add(tc.want))) {
				t.Errorf("next expiry %v, %t; want %v after the start", at, ok, tc.want)
			}
			if !ok {
				return
			}
			if err := f.db.Expire(t.Context(), at.Add(-1)); err != nil {
				t.Fatal(err)
			}
			if _, err := get(t.Context(), f.Store, key); err != nil {
				t.Errorf("it is gone before its time: %v", err)
			}
			if err := f.db.Expire(t.Context(), at); err != nil {
				t.Fatal(err)
			}
			if _, err := get(t.Context(), f.Store, key); !storage.IsNotFound(err) {
				t.Errorf("it outlives its time: %v", err)
			}
		})
	}
}

func TestExpiryIsAnOrdinaryDeleteInOrderOfTime(t *testing.T) {
	c := newClock()
	path := filepath.Join(t.TempDir(), "kubesim.db")
	db := openDB(t, setup{now: c.now, path: path})
	s := podStore(t, db, testCodec(t), nil)
	for i, ttl := range []uint64{30, 10, 20, 10} {
		key := fmt.Sprintf("/pods/ns/p%d", i)
		if err := s.Create(t.Context(), key, pod(key), nil, ttl); err != nil {
			t.Fatal(err)
		}
	}
	closeDB(t, db) // expiries outlive the process

	db = openDB(t, setup{now: c.now, path: path})
	podStore(t, db, testCodec(t), nil)
	var got []string
	db.Observe(func(c Commit) {
		if c.Type != watch.Deleted {
			t.Errorf("%s of %s", c.Type, c.Key)
		}
		got = append(got, c.Key)
	})
	if err := db.Expire(WithoutWait(t.Context()), c.now().Add(20*time.Second)); err != nil {
		t.Fatal(err)
	}
	if want := []string{"/pods/ns/p1", "/pods/ns/p3", "/pods/ns/p2"}; !cmp.Equal(want, got) {
		t.Errorf("expired (-want +got):\n%s", cmp.Diff(want, got))
	}
	if at, ok := db.NextExpiry(); !ok || !at.Equal(c.now().Add(30*time.Second)) {
		t.Errorf("next expiry %v, %t", at, ok)
	}
	if err := db.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.Check(t.Context()); err != nil {
		t.Error(err)
	}
}
