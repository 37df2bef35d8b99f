package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// addressesOfNode is how many addresses a node has for Pods: of its 256 the network's,
// the gateway's and the broadcast's are none.
const addressesOfNode = 253

// filling is a Job of so many Pods that end at once.
func filling(name string, pods int32) *batchv1.Job {
	j := validJob()
	j.Name = name
	j.Spec.Completions, j.Spec.Parallelism = ptr.To(pods), ptr.To[int32](60)
	runs(j, "true")
	return j
}

// pooled are objects that take one of everything that a pool has: an address, a cluster
// IP, node ports, a host port, a share of a quota, a volume, and room for a resize
// that there is none of.
const pooled = `
apiVersion: v1
kind: Service
metadata: {name: at-%[1]s}
spec: {type: NodePort, ports: [{name: t, port: 80, protocol: TCP}, {name: u, port: 80, protocol: UDP}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: of-%[1]s}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: pod-%[1]s}
spec:
  containers:
  - name: c
    image: busybox:1.%[2]d
    command: [sh, -c, "hostname -i | tee -a /data/%[1]s; cat /data/%[1]s; nc -lk -p 80%[2]d -e true & sleep 100000"]
    resources: {requests: {cpu: 100m, memory: 10Mi}}
    ports: [{containerPort: 80, hostPort: 80%[2]d}]
    volumeMounts: [{name: v, mountPath: /data}]
  volumes: [{name: v, persistentVolumeClaim: {claimName: of-%[1]s}}]
`

// poolActs fill the pools of one node until they wrap, and give things back in between.
func poolActs(t *testing.T) []func(*server) {
	job := func(s *server, j *batchv1.Job) {
		if _, err := clientOf(t, s).BatchV1().Jobs(j.Namespace).Create(t.Context(), j, createOptions); err != nil {
			t.Fatal(err)
		}
		s.clock(t, "advance", "3m")
	}
	pooled := func(s *server, names ...string) {
		for _, name := range names {
			s.kubectl(t, fmt.Sprintf(pooled, name, 10+name[0]-'a'), "apply", "-f", "-")
		}
		s.clock(t, "advance", "1m")
	}
	return []func(*server){
		func(s *server) {
			s.kubectl(t, "", "create", "quota", "q", "--hard=count/jobs.batch=5,pods=200,services.nodeports=12,requests.storage=20Gi")
			pooled(s, "a", "b")
		},
		func(s *server) { job(s, filling("first", addressesOfNode-20)) },
		func(s *server) { pooled(s, "c") },
		func(s *server) { job(s, filling("second", 60)) },
		func(s *server) {
			s.kubectl(t, "", "delete", "--wait=false", "pod/pod-b", "pvc/of-b", "service/at-b", "job/first")
			s.clock(t, "advance", "2m")
			pooled(s, "d", "b")
		},
		func(s *server) { job(s, filling("third", addressesOfNode)) },
		func(s *server) {
			s.kubectl(t, `{"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "7900m"}}}]}}`,
				"patch", "pod", "pod-a", "--subresource=resize", "--patch-file=/dev/stdin")
			pooled(s, "e")
		},
		func(s *server) { job(s, filling("fourth", 30)) },
	}
}

// TestARestartChangesNoPool plays acts in which every pool wraps, once with the server
// stopped and started again after each: what was given to whom is the same.
func TestARestartChangesNoPool(t *testing.T) {
	args := []string{"--clock", "manual", "--nodes", "1"}
	whole := inActs(t, false, args, poolActs(t))
	again := inActs(t, true, args, poolActs(t))
	same(t, "event log", whole.events, again.events)
	same(t, "objects", whole.objects, again.objects)
	same(t, "Pods' logs", whole.logs, again.logs)
	if strings.Contains(whole.objects, "no IP addresses available") {
		t.Error("addresses ran out, with a few Pods alive at a time")
	}
}

// TestFinishedPodsHaveNoAddress is the case of issue 12: two nodes, 520 finished Pods,
// Ctrl-C, a start, and one more Job, in clock mode auto.
func TestFinishedPodsHaveNoAddress(t *testing.T) {
	story := func(restart bool) string {
		var end string
		inActs(t, restart, []string{"--clock", "auto"}, []func(*server){
			func(s *server) {
				if _, err := clientOf(t, s).BatchV1().Jobs("default").Create(t.Context(), filling("many", 2*addressesOfNode+14), createOptions); err != nil {
					t.Fatal(err)
				}
			},
			func(s *server) {
				client := clientOf(t, s)
				j := filling("one-more", 1)
				if _, err := client.BatchV1().Jobs(j.Namespace).Create(t.Context(), j, createOptions); err != nil {
					t.Fatal(err)
				}
				got, err := client.BatchV1().Jobs(j.Namespace).Get(t.Context(), j.Name, metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				pods, err := client.CoreV1().Pods(j.Namespace).List(t.Context(), metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + j.Name})
				if err != nil || len(pods.Items) != 1 {
					t.Fatalf("the Job's Pods: %v, %v", pods, err)
				}
				if got.Status.CompletionTime == nil || got.Status.CompletionTime.Sub(got.CreationTimestamp.Time) > time.Minute {
					t.Errorf("the Job began at %s: %+v", got.CreationTimestamp, got.Status)
				}
				end = fmt.Sprint(got.Status.CompletionTime, got.ResourceVersion, pods.Items[0].Status.PodIP, pods.Items[0].Status.Phase)
				if pods.Items[0].Status.Phase != corev1.PodSucceeded {
					t.Errorf("its Pod is %+v", pods.Items[0].Status)
				}
			},
		})
		return end
	}
	if whole, again := story(false), story(true); whole != again {
		t.Errorf("after a restart: %s, without one: %s", again, whole)
	}
}
