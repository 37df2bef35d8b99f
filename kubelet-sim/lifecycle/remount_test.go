package lifecycle

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// watching prints the file of a volume every 10 seconds.
func watching(source corev1.VolumeSource, file string) *corev1.Pod {
	steps := []string{}
	for range 20 {
		steps = append(steps, "cat /v/"+file, "sleep 10")
	}
	return newPod("p", runs(steps...), func(p *corev1.Pod) {
		p.Labels = map[string]string{"color": "red"}
		p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: source}}
		p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "v", MountPath: "/v"}}
	})
}

func (c *cluster) change(r engine.Resource, obj engine.Object) {
	c.t.Helper()
	c.do(func(ctx context.Context) error {
		_, err := c.api.Update(ctx, engine.Identity{}, r, "", obj)
		return err
	})
}

func settings(color string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "settings"}, Data: map[string]string{"color": color}}
}

func TestAChangedConfigMapReachesItsFiles(t *testing.T) {
	c := newCluster(t, engine.Manual)
	c.create(engine.ConfigMaps, settings("red"))
	c.create(engine.Pods, watching(corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}}, "color"))
	c.advance(10 * time.Second)
	c.change(engine.ConfigMaps, settings("green"))
	c.advance(30 * time.Second)
	if got, want := c.read("p", nil), "red\nred\nred\nred\n"; got != want {
		t.Errorf("before the kubelet looks again: %q, want %q", got, want)
	}
	c.advance(60 * time.Second)
	if got, want := c.read("p", &corev1.PodLogOptions{TailLines: new(int64(1))}), "green\n"; got != want {
		t.Errorf("after it: %q, want %q", got, want)
	}

	c.do(func(ctx context.Context) error {
		return c.api.Delete(ctx, engine.Identity{}, engine.ConfigMaps, keyOf(settings("")), metav1.DeleteOptions{})
	})
	c.advance(90 * time.Second)
	if got, want := c.read("p", &corev1.PodLogOptions{TailLines: new(int64(1))}), "green\n"; got != want {
		t.Errorf("after its deletion: %q, want %q", got, want)
	}
	events := c.happened("p")
	if got, want := events[len(events)-1], `FailedMount MountVolume.SetUp failed for volume "v" : configmap "settings" not found`; got != want {
		t.Errorf("event %q, want %q", got, want)
	}
}

func TestChangedLabelsReachTheirFilesAtOnce(t *testing.T) {
	c := newCluster(t, engine.Manual)
	source := corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: []corev1.DownwardAPIVolumeFile{
		{Path: "color", FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.labels['color']"}},
	}}}
	c.create(engine.Pods, watching(source, "color"))
	c.advance(15 * time.Second)
	pod := c.api.pod(t, "p").DeepCopy()
	pod.Labels = map[string]string{"color": "green"}
	c.change(engine.Pods, pod)
	c.advance(10 * time.Second)
	if diff := cmp.Diff("red\nred\ngreen\n", c.read("p", nil)); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}
