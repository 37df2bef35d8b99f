package lifecycle

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "default", Name: name}
}

func ref(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }

func TestEnvironment(t *testing.T) {
	c := newCluster(t, engine.Auto)
	c.create(engine.ConfigMaps, &corev1.ConfigMap{ObjectMeta: meta("cm"), Data: map[string]string{"K": "v", "A": "1"}})
	c.create(engine.Secrets, &corev1.Secret{ObjectMeta: meta("s"), Data: map[string][]byte{"P": []byte("w")}})
	c.create(engine.Services, &corev1.Service{ObjectMeta: meta("web-app"), Spec: corev1.ServiceSpec{
		ClusterIP: "10.96.1.2", Ports: []corev1.ServicePort{{Port: 80, Protocol: corev1.ProtocolTCP}},
	}})
	c.create(engine.Pods, newPod("p", runs("env "), func(p *corev1.Pod) {
		container := &p.Spec.Containers[0]
		container.Args = []string{"echo $(K1) $(NONE) $$(K1)"}
		container.Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1500m")}
		container.EnvFrom = []corev1.EnvFromSource{{Prefix: "X_", ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: ref("cm")}}}
		container.Env = []corev1.EnvVar{
			{Name: "K1", Value: "one"},
			{Name: "K2", Value: "$(K1) and $(X_K) at $(WEB_APP_SERVICE_HOST)"},
			{Name: "CM", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: ref("cm"), Key: "K"}}},
			{Name: "S", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: ref("s"), Key: "P"}}},
			{Name: "IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "status.podIP"}}},
			{Name: "ME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.name"}}},
			{Name: "CPU", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.cpu"}}},
		}
	}))
	want := `X_A=1
X_K=v
K1=one
K2=one and v at 10.96.1.2
CM=v
S=w
IP=10.244.1.2
ME=p
CPU=2
WEB_APP_PORT=tcp://10.96.1.2:80
WEB_APP_PORT_80_TCP=tcp://10.96.1.2:80
WEB_APP_PORT_80_TCP_ADDR=10.96.1.2
WEB_APP_PORT_80_TCP_PORT=80
WEB_APP_PORT_80_TCP_PROTO=tcp
WEB_APP_SERVICE_HOST=10.96.1.2
WEB_APP_SERVICE_PORT=80
one $(NONE) $(K1)
`
	if diff := cmp.Diff(want, c.read("p", nil)); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestMissingObjects(t *testing.T) {
	secret := &corev1.Secret{ObjectMeta: meta("db"), Data: map[string][]byte{"password": []byte("x")}}
	keyRef := func(key string) option {
		return func(p *corev1.Pod) {
			p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "P", ValueFrom: &corev1.EnvVarSource{
				SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: ref("db"), Key: key}}}}
		}
	}
	for name, tc := range map[string]struct {
		pod            *corev1.Pod
		reason, events string
		message        string
	}{
		"a Secret of the environment": {
			pod:    newPod("p", runs("env P="), keyRef("password")),
			reason: "CreateContainerConfigError", message: `secret "db" not found`,
			events: `Failed Error: secret "db" not found`,
		},
		"a Secret volume": {
			pod: newPod("p", runs("cat /s/password"), func(p *corev1.Pod) {
				p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "db"}}}}
				p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "v", MountPath: "/s"}}
			}),
			reason: "ContainerCreating",
			events: `FailedMount MountVolume.SetUp failed for volume "v" : secret "db" not found`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, engine.Auto)
			c.create(engine.Pods, tc.pod)
			waiting := c.api.pod(t, "p").Status.ContainerStatuses[0].State.Waiting
			if diff := cmp.Diff(&corev1.ContainerStateWaiting{Reason: tc.reason, Message: tc.message}, waiting); diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
			if got := strings.Join(c.happened("p"), "\n"); !strings.HasSuffix(got, tc.events) {
				t.Errorf("events:\n%s\nwant at the end: %s", got, tc.events)
			}
			wantErr := `error: container "c" in pod "p" is waiting to start: ` + tc.reason
			if got := c.read("p", nil); got != wantErr {
				t.Errorf("log: %s, want %s", got, wantErr)
			}
			c.create(engine.Secrets, secret)
			if got := c.api.pod(t, "p").Status.Phase; got != corev1.PodSucceeded {
				t.Errorf("with the Secret the Pod is %s", got)
			}
			if got := c.read("p", nil); got != "P=x\n" && got != "x\n" {
				t.Errorf("log: %s", got)
			}
		})
	}
	t.Run("a missing key", func(t *testing.T) {
		c := newCluster(t, engine.Auto)
		c.create(engine.Secrets, secret)
		c.create(engine.Pods, newPod("p", keyRef("user")))
		want := "couldn't find key user in Secret default/db"
		if got := c.api.pod(t, "p").Status.ContainerStatuses[0].State.Waiting; got == nil || got.Message != want {
			t.Errorf("state %v, want %s", got, want)
		}
	})
}

func TestVolumes(t *testing.T) {
	c := newCluster(t, engine.Auto)
	mode, seconds := int32(0o400), int64(3600)
	c.create(engine.ConfigMaps, &corev1.ConfigMap{ObjectMeta: meta("kube-root-ca.crt"), Data: map[string]string{"ca.crt": "CA"}})
	c.create(engine.ConfigMaps, &corev1.ConfigMap{ObjectMeta: meta("cm"), Data: map[string]string{"a": "A", "b": "B"}})
	c.create(engine.Pods, newPod("p", withVolume("scratch"), func(p *corev1.Pod) {
		p.Labels = map[string]string{"app": "x"}
		p.Spec.ServiceAccountName = "robot"
		create := corev1.HostPathDirectoryOrCreate
		p.Spec.Volumes = append(p.Spec.Volumes,
			corev1.Volume{Name: "cm", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: ref("cm"), Items: []corev1.KeyToPath{{Key: "a", Path: "dir/a.txt", Mode: &mode}}}}},
			corev1.Volume{Name: "host", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/tmp/x", Type: &create}}},
			corev1.Volume{Name: "sa", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
				{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: &seconds}},
				{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: ref("kube-root-ca.crt")}},
				{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{
					{Path: "labels", FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.labels"}}}}},
			}}}},
		)
		p.Spec.InitContainers = []corev1.Container{{
			Name: "init", Image: "busybox:1.36",
			Command:      []string{"write /scratch/greeting hello", "write /host/file kept"},
			VolumeMounts: []corev1.VolumeMount{{Name: "scratch", MountPath: "/scratch"}, {Name: "host", MountPath: "/host"}},
		}}
		p.Spec.Containers[0].VolumeMounts = append(p.Spec.Containers[0].VolumeMounts,
			corev1.VolumeMount{Name: "cm", MountPath: "/cm"},
			corev1.VolumeMount{Name: "cm", MountPath: "/one/b", SubPath: "dir/a.txt"},
			corev1.VolumeMount{Name: "sa", MountPath: "/sa"},
		)
		p.Spec.Containers[0].Command = []string{
			"cat /scratch/greeting", "cat /cm/dir/a.txt", "cat /one/b", "cat /sa/token", "cat /sa/ca.crt", "cat /sa/labels", "cat /cm/b",
			"write /cm/x y", "cat /etc/hosts", "cat /etc/resolv.conf",
		}
	}))
	want := `hello
A
A
token of robot
CA
app="x"
cat: /cm/b: No such file or directory
Read-only file system
# Kubernetes-managed hosts file.
127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
fe00::0	ip6-localnet
fe00::0	ip6-mcastprefix
fe00::1	ip6-allnodes
fe00::2	ip6-allrouters
10.244.1.2	p

search default.svc.cluster.local svc.cluster.local cluster.local
nameserver 10.96.0.10
options ndots:5

`
	if diff := cmp.Diff(want, c.read("p", nil)); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	story := []string{
		"Pending",
		"Pending init:PodInitializing c:PodInitializing",
		"Pending init:Completed=0 c:PodInitializing",
		"Succeeded init:Completed=0 c:Completed=0",
	}
	if diff := cmp.Diff(story, c.story("p")); diff != "" {
		t.Errorf("story (-want +got):\n%s", diff)
	}
	c.create(engine.Pods, newPod("q", runs("cat /host/file", "cat /scratch/greeting"), withVolume("scratch"), func(p *corev1.Pod) {
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "host", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/tmp/x"}}})
		p.Spec.Containers[0].VolumeMounts = append(p.Spec.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "host", MountPath: "/host"})
	}))
	if diff := cmp.Diff("kept\ncat: /scratch/greeting: No such file or directory\n", c.read("q", nil)); diff != "" {
		t.Errorf("another Pod's log (-want +got):\n%s", diff)
	}
}
