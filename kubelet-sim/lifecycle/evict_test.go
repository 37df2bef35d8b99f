package lifecycle

import (
	"testing"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
	"github.com/kubesim-dev/kubesim/kubelet-sim/volume"
)

// withEmptyDir is a Pod with one volume, and the file system of its container, which has it
// at /v.
func withEmptyDir(t *testing.T, source *corev1.EmptyDirVolumeSource, start time.Time) (*podRun, *vfs.FS) {
	pod := &corev1.Pod{Spec: corev1.PodSpec{Volumes: []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{EmptyDir: source}}}}}
	run := &podRun{State: podstate.State{StartTime: start}, pod: pod, node: &nodeState{}, account: stats.NewBudget(hostDefault).Open()}
	if err := run.makeVolumes(volume.NewStorage(nil, nil, stats.Part{}), start); err != nil {
		t.Fatal(err)
	}
	root := vfs.New("overlay", start)
	c := &corev1.Container{VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: "/v"}}}
	if err := run.volumes.Mount(root, c, nil, start); err != nil {
		t.Fatal(err)
	}
	return run, root
}

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
			run, root := withEmptyDir(t, &tc.source, start)
			if err := root.WriteFile("/v/f", make([]byte, tc.bytes), 0o644, start); err != nil {
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
	run, root := withEmptyDir(t, &source, start)
	if err := root.WriteFile("/v/f", make([]byte, 2000), 0o644, start); err != nil {
		t.Fatal(err)
	}
	if !run.measureVolumes(start) {
		t.Error("nothing is due although a volume holds too much")
	}
	if err := root.Remove("/v/f", vfs.User{Now: start}); err != nil {
		t.Fatal(err)
	}
	if !run.measureVolumes(start.Add(time.Second)) || !run.MeasureVolumesAt.IsZero() {
		t.Errorf("still due at %v", run.MeasureVolumesAt)
	}
	if run.measureVolumes(start.Add(time.Minute)); run.Evicted != "" {
		t.Errorf("evicted for %q", run.Evicted)
	}
}
