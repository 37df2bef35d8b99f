package explain

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/google/go-cmp/cmp"
)

func templateOf(image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: image}}}}
}

// webOf is a Deployment of four replicas, of which one may be missing and one too many.
func webOf(image string, change ...func(*appsv1.Deployment)) *appsv1.Deployment {
	one := intstr.FromInt32(1)
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default", UID: "web-uid"},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptrTo[int32](4), ProgressDeadlineSeconds: ptrTo[int32](60), Template: templateOf(image),
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &one, MaxUnavailable: &one}},
		},
	}
	for _, f := range change {
		f(d)
	}
	return d
}

func progressing(status corev1.ConditionStatus, reason string) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) {
		d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: status, Reason: reason}}
	}
}

func setOf(d *appsv1.Deployment, revision int, replicas, available int32) *appsv1.ReplicaSet {
	name := fmt.Sprintf("web-%d", revision)
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "default", UID: types.UID(name), Annotations: map[string]string{"deployment.kubernetes.io/revision": fmt.Sprint(revision)},
			OwnerReferences: []metav1.OwnerReference{{Kind: "Deployment", Name: d.Name, UID: d.UID, Controller: ptrTo(true)}},
		},
		Spec:   appsv1.ReplicaSetSpec{Replicas: &replicas, Template: d.Spec.Template},
		Status: appsv1.ReplicaSetStatus{Replicas: replicas, AvailableReplicas: available},
	}
}

func podOfSet(set *appsv1.ReplicaSet, name string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := podOf(nil, name, change...)
	p.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet", Name: set.Name, UID: set.UID, Controller: ptrTo(true)}}
	return p
}

func ready(p *corev1.Pod) {
	p.Status.Phase = corev1.PodRunning
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "c", ContainerID: "c1", Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
}

// rolled are the commits of a rollout that gets stuck.
func rolled() *past {
	const s = time.Second
	v1, v2 := webOf("app:1"), webOf("app:2")
	p := at(0).then(0, "client/ann", v1).then(0, "deployment/default/web", setOf(v1, 1, 4, 0))
	old := setOf(v1, 1, 4, 4)
	for _, name := range []string{"a", "b", "c", "d"} {
		p.then(0, "replicaset/default/web-1", podOfSet(old, name))
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		p.then(s, "lifecycle/default/"+name, podOfSet(old, name, ready))
	}
	p.then(0, "replicaset/default/web-1", old).then(0, "deployment/default/web", webOf("app:1", progressing("True", "NewReplicaSetAvailable")))
	p.then(6*s, "client/ann", v2).then(0, "deployment/default/web", setOf(v2, 2, 1, 0), setOf(v1, 1, 3, 4))
	p.then(0, "replicaset/default/web-1", podOfSet(old, "d", ready, deleting))
	return p.then(0, "replicaset/default/web-2", podOfSet(setOf(v2, 2, 1, 0), "e"))
}

func TestARolloutSaysWhichRuleDecided(t *testing.T) {
	const s = time.Second
	v2 := webOf("app:2")
	for name, tc := range map[string]struct {
		more func(p *past)
		want []string
	}{
		"a Pod has become ready": {func(p *past) {
			p.then(2*s, "lifecycle/default/e", podOfSet(setOf(v2, 2, 1, 0), "e", ready)).then(0, "replicaset/default/web-2", setOf(v2, 2, 1, 1)).
				then(0, "deployment/default/web", setOf(webOf("app:1"), 1, 2, 3)).then(0, "replicaset/default/web-1", podOfSet(setOf(webOf("app:1"), 1, 2, 3), "c", ready, deleting))
		}, []string{
			"replicaset/web-1 scaled down from 3 to 2 because at least 3 must be available, 5 were: pod/e has become ready",
			"pod/c deleted, with a grace period of 30s because replaced by pod/e",
			"deployment/web has not rolled out: 1 of 4 replicas are of the new version and available because 2 old Pods stay: at least 3 must be available, and 4 are",
		}},
		"nothing gets better": {func(p *past) {
			p.then(2*s, "lifecycle/default/e", podOfSet(setOf(v2, 2, 1, 0), "e", waits("ImagePullBackOff", ""))).
				then(58*s, "deployment/default/web", webOf("app:2", progressing("False", "ProgressDeadlineExceeded")))
		}, []string{
			"deployment/web ProgressDeadlineExceeded because nothing has got better for progressDeadlineSeconds 60",
			"deployment/web has not rolled out: 0 of 4 replicas are of the new version and available because pod/e: container c: ImagePullBackOff; 3 old Pods stay: at least 3 must be available, and 4 are",
		}},
		"somebody deletes a Pod": {func(p *past) {
			p.then(s, "client/ann", podOfSet(setOf(webOf("app:1"), 1, 3, 3), "a", ready, deleting)).
				then(0, "replicaset/default/web-1", podOfSet(setOf(webOf("app:1"), 1, 3, 3), "f"))
		}, []string{"pod/a deleted, with a grace period of 30s", "pod/f created because replaces pod/a"}},
		"it is paused and scaled": {func(p *past) {
			p.then(s, "client/ann", webOf("app:2", func(d *appsv1.Deployment) { d.Spec.Paused = true; *d.Spec.Replicas = 8 })).
				then(0, "deployment/default/web", setOf(webOf("app:1"), 1, 6, 3))
		}, []string{
			"deployment/web replicas changed from 4 to 8", "deployment/web paused",
			"replicaset/web-1 scaled up from 3 to 6 because in proportion: the rollout was paused",
			"deployment/web has not rolled out: 0 of 8 replicas are of the new version and available because it is paused: 'kubectl rollout resume' goes on",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := rolled()
			before := len(Tell(Target{Kind: "Deployment", Namespace: "default", Name: "web"}, p.commits, noon).Steps) - 1 // the last is what it waits for
			tc.more(p)
			story := Tell(Target{Kind: "Deployment", Namespace: "default", Name: "web"}, p.commits, noon.Add(p.now))
			var got []string
			for _, step := range story.Steps[before:] {
				got = append(got, words(" because ", step.Object+" "+step.What, step.Why))
			}
			for _, want := range tc.want {
				if !strings.Contains("\n"+strings.Join(got, "\n")+"\n", "\n"+want+"\n") {
					t.Errorf("no step %q in\n%s", want, strings.Join(got, "\n"))
				}
			}
		})
	}
}

func TestAChartCountsThePodsOfEachVersion(t *testing.T) {
	p := rolled()
	story := Tell(Target{Kind: "Deployment", Namespace: "default", Name: "web"}, p.commits, noon.Add(p.now))
	var got []string
	for _, s := range story.Chart.Samples {
		got = append(got, fmt.Sprintf("%s: %d ready, %d not, want %d, from %d to %d", Offset(s.At.Sub(noon)), s.Ready, s.Unready, s.Want, s.Least, s.Most))
	}
	want := []string{
		"0s: [0] ready, [4] not, want 4, from 3 to 5", "1s: [1] ready, [3] not, want 4, from 3 to 5", "2s: [2] ready, [2] not, want 4, from 3 to 5",
		"3s: [3] ready, [1] not, want 4, from 3 to 5", "4s: [4] ready, [0] not, want 4, from 3 to 5", "10s: [3 0] ready, [0 1] not, want 4, from 3 to 5",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"replicaset/web-1", "replicaset/web-2"}, story.Chart.Versions); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
	if set := Tell(Target{Kind: "ReplicaSet", Namespace: "default", Name: "web-2"}, p.commits, noon.Add(p.now)); set.Chart != nil || len(set.Rows) != 2 {
		t.Errorf("a ReplicaSet's story has the chart %v and the rows %v", set.Chart, set.Rows)
	}
}
