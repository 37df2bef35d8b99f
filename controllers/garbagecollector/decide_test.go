package garbagecollector

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

func object(edits ...func(*corev1.ConfigMap)) node {
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "x", UID: "x"}}
	for _, edit := range edits {
		edit(cm)
	}
	return node{Object: cm}
}

func deleted(finalizers ...string) func(*corev1.ConfigMap) {
	return func(cm *corev1.ConfigMap) {
		cm.DeletionTimestamp, cm.Finalizers = &metav1.Time{}, finalizers
	}
}

func finalizer(f string) func(*corev1.ConfigMap) {
	return func(cm *corev1.ConfigMap) { cm.Finalizers = append(cm.Finalizers, f) }
}

func ownedBy(uid types.UID, blocking bool) func(*corev1.ConfigMap) {
	return func(cm *corev1.ConfigMap) {
		cm.OwnerReferences = append(cm.OwnerReferences, metav1.OwnerReference{UID: uid, BlockOwnerDeletion: &blocking})
	}
}

func owning(uid types.UID, obj engine.Object) owner {
	return owner{Ref: metav1.OwnerReference{UID: uid}, Object: obj}
}

func TestDecide(t *testing.T) {
	foreground, orphan := metav1.FinalizerDeleteDependents, metav1.FinalizerOrphanDependents
	solid, gone := owning("solid", object().Object), owning("gone", nil)
	waiting := owning("waiting", object(deleted(foreground)).Object)
	unknown := owner{Ref: metav1.OwnerReference{UID: "unknown"}, Unresolved: true}
	foreign := owner{Ref: metav1.OwnerReference{UID: "foreign"}, Foreign: true, New: true}
	known := owner{Ref: foreign.Ref, Foreign: true}
	misnamed := owner{Ref: metav1.OwnerReference{UID: "misnamed"}, Misnamed: true, New: true}
	unreachable := owner{Ref: metav1.OwnerReference{UID: "foreign"}, Foreign: true, Unresolved: true, New: true}
	circle := []node{object(ownedBy("x", true), deleted(foreground))}
	blocking, free := object(ownedBy("x", true)), object(ownedBy("x", false))
	for name, tc := range map[string]struct {
		object     node
		owners     []owner
		dependents []node
		want       plan
	}{
		"nobody owns it":                          {object(), nil, nil, plan{}},
		"its owner is there":                      {object(), []owner{solid}, nil, plan{}},
		"its owner is gone":                       {object(), []owner{gone}, nil, plan{Delete: metav1.DeletePropagationBackground}},
		"its owner is of an unknown kind":         {object(), []owner{unknown}, nil, plan{}},
		"one owner is gone, one of unknown kind":  {object(), []owner{gone, unknown}, nil, plan{}},
		"all of its owners are gone":              {object(), []owner{gone, gone}, nil, plan{Delete: metav1.DeletePropagationBackground}},
		"one owner is gone, one waits for it":     {object(), []owner{gone, waiting}, nil, plan{Delete: metav1.DeletePropagationBackground}},
		"its owner is in another namespace":       {object(), []owner{foreign}, nil, plan{Report: &foreign.Ref, Delete: metav1.DeletePropagationBackground}},
		"one of its owners is elsewhere":          {object(), []owner{solid, foreign}, nil, plan{Report: &foreign.Ref, Forget: []types.UID{"foreign"}}},
		"one of its owners is gone":               {object(), []owner{solid, gone}, nil, plan{Forget: []types.UID{"gone"}}},
		"one of its owners waits for it":          {object(), []owner{solid, waiting}, nil, plan{Forget: []types.UID{"waiting"}}},
		"its only owner waits for it":             {object(), []owner{waiting}, nil, plan{Delete: metav1.DeletePropagationBackground}},
		"its owner waits and it owns others":      {object(), []owner{waiting}, []node{blocking}, plan{Delete: metav1.DeletePropagationForeground}},
		"a circle of owners that wait is broken":  {object(ownedBy("waiting", true)), []owner{waiting}, circle, plan{Unblock: true}},
		"it is broken":                            {object(ownedBy("waiting", false)), []owner{waiting}, circle, plan{Delete: metav1.DeletePropagationForeground}},
		"a finalizer that asks for orphans":       {object(finalizer(orphan)), []owner{gone}, nil, plan{Delete: metav1.DeletePropagationOrphan}},
		"it is being deleted":                     {object(deleted("other")), []owner{gone}, nil, plan{}},
		"it is being deleted and gets an owner":   {object(deleted("other")), []owner{foreign}, nil, plan{Report: &foreign.Ref}},
		"it waits for a dependent that blocks":    {object(deleted(foreground)), nil, []node{free, blocking}, plan{}},
		"it does not wait for one that does not":  {object(deleted(foreground)), nil, []node{free}, plan{Finalizer: foreground}},
		"its dependents are to be orphans":        {object(deleted(orphan)), nil, []node{free}, plan{Orphan: []node{free}, Finalizer: orphan}},
		"it was so before":                        {object(), []owner{solid, known}, nil, plan{Forget: []types.UID{"foreign"}}},
		"an owner elsewhere, behind a wrong name": {object(), []owner{misnamed, foreign}, nil, plan{Delete: metav1.DeletePropagationBackground}},
		"a cluster-wide object cannot have it so": {object(), []owner{gone, unreachable}, nil, plan{Report: &foreign.Ref}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, decide(tc.object, tc.owners, tc.dependents), cmp.AllowUnexported(node{})); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}
