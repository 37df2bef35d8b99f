package statefulset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	utilfeature "k8s.io/apiserver/pkg/util/feature" //nolint:depguard // upstream's controller reads its gates there
	"k8s.io/client-go/tools/record"
	featuregatetesting "k8s.io/component-base/featuregate/testing"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/history"
	upstream "k8s.io/kubernetes/pkg/controller/statefulset"
	"k8s.io/kubernetes/pkg/features"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// TestUpstreamDoesTheSame gives random StatefulSets to upstream's controller and to ours:
// what is written, what is told and what fails is the same.
func TestUpstreamDoesTheSame(t *testing.T) {
	for _, gates := range []workload.Gates{
		{MaxUnavailableStatefulSet: true, StatefulSetSemanticRevisionComparison: true},
		{StatefulSetSemanticRevisionComparison: true},
		{MaxUnavailableStatefulSet: true, StatefulSetRecreateStrategy: true},
	} {
		t.Run(fmt.Sprintf("maxUnavailable %t, recreate %t", gates.MaxUnavailableStatefulSet, gates.StatefulSetRecreateStrategy), func(t *testing.T) {
			featuregatetesting.SetFeatureGatesDuringTest(t, utilfeature.DefaultFeatureGate, featuregatetesting.FeatureOverrides{
				features.MaxUnavailableStatefulSet:             gates.MaxUnavailableStatefulSet,
				features.StatefulSetRecreateStrategy:           gates.StatefulSetRecreateStrategy,
				features.StatefulSetSemanticRevisionComparison: gates.StatefulSetSemanticRevisionComparison,
			})
			failures := 0
			for seed := range int64(600) {
				w := drawWorld(rand.New(rand.NewSource(seed)))
				theirs, ours := w.upstreams(t), w.ours(t, gates)
				if diff := cmp.Diff(theirs, ours); diff != "" {
					t.Errorf("seed %d (-upstream +ours):\n%s\n%s", seed, diff, w)
					if failures++; failures == 3 {
						t.FailNow()
					}
				}
			}
		})
	}
}

// world is what a step finds, and which of its writes fail.
type world struct {
	set       *appsv1.StatefulSet
	pods      []*corev1.Pod
	revisions []*appsv1.ControllerRevision
	claims    map[string]*corev1.PersistentVolumeClaim
	fails     map[string]bool
}

func (w world) String() string {
	spec := w.set.Spec
	spec.Template = corev1.PodTemplateSpec{}
	text, err := json.Marshal(spec)
	if err != nil {
		panic(err)
	}
	lines := []string{fmt.Sprintf("set %s\nstatus %s", text, tellStatus(w.set.Status))}
	for _, pod := range w.pods {
		lines = append(lines, fmt.Sprintf("pod %s %v deleted %v %s %v", pod.Name, pod.Labels, pod.DeletionTimestamp, pod.Status.Phase, pod.Status.Conditions))
	}
	for _, rev := range w.revisions {
		lines = append(lines, fmt.Sprintf("revision %s %d %s", rev.Name, rev.Revision, tellRefs(rev.OwnerReferences)))
	}
	for _, name := range slices.Sorted(maps.Keys(w.claims)) {
		lines = append(lines, fmt.Sprintf("claim %s deleted %v %s", name, w.claims[name].DeletionTimestamp, tellRefs(w.claims[name].OwnerReferences)))
	}
	return strings.Join(append(lines, fmt.Sprint("fails ", w.fails)), "\n")
}

func tellRefs(refs []metav1.OwnerReference) string {
	out := ""
	for _, ref := range refs {
		out += fmt.Sprintf(" %s/%s/%s/%s/%t", ref.APIVersion, ref.Kind, ref.Name, ref.UID, ref.Controller != nil && *ref.Controller)
	}
	return out
}

// trace has what a controller has done.
type trace struct {
	world
	lines []string
}

// do notes a write and says whether it fails.
func (r *trace) do(what, name string, details ...any) error {
	if r.fails[what+" "+name] {
		r.lines = append(r.lines, fmt.Sprint(what, " ", name, " fails"))
		return errors.New("no " + what)
	}
	r.lines = append(r.lines, fmt.Sprint(what, " ", name, " ", fmt.Sprint(details...)))
	return nil
}

// result is the trace, sorted where upstream does things at the same time, or in the order
// of a map.
func (r *trace) result(err error) []string {
	if len(r.set.Spec.VolumeClaimTemplates) > 1 || r.set.Spec.PodManagementPolicy == appsv1.ParallelPodManagement || r.set.Spec.UpdateStrategy.Type == appsv1.RecreateStatefulSetStrategyType {
		slices.Sort(r.lines)
	}
	return append(r.lines, fmt.Sprint("fails: ", err != nil))
}

func tellPod(pod *corev1.Pod) string {
	var volumes []string
	for _, v := range pod.Spec.Volumes {
		claim := "none"
		if v.PersistentVolumeClaim != nil {
			claim = v.PersistentVolumeClaim.ClaimName
		}
		volumes = append(volumes, v.Name+"="+claim)
	}
	slices.Sort(volumes) // upstream's order is random
	return fmt.Sprint(pod.Labels, " ", pod.GenerateName, " ", pod.Spec.Hostname, ".", pod.Spec.Subdomain, " ", tellRefs(pod.OwnerReferences), volumes, pod.Spec.Containers[0].Image)
}

func tellClaim(claim *corev1.PersistentVolumeClaim) string {
	return fmt.Sprint(claim.Labels, tellRefs(claim.OwnerReferences))
}

func tellStatus(s appsv1.StatefulSetStatus) string {
	s = *s.DeepCopy()
	for i := range s.Conditions {
		s.Conditions[i].LastTransitionTime = metav1.Time{} // upstream asks a clock
	}
	collisions := int32(0)
	if s.CollisionCount != nil {
		collisions = *s.CollisionCount
	}
	return fmt.Sprintf("%d %+v", collisions, s.Conditions) + fmt.Sprint(s.ObservedGeneration, s.Replicas, s.ReadyReplicas, s.AvailableReplicas, s.CurrentReplicas, s.UpdatedReplicas, s.CurrentRevision, s.UpdateRevision)
}

func tellRevision(rev *appsv1.ControllerRevision) string {
	return fmt.Sprint(rev.Revision, rev.Labels, rev.Annotations, tellRefs(rev.OwnerReferences), string(rev.Data.Raw))
}

// upstreams returns what upstream's controller does.
func (w world) upstreams(t *testing.T) []string {
	t.Helper()
	manager := &manager{trace: trace{world: w}, claims: map[string]*corev1.PersistentVolumeClaim{}}
	for name, claim := range w.claims {
		manager.claims[name] = claim
	}
	control := upstream.NewDefaultStatefulSetControl(upstream.NewStatefulPodControlFromManager(manager, manager), manager, manager)
	_, err := control.UpdateStatefulSet(klog.NewContext(t.Context(), klog.Logger{}), w.set.DeepCopy(), slices.Clone(w.pods), noon())
	return manager.result(err)
}

// manager is what upstream's controller writes to. Its cache has what was updated, but not
// yet what was created.
type manager struct {
	trace
	record.EventRecorder
	lock   sync.Mutex
	claims map[string]*corev1.PersistentVolumeClaim
}

func (m *manager) CreatePod(_ context.Context, pod *corev1.Pod, _ *appsv1.StatefulSet) error {
	return m.locked("create pod", pod.Name, tellPod(pod))
}

func (m *manager) GetPod(_, name string) (*corev1.Pod, error) {
	for _, pod := range m.pods {
		if pod.Name == name {
			return pod, nil
		}
	}
	return nil, apierrors.NewNotFound(corev1.Resource("pods"), name)
}

func (m *manager) UpdatePod(pod *corev1.Pod, _ *appsv1.StatefulSet) error {
	return m.locked("update pod", pod.Name, tellPod(pod))
}

func (m *manager) DeletePod(pod *corev1.Pod) error { return m.locked("delete pod", pod.Name) }

func (m *manager) CreateClaim(claim *corev1.PersistentVolumeClaim, _ *appsv1.StatefulSet) error {
	return m.locked("create claim", claim.Name, tellClaim(claim))
}

func (m *manager) GetClaim(_, name string) (*corev1.PersistentVolumeClaim, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if claim, ok := m.claims[name]; ok {
		return claim, nil
	}
	return nil, apierrors.NewNotFound(corev1.Resource("persistentvolumeclaims"), name)
}

func (m *manager) UpdateClaim(claim *corev1.PersistentVolumeClaim, _ *appsv1.StatefulSet) error {
	err := m.locked("update claim", claim.Name, tellClaim(claim))
	if err == nil {
		m.lock.Lock()
		defer m.lock.Unlock()
		m.claims[claim.Name] = claim
	}
	return err
}

func (m *manager) UpdateStatefulSetStatus(_ context.Context, set *appsv1.StatefulSet, status *appsv1.StatefulSetStatus) error {
	return m.locked("status", set.Name, tellStatus(*status))
}

func (m *manager) Event(_ runtime.Object, eventType, reason, message string) {
	_ = m.locked("event", eventType, reason, " ", message)
}

func (m *manager) locked(what, name string, details ...any) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.do(what, name, details...)
}

func (m *manager) ListControllerRevisions(metav1.Object, schema.GroupVersionKind, labels.Selector) ([]*appsv1.ControllerRevision, error) {
	var mine []*appsv1.ControllerRevision
	for _, rev := range m.revisions {
		if len(rev.OwnerReferences) > 0 {
			mine = append(mine, rev)
		}
	}
	return mine, nil
}

func (m *manager) CreateControllerRevision(parent metav1.Object, rev *appsv1.ControllerRevision, collisions *int32) (*appsv1.ControllerRevision, error) {
	next := rev.DeepCopy()
	for {
		next.Name = history.ControllerRevisionName(parent.GetName(), history.HashControllerRevision(rev, collisions))
		i := slices.IndexFunc(m.revisions, func(old *appsv1.ControllerRevision) bool { return old.Name == next.Name })
		if i < 0 {
			return next, m.locked("create revision", next.Name, tellRevision(next))
		}
		if workload.SameData(m.revisions[i], next) {
			return m.revisions[i], nil
		}
		*collisions++
	}
}

func (m *manager) UpdateControllerRevision(rev *appsv1.ControllerRevision, number int64) (*appsv1.ControllerRevision, error) {
	next := rev.DeepCopy()
	next.Revision = number
	return next, m.locked("update revision", next.Name, tellRevision(next))
}

func (m *manager) DeleteControllerRevision(rev *appsv1.ControllerRevision) error {
	return m.locked("delete revision", rev.Name)
}

func (m *manager) AdoptControllerRevision(metav1.Object, schema.GroupVersionKind, *appsv1.ControllerRevision) (*appsv1.ControllerRevision, error) {
	panic("UpdateStatefulSet adopts none")
}

func (m *manager) ReleaseControllerRevision(metav1.Object, *appsv1.ControllerRevision) (*appsv1.ControllerRevision, error) {
	panic("UpdateStatefulSet releases none")
}

// ours returns what our controller does.
func (w world) ours(t *testing.T, gates workload.Gates) []string {
	t.Helper()
	api := &api{trace: trace{world: w}}
	e, err := engine.New(engine.Config{Start: noon(), Mode: engine.Manual, Speed: 1})
	if err != nil {
		t.Fatal(err)
	}
	r := &Reconciler{api: api, recorder: e.NewEventRecorder(api, engine.Identity{User: "us"}, engine.Source{Component: Name})}
	var mine []*appsv1.ControllerRevision
	for _, rev := range w.revisions {
		if len(rev.OwnerReferences) > 0 {
			mine = append(mine, rev)
		}
	}
	history.SortControllerRevisions(mine)
	p, err := decide(w.set, w.pods, mine, cluster{
		Gates: gates,
		Claim: func(name string) (*corev1.PersistentVolumeClaim, bool) {
			claim, ok := w.claims[name]
			return claim, ok
		},
		Revision: func(name string) (*appsv1.ControllerRevision, bool) {
			i := slices.IndexFunc(w.revisions, func(rev *appsv1.ControllerRevision) bool { return rev.Name == name })
			if i < 0 {
				return nil, false
			}
			return w.revisions[i], true
		},
	}, noon())
	if err == nil {
		err = r.apply(t.Context(), w.set, p)
	}
	return api.result(err)
}

// api is what our controller writes to.
type api struct{ trace }

func (a *api) Create(_ context.Context, _ engine.Identity, r engine.Resource, obj engine.Object) (engine.Object, error) {
	switch obj := obj.(type) {
	case *corev1.Pod:
		return obj, a.do("create pod", obj.Name, tellPod(obj))
	case *corev1.PersistentVolumeClaim:
		return obj, a.do("create claim", obj.Name, tellClaim(obj))
	case *appsv1.ControllerRevision:
		return obj, a.do("create revision", obj.Name, tellRevision(obj))
	case *corev1.Event:
		return obj, a.do("event", obj.Type, obj.Reason, " ", obj.Message)
	}
	return nil, fmt.Errorf("creates one of %s", r)
}

func (a *api) Update(_ context.Context, _ engine.Identity, r engine.Resource, _ string, obj engine.Object) (engine.Object, error) {
	switch obj := obj.(type) {
	case *corev1.Pod:
		return obj, a.do("update pod", obj.Name, tellPod(obj))
	case *corev1.PersistentVolumeClaim:
		return obj, a.do("update claim", obj.Name, tellClaim(obj))
	case *appsv1.ControllerRevision:
		return obj, a.do("update revision", obj.Name, tellRevision(obj))
	case *appsv1.StatefulSet:
		return obj, a.do("status", obj.Name, tellStatus(obj.Status))
	case *corev1.Event:
		return obj, a.do("event", obj.Type, obj.Reason, " ", obj.Message)
	}
	return nil, fmt.Errorf("updates one of %s", r)
}

func (a *api) Delete(_ context.Context, _ engine.Identity, r engine.Resource, key types.NamespacedName, _ metav1.DeleteOptions) error {
	if r == engine.Pods {
		return a.do("delete pod", key.Name)
	}
	return a.do("delete revision", key.Name)
}

func (a *api) DeleteCollection(context.Context, engine.Identity, engine.Resource, string, metav1.DeleteOptions) error {
	return errors.New("deletes a collection")
}

func (a *api) Bind(context.Context, engine.Identity, *corev1.Binding) error {
	return errors.New("binds a Pod")
}

// drawWorld draws a StatefulSet in the middle of something.
func drawWorld(random *rand.Rand) world {
	w := world{claims: map[string]*corev1.PersistentVolumeClaim{}, fails: map[string]bool{}}
	w.set = drawSet(random)
	w.revisions = drawRevisions(random, w.set)
	if len(w.revisions) > 0 && random.Intn(4) > 0 {
		w.set.Status.CurrentRevision = w.revisions[random.Intn(len(w.revisions))].Name
	}
	names := []string{"web-0", "web-1", "web-2", "web-3", "web-4", "web-99999999999"}
	for _, name := range names {
		if random.Intn(3) > 0 && name != "web-99999999999" || random.Intn(20) == 0 {
			w.pods = append(w.pods, drawPod(random, w, name))
		}
	}
	for i, name := range names[:5] {
		for _, template := range w.set.Spec.VolumeClaimTemplates {
			if random.Intn(5) > 0 {
				claim := drawClaim(random, w, name)
				claim.Name = claimName(w.set, template.Name, i)
				w.claims[claim.Name] = claim
			}
		}
	}
	if random.Intn(3) == 0 {
		for range 4 {
			what := pick(random, "create pod", "update pod", "delete pod")
			w.fails[what+" "+pick(random, names...)] = true
			w.fails[pick(random, "create claim", "update claim")+" data-"+pick(random, names...)] = true
		}
		w.fails["status web"] = random.Intn(4) == 0
		if len(w.revisions) > 0 {
			w.fails["delete revision "+w.revisions[0].Name] = random.Intn(2) == 0
		}
	}
	return w
}

func pick[T any](random *rand.Rand, from ...T) T { return from[random.Intn(len(from))] }

func drawSet(random *rand.Rand) *appsv1.StatefulSet {
	set := aSet(int32(random.Intn(5)))
	set.Annotations = map[string]string{"note": "mine"}
	spec := &set.Spec
	spec.MinReadySeconds = pick[int32](random, 0, 0, 10)
	spec.PodManagementPolicy = pick(random, appsv1.OrderedReadyPodManagement, appsv1.ParallelPodManagement)
	spec.RevisionHistoryLimit = new(pick[int32](random, 0, 1, 10))
	spec.Template = template(pick(random, "v1", "v2", "v3", "v4", "v5"))
	if random.Intn(3) == 0 {
		spec.Ordinals = &appsv1.StatefulSetOrdinals{Start: int32(random.Intn(3))}
	}
	switch random.Intn(6) {
	case 0:
		spec.UpdateStrategy = appsv1.StatefulSetUpdateStrategy{Type: appsv1.OnDeleteStatefulSetStrategyType}
	case 1:
		spec.UpdateStrategy = appsv1.StatefulSetUpdateStrategy{Type: appsv1.RecreateStatefulSetStrategyType}
	case 2:
		spec.UpdateStrategy.RollingUpdate = nil
	default:
		spec.UpdateStrategy.RollingUpdate.Partition = new(int32(max(random.Intn(6)-3, 0)))
		spec.UpdateStrategy.RollingUpdate.MaxUnavailable = pick(random, nil, new(intstr.FromInt32(1)), new(intstr.FromInt32(3)), new(intstr.FromString("50%")))
	}
	for _, name := range []string{"data", "log"}[:random.Intn(3)] {
		claim := corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if name == "log" {
			claim.Labels = map[string]string{"of": "log"}
		}
		spec.VolumeClaimTemplates = append(spec.VolumeClaimTemplates, claim)
	}
	if random.Intn(2) == 0 {
		const keep, drop = appsv1.RetainPersistentVolumeClaimRetentionPolicyType, appsv1.DeletePersistentVolumeClaimRetentionPolicyType
		spec.PersistentVolumeClaimRetentionPolicy = &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{
			WhenDeleted: pick(random, keep, drop), WhenScaled: pick(random, keep, drop),
		}
	}
	if random.Intn(20) == 0 {
		set.DeletionTimestamp = &metav1.Time{Time: noon()}
	}
	set.Status = appsv1.StatefulSetStatus{
		ObservedGeneration: int64(random.Intn(4)), CurrentReplicas: int32(random.Intn(3)), CollisionCount: pick(random, nil, new(int32(2))),
		Conditions: pick(random, nil, []appsv1.StatefulSetCondition{{Type: appsv1.StatefulSetProgressing, Status: corev1.ConditionTrue, Reason: "Old"}}),
	}
	return set
}

// drawRevisions draws the history of set, and one that is somebody else's and may have the
// name of the next.
func drawRevisions(random *rand.Rand, set *appsv1.StatefulSet) []*appsv1.ControllerRevision {
	var out []*appsv1.ControllerRevision
	for i, image := range []string{"v1", "v2", "v3", "v4"} {
		if random.Intn(2) == 0 {
			continue
		}
		old := template(image)
		rev, err := workload.NewRevision(set, kind(), &old, int64(random.Intn(10)), new(int32))
		if err != nil {
			panic(err)
		}
		rev.CreationTimestamp = metav1.NewTime(noon().Add(time.Duration(i) * time.Minute))
		out = append(out, rev)
	}
	if random.Intn(3) == 0 {
		alien, err := workload.NewRevision(set, kind(), &set.Spec.Template, 1, pick(random, new(int32), new(int32(2))))
		if err != nil {
			panic(err)
		}
		if slices.ContainsFunc(out, func(rev *appsv1.ControllerRevision) bool { return rev.Name == alien.Name }) {
			return out
		}
		alien.OwnerReferences = nil
		if random.Intn(2) == 0 {
			alien.Data.Raw = []byte(`{}`)
		}
		out = append(out, alien)
	}
	return out
}

func drawPod(random *rand.Rand, w world, name string) *corev1.Pod {
	pod := newPod(w.set, "web-unknown", 0)
	pod.Name, pod.UID = name, types.UID("uid of "+name)
	identify(w.set, pod)
	mount(w.set, pod)
	if len(w.revisions) > 0 {
		pod.Labels[appsv1.StatefulSetRevisionLabel] = w.revisions[random.Intn(len(w.revisions))].Name
	}
	pod.Status.Phase = pick(random, corev1.PodRunning, corev1.PodRunning, corev1.PodRunning, corev1.PodRunning, corev1.PodRunning, corev1.PodPending, corev1.PodFailed, corev1.PodSucceeded)
	if random.Intn(6) > 0 {
		pod.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon().Add(-pick(random, time.Second, time.Minute, time.Minute))),
		}}
	}
	switch random.Intn(20) {
	case 0:
		delete(pod.Labels, appsv1.StatefulSetPodNameLabel)
	case 1:
		pod.Spec.Volumes = nil
	case 2:
		pod.DeletionTimestamp = &metav1.Time{Time: noon()}
	}
	return pod
}

func drawClaim(random *rand.Rand, w world, pod string) *corev1.PersistentVolumeClaim {
	claim := &corev1.PersistentVolumeClaim{}
	ref := func(kind schema.GroupVersionKind, name string, uid types.UID) metav1.OwnerReference {
		return metav1.OwnerReference{APIVersion: kind.GroupVersion().String(), Kind: kind.Kind, Name: name, UID: uid, Controller: pick(random, new(true), new(true), nil), BlockOwnerDeletion: new(true)}
	}
	for range random.Intn(3) {
		next := pick(random,
			ref(kind(), "web", w.set.UID), ref(kind(), "web", w.set.UID), ref(kind(), "web", "earlier"),
			ref(podKind(), pod, types.UID("uid of "+pod)), ref(podKind(), pod, "earlier"),
			ref(corev1.SchemeGroupVersion.WithKind("ConfigMap"), "other", "other"),
		)
		if !slices.ContainsFunc(claim.OwnerReferences, func(old metav1.OwnerReference) bool { return old.Kind == next.Kind }) {
			claim.OwnerReferences = append(claim.OwnerReferences, next)
		}
	}
	// Of several claims that are being deleted, upstream tells in the order of a map.
	if random.Intn(20) == 0 && len(w.set.Spec.VolumeClaimTemplates) == 1 {
		claim.DeletionTimestamp = &metav1.Time{Time: noon()}
	}
	return claim
}
