package apiserver

import (
	"testing"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/component-base/featuregate"
	"k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/features"
	podregistry "k8s.io/kubernetes/pkg/registry/core/pod"
)

// TestPreparingAPodWritesToNothingThatIsShared reads a Pod of the store, as its
// committer does, while an update of it is prepared: the race detector sees a write.
func TestPreparingAPodWritesToNothingThatIsShared(t *testing.T) {
	for name, tc := range map[string]struct {
		subresource string
		strategy    rest.RESTUpdateStrategy
	}{
		"an update of the Pod":    {"", podregistry.Strategy},
		"an update of its status": {"status", podregistry.StatusStrategy},
	} {
		t.Run(name, func(t *testing.T) {
			old := podWithAllThatStrategiesClear()
			obj, want := old.DeepCopy(), old.DeepCopy()
			s := &shortcut{store: &genericregistry.Store{UpdateStrategy: tc.strategy}, subresource: tc.subresource}
			read := make(chan *core.Pod)
			go func() { read <- old.DeepCopy() }()
			if tc.subresource == "status" {
				obj.Spec = core.PodSpec{} // see internalStatus
			}
			err := s.prepare(t.Context(), obj, old, obj, old)
			if got := <-read; err != nil || !apiequality.Semantic.DeepEqual(got, want) {
				t.Errorf("prepare: %v\nthe shared Pod became %+v", err, got)
			}
			if !apiequality.Semantic.DeepEqual(obj, want) {
				t.Errorf("an update that changes nothing makes %+v", obj)
			}
		})
	}
}

// TestNoSpecDecidesAboutAStatus: the features that do so in dropDisabledPodStatusFields,
// k8s.io/kubernetes pkg/api/pod v1.37.2, cannot be turned off. See prepareParts.
func TestNoSpecDecidesAboutAStatus(t *testing.T) {
	all := utilfeature.DefaultMutableFeatureGate.GetAll()
	for _, f := range []featuregate.Feature{
		features.InPlacePodVerticalScaling, features.DynamicResourceAllocation, features.RecursiveReadOnlyMounts, features.SupplementalGroupsPolicy,
	} {
		if spec, ok := all[f]; ok && !(spec.Default && spec.LockToDefault) {
			t.Errorf("feature %s can be turned off: an empty spec would not do any more", f)
		}
	}
}

// TestWhatKeepsObjectsIsFound: a layer over the store that hides it would take the
// engine's writes the long way without a word, at twice the cost.
func TestWhatKeepsObjectsIsFound(t *testing.T) {
	below := &keeping{}
	o := &restOptions{open: func(StorageConfig) (storage.Interface, factory.DestroyFunc, error) { return below, func() {}, nil }}
	options, err := o.GetRESTOptions(schema.GroupResource{Resource: "pods"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := options.Decorator(options.StorageConfig, options.ResourcePrefix, nil, nil, nil, nil, nil, nil)
	if got := keeperUnder(s); err != nil || got != keeper(below) {
		t.Errorf("under %T: %v, %v, want %v", s, got, err, below)
	}
	if got := keeperUnder(onStage{}); got != nil {
		t.Errorf("under a store that keeps nothing: %v", got)
	}
}

// keeping is a store that keeps objects.
type keeping struct {
	storage.Interface
	keeper
}

// podWithAllThatStrategiesClear has a part for each field below which a strategy
// clears the fields of features that are off.
func podWithAllThatStrategiesClear() *core.Pod {
	items := []core.KeyToPath{{Key: "k", Path: "p"}}
	files := []core.DownwardAPIVolumeFile{{Path: "p", FieldRef: &core.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.name"}}}
	probe := &core.Probe{ProbeHandler: core.ProbeHandler{HTTPGet: &core.HTTPGetAction{Path: "/"}}}
	container := core.Container{
		Name: "c", VolumeMounts: []core.VolumeMount{{Name: "v", MountPath: "/v"}},
		LivenessProbe: probe, ReadinessProbe: &core.Probe{ProbeHandler: core.ProbeHandler{GRPC: &core.GRPCAction{Port: 1}}},
		Lifecycle: &core.Lifecycle{PostStart: &core.LifecycleHandler{HTTPGet: &core.HTTPGetAction{Path: "/"}}},
	}
	status := core.ContainerStatus{Name: "c", VolumeMounts: []core.VolumeMountStatus{{Name: "v", MountPath: "/v"}}}
	pod := &core.Pod{
		Spec: core.PodSpec{
			Containers: []core.Container{container}, InitContainers: []core.Container{container},
			SecurityContext: &core.PodSecurityContext{},
			Volumes: []core.Volume{
				{Name: "secret", VolumeSource: core.VolumeSource{Secret: &core.SecretVolumeSource{Items: items}}},
				{Name: "map", VolumeSource: core.VolumeSource{ConfigMap: &core.ConfigMapVolumeSource{Items: items}}},
				{Name: "downward", VolumeSource: core.VolumeSource{DownwardAPI: &core.DownwardAPIVolumeSource{Items: files}}},
				{Name: "empty", VolumeSource: core.VolumeSource{EmptyDir: &core.EmptyDirVolumeSource{}}},
				{Name: "projected", VolumeSource: core.VolumeSource{Projected: &core.ProjectedVolumeSource{Sources: []core.VolumeProjection{
					{ServiceAccountToken: &core.ServiceAccountTokenProjection{Path: "token"}},
					{ConfigMap: &core.ConfigMapProjection{Items: items}},
					{Secret: &core.SecretProjection{Items: items}},
					{DownwardAPI: &core.DownwardAPIProjection{Items: files}},
				}}}},
			},
		},
		Status: core.PodStatus{
			Phase: core.PodRunning, QOSClass: core.PodQOSBestEffort, Conditions: []core.PodCondition{{Type: core.PodReady}},
			ContainerStatuses: []core.ContainerStatus{status}, InitContainerStatuses: []core.ContainerStatus{status},
		},
	}
	pod.Name, pod.Namespace, pod.Generation = "p", "default", 1
	return pod
}
