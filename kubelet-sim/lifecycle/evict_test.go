package lifecycle

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

func TestMeasureVolumes(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		source  corev1.EmptyDirVolumeSource
		bytes   int
		evicted string
	}{
		"more than the limit": {
			corev1.EmptyDirVolumeSource{SizeLimit: new(resource.MustParse("1Ki"))}, 1025,
			`Usage of EmptyDir volume "v" exceeds the limit "1Ki". `,
		},
		"less than the limit": {corev1.EmptyDirVolumeSource{SizeLimit: new(resource.MustParse("1Ki"))}, 100, ""},
		"no limit":            {corev1.EmptyDirVolumeSource{}, 1025, ""},
		"zero is no limit":    {corev1.EmptyDirVolumeSource{SizeLimit: new(resource.MustParse("0"))}, 1025, ""},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{Spec: corev1.PodSpec{Volumes: []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{EmptyDir: &tc.source}}}}}
			run := &podRun{State: podstate.State{StartTime: start}, pod: pod, volumes: map[string]*volumeFS{"v": emptyDir(pod, &tc.source, start)}}
			if err := run.volumes["v"].fs.WriteFile("/f", make([]byte, tc.bytes), 0o644, start); err != nil {
				t.Fatal(err)
			}
			run.measureVolumes(start.Add(90 * time.Second))
			if due := start.Add(2 * time.Minute); tc.evicted != "" && !run.MeasureVolumesAt.Equal(due) {
				t.Errorf("measured at %v, want %v", run.MeasureVolumesAt, due)
			}
			if run.Evicted != "" {
				t.Error("evicted before the volumes were measured")
			}
			run.measureVolumes(start.Add(2 * time.Minute))
			if run.Evicted != tc.evicted {
				t.Errorf("evicted for %q, want %q", run.Evicted, tc.evicted)
			}
		})
	}
}

func TestAVolumeThatIsEmptiedInTimeEvictsNobody(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	source := corev1.EmptyDirVolumeSource{SizeLimit: new(resource.MustParse("1Ki"))}
	pod := &corev1.Pod{Spec: corev1.PodSpec{Volumes: []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{EmptyDir: &source}}}}}
	run := &podRun{State: podstate.State{StartTime: start}, pod: pod, volumes: map[string]*volumeFS{"v": emptyDir(pod, &source, start)}}
	if err := run.volumes["v"].fs.WriteFile("/f", make([]byte, 2000), 0o644, start); err != nil {
		t.Fatal(err)
	}
	if !run.measureVolumes(start) {
		t.Error("nothing is due although a volume holds too much")
	}
	if err := run.volumes["v"].fs.Remove("/f", vfs.User{Now: start}); err != nil {
		t.Fatal(err)
	}
	if !run.measureVolumes(start.Add(time.Second)) || !run.MeasureVolumesAt.IsZero() {
		t.Errorf("still due at %v", run.MeasureVolumesAt)
	}
	if run.measureVolumes(start.Add(time.Minute)); run.Evicted != "" {
		t.Errorf("evicted for %q", run.Evicted)
	}
}
