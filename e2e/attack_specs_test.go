package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
)

// lookAround prints all that a Pod could have been given of the host.
const lookAround = "env; id; hostname; cat /etc/hosts /etc/resolv.conf /v/* /v/*/* {F} /proc/1/environ; ls -laR /v; echo pwned > /v/pwned; echo pwned > /v; wget -qO- -T 2 http://svc:{P}/ http://127.0.0.1:{P}/; true"

// hostileSpecs are parts of Pods that ask for something of the host. Each is merged
// into a Pod whose container mounts the volume v at /v, if there is one, and looks around.
func hostileSpecs() map[string]string {
	specs := map[string]string{
		"hostPath of the canary":      `{"volumes":[{"name":"v","hostPath":{"path":"{D}"}}]}`,
		"hostPath with ..":            `{"volumes":[{"name":"v","hostPath":{"path":"/tmp/../../..{D}"}}]}`,
		"hostPath of a relative path": `{"volumes":[{"name":"v","hostPath":{"path":"{UP}"}}]}`,
		"hostPath of proc":            `{"volumes":[{"name":"v","hostPath":{"path":"/proc/{PID}"}}]}`,
		"subPathExpr that leads up":   `{"volumes":[{"name":"v","emptyDir":{}}],"containers":[{"name":"c","env":[{"name":"UP","value":"../../../..{D}"}],"volumeMounts":[{"name":"v","mountPath":"/v","subPathExpr":"$(UP)"}]}]}`,
		"subPath that leads up":       `{"volumes":[{"name":"v","hostPath":{"path":"/"}}],"containers":[{"name":"c","volumeMounts":[{"name":"v","mountPath":"/v","subPath":"../..{D}"}]}]}`,
		"subPath of the canary":       `{"volumes":[{"name":"v","hostPath":{"path":"/"}}],"containers":[{"name":"c","volumeMounts":[{"name":"v","mountPath":"/v","subPath":"{UP}"}]}]}`,
		"subPath through a link": `{"volumes":[{"name":"v","emptyDir":{}}],"initContainers":[{"name":"i","image":"busybox","command":["ln","-s","{D}","/w/link"],"volumeMounts":[{"name":"v","mountPath":"/w"}]}],
			"containers":[{"name":"c","volumeMounts":[{"name":"v","mountPath":"/v","subPath":"link"}]}]}`,
		"mount over the root":          `{"volumes":[{"name":"v","hostPath":{"path":"/"}}],"containers":[{"name":"c","volumeMounts":[{"name":"v","mountPath":"/"}]}]}`,
		"mount at a path that goes up": `{"volumes":[{"name":"v","hostPath":{"path":"{D}"}}],"containers":[{"name":"c","volumeMounts":[{"name":"v","mountPath":"/v/../.."}]}]}`,
		"all namespaces of the host":   `{"hostPID":true,"hostIPC":true,"hostNetwork":true,"hostUsers":true}`,
		"privileged, unmasked proc":    `{"containers":[{"name":"c","securityContext":{"privileged":true,"procMount":"Unmasked","capabilities":{"add":["ALL"]},"seccompProfile":{"type":"Unconfined"}}}]}`,
		"a profile of the host":        `{"securityContext":{"seccompProfile":{"type":"Localhost","localhostProfile":"{UP}"},"appArmorProfile":{"type":"Localhost","localhostProfile":"{UP}"}}}`,
		"a termination log elsewhere":  `{"containers":[{"name":"c","terminationMessagePath":"{F}"}]}`,
		"a termination log further up": `{"containers":[{"name":"c","terminationMessagePath":"../../..{F}"}]}`,
		"a working directory":          `{"containers":[{"name":"c","workingDir":"{D}","command":["cat","secret"]}]}`,
		"a program of the host":        `{"containers":[{"name":"c","command":["{F}"]}]}`,
		"a program by a link":          `{"containers":[{"name":"c","command":["/proc/self/exe","kubectl","version"]}]}`,
		"variables of the server":      `{"containers":[{"name":"c","env":[{"name":"A","value":"$(KUBESIM_CANARY)"},{"name":"B","value":"${KUBESIM_CANARY}"},{"name":"C","value":"$(HOME)"}],"args":["sh","-c","echo $(KUBESIM_CANARY) $A $B $C"]}]}`,
		"a file of variables":          `{"containers":[{"name":"c","env":[{"name":"A","valueFrom":{"fileKeyRef":{"volumeName":"v","path":"{UP}","key":"x"}}}]}],"volumes":[{"name":"v","emptyDir":{}}]}`,
		"downward paths":               `{"volumes":[{"name":"v","downwardAPI":{"items":[{"path":"../../../{UP}","fieldRef":{"fieldPath":"metadata.name"}}]}}]}`,
		"a ConfigMap's paths":          `{"volumes":[{"name":"v","configMap":{"name":"config","items":[{"key":"a","path":"../../{UP}"}]}}]}`,
		"a Secret's absolute path":     `{"volumes":[{"name":"v","secret":{"secretName":"none","optional":true,"items":[{"key":"a","path":"{F}"}]}}]}`,
		"a git repository":             `{"volumes":[{"name":"v","gitRepo":{"repository":"file://{D}","directory":".."}}]}`,
		"an image volume":              `{"volumes":[{"name":"v","image":{"reference":"localhost:{P}/x:y"}}]}`,
		"NFS":                          `{"volumes":[{"name":"v","nfs":{"server":"127.0.0.1","path":"{D}"}}]}`,
		"iSCSI":                        `{"volumes":[{"name":"v","iscsi":{"targetPortal":"127.0.0.1:{P}","iqn":"iqn.2001-04.com.example:storage.disk1","lun":0}}]}`,
		"CSI":                          `{"volumes":[{"name":"v","csi":{"driver":"unix.{P}","volumeAttributes":{"path":"{F}"}}}]}`,
		"FlexVolume":                   `{"volumes":[{"name":"v","flexVolume":{"driver":"example.com/../../{UP}"}}]}`,
		"a local volume":               `{"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"local"}}]}`,
		"a claim on the canary":        `{"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"host"}}]}`,
		"DNS of the host":              `{"dnsPolicy":"None","dnsConfig":{"nameservers":["127.0.0.1","{I}"]},"containers":[{"name":"c","command":["sh","-c","nslookup canary; nslookup example.com; wget -T 2 http://example.com:{P}"]}]}`,
		"names of the host":            `{"hostAliases":[{"ip":"127.0.0.1","hostnames":["canary"]},{"ip":"{I}","hostnames":["canary2"]}],"containers":[{"name":"c","command":["sh","-c","wget -qO- -T 2 http://canary:{P}; wget -qO- -T 2 http://canary2:{P}"]}]}`,
		"a port of the host":           `{"hostNetwork":true,"containers":[{"name":"c","ports":[{"containerPort":{P},"hostPort":{P},"hostIP":"127.0.0.1"}],"command":["sh","-c","wget -qO- -T 2 http://127.0.0.1:{P}; wget -qO- -T 2 http://{I}:{P}"]}]}`,
		"a RuntimeClass":               `{"runtimeClassName":"runc"}`,
		"sysctls":                      `{"securityContext":{"sysctls":[{"name":"kernel.core_pattern","value":"|{F}"}]}}`,
	}
	for _, image := range []string{"{F}", "file://{F}", "file:///etc/passwd", "http://127.0.0.1:{P}/x", "localhost:{P}/x", "127.0.0.1:{P}/x:y", "{I}:{P}/x", "oci-archive:{F}", "docker-daemon:x:y", "../../{UP}", "busybox:{UP}", "busybox@sha256:{F}", "dir:{D}", "$(cat {F})", "`cat {F}`"} {
		specs["the image "+image] = `{"containers":[{"name":"c","image":` + quoted(image) + `}]}`
	}
	hooks := map[string]string{
		"httpGet":   `{"httpGet":{"host":"127.0.0.1","port":{P},"path":"/"}}`,
		"httpGet I": `{"httpGet":{"host":"{I}","port":{P},"path":"/","scheme":"HTTPS"}}`,
		"tcpSocket": `{"tcpSocket":{"host":"127.0.0.1","port":{P}}}`,
		"grpc":      `{"grpc":{"port":{P}}}`,
		"exec":      `{"exec":{"command":["cat","{F}"]}}`,
	}
	for name, hook := range hooks {
		probe := strings.TrimSuffix(hook, "}") + `,"periodSeconds":1,"failureThreshold":1}`
		specs["a startup probe: "+name] = `{"hostNetwork":true,"containers":[{"name":"c","startupProbe":` + probe + `}]}`
		specs["a readiness probe: "+name] = `{"hostNetwork":true,"containers":[{"name":"c","readinessProbe":` + probe + `}]}`
		specs["a liveness probe: "+name] = `{"hostNetwork":true,"containers":[{"name":"c","livenessProbe":` + probe + `}]}`
		if name != "grpc" {
			specs["postStart: "+name] = `{"containers":[{"name":"c","lifecycle":{"postStart":` + hook + `}}]}`
			specs["preStop: "+name] = `{"hostNetwork":true,"activeDeadlineSeconds":3,"containers":[{"name":"c","command":["sleep","100"],"lifecycle":{"preStop":` + hook + `}}]}`
		}
	}
	return specs
}

func quoted(s string) string {
	data, _ := json.Marshal(s) // a string can be encoded
	return string(data)
}

// attackSpecs creates Pods that ask for something of the host, and looks at all that
// the API then shows of them.
func attackSpecs(t *testing.T, a *assault) {
	c := newCanary(t, a)
	s := c.server(t, "--ephemeral", "--clock", "auto", "--seed", "1")
	client := clientOf(t, s)
	api, err := url.Parse(configOf(t, s).Host)
	if err != nil {
		t.Fatal(err)
	}
	names := c.names(s, api.Port())
	s.kubectl(t, names.Replace(hostileObjects), "create", "-f", "-")
	specs := hostileSpecs()
	for i, what := range sortedNames(specs) {
		pod := &corev1.Pod{}
		base := `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"spec-%d"},"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"busybox","imagePullPolicy":"IfNotPresent","command":["sh","-c",%s]}]}}`
		if err := json.Unmarshal(fmt.Appendf(nil, base, i, quoted(names.Replace(lookAround))), pod); err != nil {
			t.Fatal(err)
		}
		wrong := c.seen(spyOn(t.Context(), t, client, pod, names.Replace(specs[what])))
		a.judge(t, "sandbox: specs of Pods", what, wrong)
	}
	a.judge(t, "sandbox: specs of Pods", "all logs", c.seen(dumpLogs(t, client)))
	a.judge(t, "sandbox: specs of Pods", "all objects", c.seen(dumpObjects(t, s)))
	c.untouched(t, a, s)
}

func sortedNames[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

// spyOn creates a Pod with more, and returns all that there is to read of it: its log,
// itself, its Events, or why it was refused.
func spyOn(ctx context.Context, t *testing.T, client kubernetes.Interface, pod *corev1.Pod, more string) string {
	t.Helper()
	mergeInto(t, &pod.Spec, more)
	if v := pod.Spec.Volumes; len(v) > 0 && len(pod.Spec.Containers[0].VolumeMounts) == 0 {
		pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: v[0].Name, MountPath: "/v"}}
	}
	var b strings.Builder
	if _, err := client.CoreV1().Pods("default").Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		return err.Error()
	}
	log, err := client.CoreV1().Pods("default").GetLogs(pod.Name, &corev1.PodLogOptions{}).DoRaw(ctx)
	fmt.Fprintf(&b, "%s %v", log, err)
	now, err := client.CoreV1().Pods("default").Get(ctx, pod.Name, metav1.GetOptions{})
	fmt.Fprintf(&b, "%v %v", now, err)
	events, err := client.CoreV1().Events("default").List(ctx, metav1.ListOptions{})
	fmt.Fprintf(&b, "%v %v", events, err)
	return b.String()
}

// mergeInto merges JSON into a Pod's spec; parts of the container go into the one that
// is there.
func mergeInto(t *testing.T, spec *corev1.PodSpec, more string) {
	t.Helper()
	own := spec.Containers[0]
	spec.Containers = nil
	if err := json.Unmarshal([]byte(more), spec); err != nil {
		t.Fatalf("%s: %v", more, err)
	}
	if len(spec.Containers) > 0 {
		data, err := runtime.Encode(scheme.Codecs.LegacyCodec(corev1.SchemeGroupVersion), &corev1.Pod{Spec: corev1.PodSpec{Containers: spec.Containers}})
		if err != nil {
			t.Fatal(err)
		}
		var with struct {
			Spec struct{ Containers []json.RawMessage }
		}
		if err := json.Unmarshal(data, &with); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(with.Spec.Containers[0], &own); err != nil {
			t.Fatal(err)
		}
	}
	spec.Containers = []corev1.Container{own}
}

// hostileObjects are what some of the Pods need: volumes that lie on the host, a Service that
// leads to it, a node's static Pod.
const hostileObjects = `
{apiVersion: v1, kind: ConfigMap, metadata: {name: config}, data: {a: b}}
---
{apiVersion: v1, kind: PersistentVolume, metadata: {name: host}, spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], storageClassName: manual, hostPath: {path: "{D}"}}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: host}, spec: {storageClassName: manual, volumeName: host, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: local}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  storageClassName: manual
  local: {path: "{D}"}
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: Exists}]}]}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: local}, spec: {storageClassName: manual, volumeName: local, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: svc}, spec: {ports: [{port: {P}}]}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: svc, labels: {kubernetes.io/service-name: svc}}, addressType: IPv4, ports: [{port: {P}, protocol: TCP, name: ""}], endpoints: [{addresses: ["{I}"]}]}
---
{apiVersion: v1, kind: Service, metadata: {name: ext}, spec: {type: ExternalName, externalName: localhost}}
---
apiVersion: v1
kind: Pod
metadata: {name: static}
spec:
  restartPolicy: Never
  volumes: [{name: m, hostPath: {path: /etc/kubernetes/manifests, type: DirectoryOrCreate}}]
  containers:
  - name: c
    image: busybox
    volumeMounts: [{name: m, mountPath: /m}]
    command: [sh, -c, 'echo "{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {hostNetwork: true, volumes: [{name: v, hostPath: {path: {D}}}], containers: [{name: c, image: busybox, volumeMounts: [{name: v, mountPath: /v}], command: [sh, -c, \"cat /v/secret; echo x > /v/secret; wget -qO- -T 2 http://127.0.0.1:{P}/\"]}]}}" > /m/x.yaml']
`
