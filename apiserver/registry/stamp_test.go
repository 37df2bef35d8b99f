package registry

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/kubernetes/pkg/apis/certificates"
	"k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/registry/core/configmap"
	"k8s.io/utils/ptr"
)

type fixedClock struct{ at time.Time }

func (c fixedClock) Now() time.Time { return c.at }

type countingRandom struct{ n int }

func (r *countingRandom) UID() types.UID      { r.n++; return types.UID("uid") }
func (r *countingRandom) Suffix(n int) string { r.n++; return "abcde"[:n] }
func (r *countingRandom) Uint64() uint64      { r.n++; return 3 }

func noon() time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) }

func at(t time.Time) *metav1.Time { return ptr.To(metav1.NewTime(t)) }

func stamper() Stamper { return Stamper{Clock: fixedClock{noon()}, Random: &countingRandom{}} }

func TestCreationIsStampedBeforeTheStrategySeesTheObject(t *testing.T) {
	strategy := stamper().createStrategy(configmap.Strategy)
	obj := &core.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "a", UID: "wall", CreationTimestamp: metav1.Now()}}
	strategy.PrepareForCreate(context.Background(), obj)
	want := metav1.ObjectMeta{Name: "a", UID: "uid", CreationTimestamp: *at(noon())}
	if diff := cmp.Diff(want, obj.ObjectMeta); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
}

func TestGenerateName(t *testing.T) {
	strategy := stamper().createStrategy(configmap.Strategy)
	long := string(make([]byte, 70))
	for name, tc := range map[string]struct {
		base string
		want int
	}{
		"five characters are added":    {"job-", 9},
		"a long base is cut to fit 63": {long, 63},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strategy.GenerateName(tc.base); len(got) != tc.want {
				t.Errorf("GenerateName gave %d characters, want %d", len(got), tc.want)
			}
		})
	}
}

// oneObject is a storage.Interface that holds one object.
type oneObject struct {
	storage.Interface
	obj runtime.Object
}

func (s *oneObject) GuaranteedUpdate(_ context.Context, _ string, _ runtime.Object, _ bool, _ *storage.Preconditions, try storage.UpdateFunc, _ runtime.Object) error {
	out, _, err := try(s.obj.DeepCopyObject(), storage.ResponseMeta{})
	s.obj = out
	return err
}

func TestUpdatesAreStampedWithVirtualTime(t *testing.T) {
	wall := metav1.NewTime(noon().Add(1000 * time.Hour))
	for name, tc := range map[string]struct {
		old  metav1.ObjectMeta
		edit func(*metav1.ObjectMeta)
		want metav1.ObjectMeta
	}{
		"a graceful deletion ends a grace period after now": {
			edit: func(m *metav1.ObjectMeta) {
				m.DeletionTimestamp, m.DeletionGracePeriodSeconds = at(wall.Add(30*time.Second)), ptr.To[int64](30)
			},
			want: metav1.ObjectMeta{DeletionTimestamp: at(noon().Add(30 * time.Second)), DeletionGracePeriodSeconds: ptr.To[int64](30)},
		},
		"a deletion that waits for a finalizer starts now": {
			edit: func(m *metav1.ObjectMeta) {
				m.DeletionTimestamp, m.DeletionGracePeriodSeconds = &wall, ptr.To[int64](0)
			},
			want: metav1.ObjectMeta{DeletionTimestamp: at(noon()), DeletionGracePeriodSeconds: ptr.To[int64](0)},
		},
		"a shortened grace period moves the end back by the difference": {
			old: metav1.ObjectMeta{DeletionTimestamp: at(noon().Add(25 * time.Second)), DeletionGracePeriodSeconds: ptr.To[int64](30)},
			edit: func(m *metav1.ObjectMeta) {
				m.DeletionTimestamp, m.DeletionGracePeriodSeconds = at(wall.Time), ptr.To[int64](10)
			},
			want: metav1.ObjectMeta{DeletionTimestamp: at(noon().Add(5 * time.Second)), DeletionGracePeriodSeconds: ptr.To[int64](10)},
		},
		"a shortened grace period never ends in the past": {
			old: metav1.ObjectMeta{DeletionTimestamp: at(noon().Add(5 * time.Second)), DeletionGracePeriodSeconds: ptr.To[int64](30)},
			edit: func(m *metav1.ObjectMeta) {
				m.DeletionTimestamp, m.DeletionGracePeriodSeconds = at(wall.Time), ptr.To[int64](1)
			},
			want: metav1.ObjectMeta{DeletionTimestamp: at(noon()), DeletionGracePeriodSeconds: ptr.To[int64](1)},
		},
		"an update that leaves the deletion alone leaves its time alone": {
			old:  metav1.ObjectMeta{DeletionTimestamp: at(noon().Add(time.Second)), DeletionGracePeriodSeconds: ptr.To[int64](30)},
			edit: func(m *metav1.ObjectMeta) { m.Labels = map[string]string{"a": "b"} },
			want: metav1.ObjectMeta{
				Labels:            map[string]string{"a": "b"},
				DeletionTimestamp: at(noon().Add(time.Second)), DeletionGracePeriodSeconds: ptr.To[int64](30),
			},
		},
		"only new managedFields get the present time": {
			old: metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "old", Time: at(noon().Add(-time.Hour))}}},
			edit: func(m *metav1.ObjectMeta) {
				m.ManagedFields = append(m.ManagedFields, metav1.ManagedFieldsEntry{Manager: "new", Time: &wall})
			},
			want: metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{
				{Manager: "old", Time: at(noon().Add(-time.Hour))}, {Manager: "new", Time: at(noon())},
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inner := &oneObject{obj: &core.ConfigMap{ObjectMeta: tc.old}}
			err := stamper().Storage(inner).GuaranteedUpdate(t.Context(), "", nil, false, nil,
				func(input runtime.Object, _ storage.ResponseMeta) (runtime.Object, *uint64, error) {
					tc.edit(&input.(*core.ConfigMap).ObjectMeta)
					return input, nil, nil
				}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, inner.obj.(*core.ConfigMap).ObjectMeta); diff != "" {
				t.Errorf("metadata (-want +got):\n%s", diff)
			}
		})
	}
}

// TestApprovalsAreStamped: kubectl sends its machine's time, and upstream's strategy adds
// the server's.
func TestApprovalsAreStamped(t *testing.T) {
	wall, before := metav1.NewTime(noon().Add(1000*time.Hour)), *at(noon().Add(-time.Hour))
	condition := func(kind certificates.RequestConditionType, update, transition metav1.Time) certificates.CertificateSigningRequestCondition {
		return certificates.CertificateSigningRequestCondition{Type: kind, LastUpdateTime: update, LastTransitionTime: transition}
	}
	for name, tc := range map[string]struct {
		old, sent, want []certificates.CertificateSigningRequestCondition
	}{
		"a new condition": {
			nil,
			[]certificates.CertificateSigningRequestCondition{condition("Approved", wall, wall)},
			[]certificates.CertificateSigningRequestCondition{condition("Approved", *at(noon()), *at(noon()))},
		},
		"one beside another, which stays": {
			[]certificates.CertificateSigningRequestCondition{condition("Approved", before, before)},
			[]certificates.CertificateSigningRequestCondition{condition("Approved", before, before), condition("Failed", wall, wall)},
			[]certificates.CertificateSigningRequestCondition{condition("Approved", before, before), condition("Failed", *at(noon()), *at(noon()))},
		},
		"an update without a transition": {
			[]certificates.CertificateSigningRequestCondition{condition("Approved", before, before)},
			[]certificates.CertificateSigningRequestCondition{condition("Approved", wall, before)},
			[]certificates.CertificateSigningRequestCondition{condition("Approved", *at(noon()), before)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := &oneObject{obj: &certificates.CertificateSigningRequest{Status: certificates.CertificateSigningRequestStatus{Conditions: tc.old}}}
			err := stamper().Storage(store).GuaranteedUpdate(t.Context(), "", nil, false, nil, func(obj runtime.Object, _ storage.ResponseMeta) (runtime.Object, *uint64, error) {
				obj.(*certificates.CertificateSigningRequest).Status.Conditions = tc.sent
				return obj, nil, nil
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, store.obj.(*certificates.CertificateSigningRequest).Status.Conditions); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
		})
	}
}
