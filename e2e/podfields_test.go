package e2e

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
)

// mutableField is a field of a Pod that can be changed after the Pod was made.
type mutableField struct {
	// pod is what the Pod has beside a container that runs.
	pod func(*corev1.Pod)
	// before and patch are merged into the Pod, one after the other.
	before, patch string
	subresource   string
	// shows is what must become of the patch: a JSONPath of the Pod and its value.
	shows, want string
}

// mutableFields are all that upstream's ValidatePodUpdate and its kin let pass, one entry at
// least for each. terminationGracePeriodSeconds is not among them: it may be set to 1 where
// it is negative, which no Pod's is since the API takes a negative one for 1.
func mutableFields() map[string]mutableField {
	withVolume := func(p *corev1.Pod) {
		p.Labels, p.Annotations = map[string]string{"color": "red"}, map[string]string{"color": "red"}
		p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{
			Items: []corev1.DownwardAPIVolumeFile{
				{Path: "labels", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels['color']"}},
				{Path: "annotations", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.annotations['color']"}},
			},
		}}}}
		c := &p.Spec.Containers[0]
		c.VolumeMounts = []corev1.VolumeMount{{Name: "v", MountPath: "/v"}}
		c.Command = []string{"sh", "-c", "until grep -q blue /v/labels /v/annotations; do sleep 1; done; cp /dev/null /dev/termination-log; echo blue > /dev/termination-log"}
		p.Spec.RestartPolicy = corev1.RestartPolicyNever
	}
	sidecar := func(p *corev1.Pod) {
		p.Spec.InitContainers = []corev1.Container{{Name: "s", Image: "busybox", Command: []string{"sleep", "1d"}, RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)}}
	}
	gated := func(p *corev1.Pod) { p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "example.com/wait"}} }
	const restarts, node = "{.status.containerStatuses[0].restartCount}", "{.spec.nodeName}"
	return map[string]mutableField{
		"spec.containers[*].image": {
			patch: `{"spec":{"containers":[{"name":"c","image":"busybox:1.36"}]}}`, shows: restarts, want: "1"},
		"spec.initContainers[*].image": {pod: sidecar,
			patch: `{"spec":{"initContainers":[{"name":"s","image":"busybox:1.36"}]}}`, shows: "{.status.initContainerStatuses[0].restartCount}", want: "1"},
		"spec.activeDeadlineSeconds": {
			patch: `{"spec":{"activeDeadlineSeconds":30}}`, shows: "{.status.reason}", want: "DeadlineExceeded"},
		"spec.activeDeadlineSeconds lowered": {pod: func(p *corev1.Pod) { p.Spec.ActiveDeadlineSeconds = ptr.To[int64](10_000) },
			patch: `{"spec":{"activeDeadlineSeconds":30}}`, shows: "{.status.reason}", want: "DeadlineExceeded"},
		"spec.tolerations": {pod: func(p *corev1.Pod) {
			p.Spec.NodeName, p.Spec.NodeSelector = "", map[string]string{"kubernetes.io/hostname": "node-2"}
		},
			patch: `{"spec":{"tolerations":[{"key":"mine","operator":"Exists"}]}}`, shows: node, want: "node-2"},
		"spec.schedulingGates": {pod: gated,
			patch: `{"spec":{"schedulingGates":[{"$patch":"delete","name":"example.com/wait"}]}}`, shows: "{.status.phase}", want: "Running"},
		"spec.nodeSelector of a gated Pod": {pod: gated,
			before: `{"spec":{"nodeSelector":{"kubernetes.io/hostname":"node-3"}}}`,
			patch:  `{"spec":{"schedulingGates":[{"$patch":"delete","name":"example.com/wait"}]}}`, shows: node, want: "node-3"},
		"spec.affinity of a gated Pod": {pod: gated,
			before: `{"spec":{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"kubernetes.io/hostname","operator":"In","values":["node-3"]}]}]}}}}}`,
			patch:  `{"spec":{"schedulingGates":[{"$patch":"delete","name":"example.com/wait"}]}}`, shows: node, want: "node-3"},
		"spec.containers[*].resources": {subresource: "resize", pod: func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{"cpu": resource.MustParse("100m")}
		},
			patch: `{"spec":{"containers":[{"name":"c","resources":{"requests":{"cpu":"300m"}}}]}}`, shows: "{.status.containerStatuses[0].allocatedResources.cpu}", want: "300m"},
		"spec.ephemeralContainers": {subresource: "ephemeralcontainers",
			patch: `{"spec":{"ephemeralContainers":[{"name":"e","image":"busybox","command":["sh","-c","exit 3"]}]}}`,
			shows: "{.status.ephemeralContainerStatuses[0].state.terminated.exitCode}", want: "3"},
		"metadata.labels": {pod: withVolume,
			patch: `{"metadata":{"labels":{"color":"blue"}}}`, shows: "{.status.containerStatuses[0].state.terminated.message}", want: "blue\n"},
		"metadata.annotations": {pod: withVolume,
			patch: `{"metadata":{"annotations":{"color":"blue"}}}`, shows: "{.status.containerStatuses[0].state.terminated.message}", want: "blue\n"},
		"metadata.finalizers": {
			patch: `{"metadata":{"finalizers":["example.com/keep"]}}`, shows: "{.metadata.finalizers[0]} {.status.phase}", want: "example.com/keep Running"},
	}
}

// TestMutableFieldsOfPodsHaveTheirEffect changes each field of a Pod that can be changed.
// What can be changed is upstream's to say: the answer to a change of another field lists
// it, and each must be in the table.
func TestMutableFieldsOfPodsHaveTheirEffect(t *testing.T) {
	s := newServer(t, "--ephemeral", "--clock", "manual", "--seed", "1", "--nodes", "3")
	client := clientOf(t, s)
	s.kubectl(t, "", "taint", "node", "node-2", "mine=true:NoSchedule")
	fields := mutableFields()
	pods := map[string]string{}
	for field, m := range fields {
		pods[field] = fmt.Sprintf("pod-%d", len(pods))
		create(t, client, pods[field], m.pod)
	}
	s.clock(t, "advance", "20s")
	for field, m := range fields {
		if m.before != "" {
			patchPod(t, client, pods[field], m.before, "")
		}
	}
	s.clock(t, "advance", "5s")
	for field, m := range fields {
		patchPod(t, client, pods[field], m.patch, m.subresource)
	}
	s.clock(t, "advance", "3m") // files of volumes take a minute or so
	for field, m := range fields {
		t.Run(field, func(t *testing.T) {
			if got := s.output(t, "kubectl", "get", "pod", pods[field], "-o", "jsonpath="+m.shows); got != m.want {
				t.Errorf("%s is %q, want %q", m.shows, got, m.want)
			}
		})
	}
	_, err := client.CoreV1().Pods("default").Patch(t.Context(), "pod-0", types.StrategicMergePatchType, []byte(`{"spec":{"hostname":"other"}}`), metav1.PatchOptions{})
	if err == nil {
		t.Fatal("a change of spec.hostname was not refused")
	}
	_, list, _ := strings.Cut(strings.SplitN(err.Error(), "\n", 2)[0], "may not change fields other than ")
	for _, item := range strings.Split(list, ",") {
		field := strings.Split(item, "`")[1]
		if _, ok := fields[field]; !ok && field != "spec.terminationGracePeriodSeconds" {
			t.Errorf("%s can be changed, and is not in the table", field)
		}
	}
}

// create makes a Pod with one container that runs, and what more wants.
func create(t *testing.T, client kubernetes.Interface, name string, more func(*corev1.Pod)) {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: ptr.To[int64](1),
			Containers:                    []corev1.Container{{Name: "c", Image: "busybox", Command: []string{"sleep", "1d"}}},
		},
	}
	if more != nil {
		more(pod)
	}
	if _, err := client.CoreV1().Pods("default").Create(t.Context(), pod, createOptions); err != nil {
		t.Fatal(err)
	}
}

func patchPod(t *testing.T, client kubernetes.Interface, name, patch, subresource string) {
	t.Helper()
	var under []string
	if subresource != "" {
		under = append(under, subresource)
	}
	if _, err := client.CoreV1().Pods("default").Patch(t.Context(), name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "e2e"}, under...); err != nil {
		t.Fatalf("%s: %v", patch, err)
	}
}
