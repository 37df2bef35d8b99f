package static

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubelettypes "k8s.io/kubernetes/pkg/kubelet/types"
)

var noon = time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)

func TestMirrorPods(t *testing.T) {
	static := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web-node-1", UID: "abc"}}
	mirror := func(hash string, deleted bool) *corev1.Pod {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{kubelettypes.ConfigMirrorAnnotationKey: hash}}}
		if deleted {
			pod.DeletionTimestamp = &metav1.Time{Time: noon}
		}
		return pod
	}
	tests := map[string]struct {
		static, have *corev1.Pod
		want         mirrorStep
	}{
		"nothing where there should be nothing stays":        {nil, nil, mirrorKeep},
		"a new manifest gets a mirror Pod":                   {static, nil, mirrorCreate},
		"a mirror Pod of the manifest stays":                 {static, mirror("abc", false), mirrorKeep},
		"one that is being deleted is made again":            {static, mirror("abc", true), mirrorAgain},
		"one of another manifest ends first":                 {static, mirror("def", false), mirrorRetire},
		"one without a manifest ends":                        {nil, mirror("abc", false), mirrorRetire},
		"one without a manifest ends although it is deleted": {nil, mirror("abc", true), mirrorRetire},
		"a Pod of somebody else is in the way":               {static, &corev1.Pod{}, mirrorCreate},
		"a Pod of somebody else is left alone":               {nil, &corev1.Pod{}, mirrorKeep},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := decideMirror(tt.static, tt.have); got != tt.want {
				t.Errorf("decideMirror: got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestStaticPodsOfManifests(t *testing.T) {
	const web = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: c, image: nginx}]}\n"
	tests := map[string]struct {
		manifest string
		want     string // its name, or part of the error
	}{
		"YAML":                    {web, "web-node-1"},
		"a name of its own":       {strings.Replace(web, "web", "web.x", 1), "web.x-node-1"},
		"nothing":                 {"", "'Kind' is missing"},
		"no YAML":                 {"a: b: c", "yaml:"},
		"not a Pod":               {"{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"c\"}}", "invalid pod: it is a *core.ConfigMap"},
		"no name":                 {strings.Replace(web, "name: web", "", 1), "name is needed for the pod"},
		"a Pod that is not valid": {strings.Replace(web, "nginx", `""`, 1), "spec.containers[0].image: Required value"},
		"a reference to the API":  {strings.Replace(web, "spec: {", "spec: {serviceAccountName: default, ", 1), "static pods may not reference serviceaccounts"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			pod, err := staticPod("/etc/kubernetes/manifests/f.yaml", []byte(tt.manifest), "node-1")
			if err != nil {
				if !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("staticPod: %v, want %q", err, tt.want)
				}
				return
			}
			if pod.Name != tt.want {
				t.Errorf("name: got %q, want %q", pod.Name, tt.want)
			}
			if pod.Namespace != "default" || pod.Spec.NodeName != "node-1" || string(pod.UID) != pod.Annotations[kubelettypes.ConfigHashAnnotationKey] {
				t.Errorf("it is not what the kubelet makes of it: %+v", pod.ObjectMeta)
			}
		})
	}
}

func TestManifestsAreToldApart(t *testing.T) {
	hash := func(file, manifest, node string) string {
		pod, err := staticPod(file, []byte(manifest), node)
		if err != nil {
			t.Fatal(err)
		}
		return string(pod.UID)
	}
	const web = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: c, image: nginx}]}\n"
	first := hash("/a", web, "node-1")
	if hash("/a", web+" # a comment", "node-1") != first {
		t.Error("a comment makes another Pod")
	}
	for name, other := range map[string]string{
		"another file": hash("/b", web, "node-1"),
		"another node": hash("/a", web, "node-2"),
		"another spec": hash("/a", strings.Replace(web, "nginx", "httpd", 1), "node-1"),
	} {
		if other == first {
			t.Errorf("%s: the same hash", name)
		}
	}
}
