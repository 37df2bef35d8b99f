package storage

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/runtime/serializer/versioning"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install" // registers core in legacyscheme
)

// The benchmarks store the real Pod, in protobuf, as the server does.

// benchCodec is the codec that upstream's storage factory makes for core/v1.
func benchCodec() runtime.Codec {
	s := protobuf.NewSerializer(legacyscheme.Scheme, legacyscheme.Scheme)
	return versioning.NewDefaultingCodecForScheme(legacyscheme.Scheme, s, s,
		schema.GroupVersion{Version: "v1"}, schema.GroupVersion{Version: runtime.APIVersionInternal})
}

func benchStore(b *testing.B, ephemeral bool) *Store {
	b.Helper()
	s, err := openDB(b, setup{ephemeral: ephemeral}).Resource(benchConfig())
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func benchConfig() ResourceConfig {
	return ResourceConfig{
		GroupResource:  schema.GroupResource{Resource: "pods"},
		Codec:          benchCodec(),
		NewFunc:        func() runtime.Object { return &core.Pod{} },
		NewListFunc:    func() runtime.Object { return &core.PodList{} },
		ResourcePrefix: "/pods",
	}
}

func benchPod(name string) *core.Pod {
	return &core.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "default", UID: types.UID("0b9a8f3c-" + name),
			Labels:          map[string]string{"batch.kubernetes.io/job-name": "pi", "controller-uid": "aa71c1d5-9c1c-4d0a"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "pi", UID: "aa71c1d5"}},
		},
		Spec: core.PodSpec{
			RestartPolicy: core.RestartPolicyNever, DNSPolicy: core.DNSClusterFirst, SecurityContext: &core.PodSecurityContext{},
			Containers: []core.Container{{
				Name: "pi", Image: "perl:5.34", Command: []string{"perl", "-Mbignum=bpi", "-wle", "print bpi(2000)"},
				TerminationMessagePath: "/dev/termination-log", TerminationMessagePolicy: core.TerminationMessageReadFile,
				ImagePullPolicy: core.PullIfNotPresent,
			}},
		},
		Status: core.PodStatus{Phase: core.PodPending},
	}
}

func podKey(i int64) string { return "/pods/default/pod-" + strconv.FormatInt(i, 10) }

func fill(b *testing.B, s *Store, n int64) {
	b.Helper()
	ctx := WithoutWait(b.Context())
	for i := range n {
		if err := s.Create(ctx, podKey(i), benchPod("pod-"+strconv.FormatInt(i, 10)), nil, 0); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.db.Sync(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// modes runs f ephemeral and durable, with one client and with 16.
func modes(b *testing.B, f func(b *testing.B, s *Store, clients int)) {
	for _, mode := range []string{"ephemeral", "durable"} {
		for _, clients := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/clients=%d", mode, clients), func(b *testing.B) {
				b.ReportAllocs()
				f(b, benchStore(b, mode == "ephemeral"), clients)
			})
		}
	}
}

// parallel shares b.N operations out over clients.
func parallel(b *testing.B, clients int, op func(i int64) error) {
	b.Helper()
	var next atomic.Int64
	done := make(chan error, clients)
	b.ResetTimer()
	for range clients {
		go func() {
			var err error
			for i := next.Add(1); i <= int64(b.N) && err == nil; i = next.Add(1) {
				err = op(i)
			}
			done <- err
		}()
	}
	for range clients {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
}

func BenchmarkCreate(b *testing.B) {
	modes(b, func(b *testing.B, s *Store, clients int) {
		pod := benchPod("pod")
		parallel(b, clients, func(i int64) error {
			return s.Create(b.Context(), podKey(i), pod.DeepCopy(), &core.Pod{}, 0)
		})
	})
}

func setPhase(i int64) storage.UpdateFunc {
	return storage.SimpleUpdate(func(obj runtime.Object) (runtime.Object, error) {
		pod := obj.(*core.Pod)
		pod.Status.Message = strconv.FormatInt(i, 10)
		return pod, nil
	})
}

func BenchmarkGuaranteedUpdate(b *testing.B) {
	modes(b, func(b *testing.B, s *Store, clients int) {
		fill(b, s, 1000)
		parallel(b, clients, func(i int64) error {
			return s.GuaranteedUpdate(b.Context(), podKey(i%1000), &core.Pod{}, false, nil, setPhase(i), nil)
		})
	})
}

// BenchmarkEngineUpdate is a write as the engine makes it, without waiting.
func BenchmarkEngineUpdate(b *testing.B) {
	for _, mode := range []string{"ephemeral", "durable"} {
		b.Run(mode, func(b *testing.B) {
			s := benchStore(b, mode == "ephemeral")
			fill(b, s, 1000)
			ctx := WithoutWait(b.Context())
			b.ReportAllocs()
			parallel(b, 1, func(i int64) error {
				return s.GuaranteedUpdate(ctx, podKey(i%1000), &core.Pod{}, false, nil, setPhase(i), nil)
			})
		})
	}
}

// BenchmarkGet shows that the cost is that of one key, however many there are.
func BenchmarkGet(b *testing.B) {
	for _, keys := range []int64{1000, 100_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			s := benchStore(b, true)
			fill(b, s, keys)
			b.ReportAllocs()
			parallel(b, 1, func(i int64) error {
				return s.Get(b.Context(), podKey(i%1000), storage.GetOptions{}, &core.Pod{})
			})
		})
	}
}

// BenchmarkGetHotKey shows that the cost does not grow with a key's versions.
func BenchmarkGetHotKey(b *testing.B) {
	for _, versions := range []int64{1, 100_000} {
		b.Run(fmt.Sprintf("versions=%d", versions), func(b *testing.B) {
			s := benchStore(b, true)
			fill(b, s, 1)
			ctx := WithoutWait(b.Context())
			for i := range versions {
				if err := s.GuaranteedUpdate(ctx, podKey(0), &core.Pod{}, false, nil, setPhase(i), nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			parallel(b, 1, func(int64) error {
				return s.Get(b.Context(), podKey(0), storage.GetOptions{}, &core.Pod{})
			})
		})
	}
}

func BenchmarkList5000(b *testing.B) {
	s := benchStore(b, true)
	fill(b, s, 5000)
	b.ReportAllocs()
	parallel(b, 1, func(int64) error {
		list := &core.PodList{}
		err := s.GetList(b.Context(), "/pods", storage.ListOptions{Recursive: true, Predicate: storage.Everything}, list)
		if err == nil && len(list.Items) != 5000 {
			err = fmt.Errorf("%d items", len(list.Items))
		}
		return err
	})
}

// BenchmarkWatchFanOut100 is one update, seen by 100 watchers.
func BenchmarkWatchFanOut100(b *testing.B) {
	s := benchStore(b, true)
	fill(b, s, 1)
	const watchers = 100
	seen := make(chan struct{}, watchers)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	for range watchers {
		w, err := s.Watch(ctx, "/pods", storage.ListOptions{ResourceVersion: "2", Recursive: true, Predicate: storage.Everything})
		if err != nil {
			b.Fatal(err)
		}
		go func() {
			n := 0
			for range w.ResultChan() {
				if n++; n == b.N {
					seen <- struct{}{}
				}
			}
		}()
	}
	b.ReportAllocs()
	parallel(b, 1, func(i int64) error {
		return s.GuaranteedUpdate(ctx, podKey(0), &core.Pod{}, false, nil, setPhase(i), nil)
	})
	b.StartTimer()
	for range watchers {
		<-seen
	}
}

// BenchmarkVerify50k is what Open does with a file of 50,000 Pods.
func BenchmarkVerify50k(b *testing.B) {
	s := benchStore(b, true)
	fill(b, s, 50_000)
	if err := s.db.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := verify(s.db.cfg.Path); err != nil {
			b.Fatal(err)
		}
	}
}
