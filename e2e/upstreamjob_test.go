package e2e

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	upstreamjob "k8s.io/kubernetes/pkg/controller/job"
	upstreamttl "k8s.io/kubernetes/pkg/controller/ttlafterfinished"
	"k8s.io/utils/ptr"

	"github.com/kubesim-dev/kubesim/cmd/kubesim/app"
	"github.com/kubesim-dev/kubesim/controllers/engine"
)

var (
	upstreamJobs = flag.Int("upstream.jobs", 160, "how many random Jobs to run under upstream's controllers too")
	upstreamSeed = flag.Int64("upstream.seed", 1, "decides which")
)

// TestJobsEndAsUnderUpstreamsControllers runs random Jobs twice: with our Job
// and TTL controllers in clock mode auto, and, in a cluster that lacks those two,
// with upstream's own in this process. What becomes of each Job and its Pods is
// the same.
//
// Upstream's read the wall clock, so that cluster runs in real time, with
// shorter waits. A Job is made so that its end does not depend on which of two
// Pods is faster; the test waits for upstream's cluster to come to ours.
func TestJobsEndAsUnderUpstreamsControllers(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it runs in real time")
	}
	random := rand.New(rand.NewSource(*upstreamSeed))
	var stories []story
	for i := range *upstreamJobs {
		stories = append(stories, randomStory(random, i))
	}
	ours := kubernetes.NewForConfigOrDie(startTwin(t, app.Options{Mode: engine.Auto, Controllers: []string{"*"}, Nodes: 2}))
	theirs := kubernetes.NewForConfigOrDie(startTwin(t, app.Options{
		Mode: engine.Realtime, Controllers: []string{"*", "-job", "-ttl-after-finished"}, Nodes: 2,
	}))
	runUpstream(t, theirs)
	for _, w := range stories {
		create(t, ours, w)
		create(t, theirs, w)
	}
	want := fates(t, ours)
	await(t, theirs, want)
	for _, w := range stories {
		edit(t, ours, w)
		edit(t, theirs, w)
	}
	await(t, theirs, fates(t, ours))
}

func startTwin(t *testing.T, o app.Options) *rest.Config {
	t.Helper()
	o.Ephemeral, o.DataDir, o.Listen, o.Speed, o.Seed = true, t.TempDir(), "127.0.0.1:0", 1, 1
	o.Authorization, o.CheckTrusted = "AlwaysAllow", true
	cluster, err := app.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	if err := cluster.AwaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", cluster.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	return config
}

// runUpstream runs upstream's controllers until the test ends. Their waits are a
// tenth of what they are.
func runUpstream(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	for _, wait := range []*time.Duration{&upstreamjob.SyncJobBatchPeriod, &upstreamjob.DefaultJobPodFailureBackOff, &upstreamjob.MaxJobPodFailureBackOff} {
		was := *wait
		*wait /= 10
		t.Cleanup(func() { *wait = was })
	}
	ctx, cancel := context.WithCancel(t.Context())
	factory := informers.NewSharedInformerFactory(client, 0)
	jobs, err := upstreamjob.NewController(ctx, client, factory.Core().V1().Pods(), factory.Batch().V1().Jobs(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ttl := upstreamttl.New(ctx, factory.Batch().V1().Jobs(), client)
	factory.Start(ctx.Done())
	done := make(chan struct{}, 2)
	go func() { jobs.Run(ctx, 5); done <- struct{}{} }()
	go func() { ttl.Run(ctx, 1); done <- struct{}{} }()
	t.Cleanup(func() {
		cancel()
		<-done
		<-done
		factory.Shutdown()
	})
}

// story is a Job and what a user does to it once it has come to rest: a merge
// patch, "delete" or "delete pods".
type story struct {
	job   *batchv1.Job
	patch string
}

func create(t *testing.T, client kubernetes.Interface, w story) {
	t.Helper()
	if _, err := client.BatchV1().Jobs("default").Create(t.Context(), w.job, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func edit(t *testing.T, client kubernetes.Interface, w story) {
	t.Helper()
	jobs := client.BatchV1().Jobs("default")
	switch w.patch {
	case "":
	case "delete":
		if err := jobs.Delete(t.Context(), w.job.Name, metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationBackground)}); err != nil {
			t.Fatal(err)
		}
	case "delete pods":
		ofJob := metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + w.job.Name}
		if err := client.CoreV1().Pods("default").DeleteCollection(t.Context(), metav1.DeleteOptions{}, ofJob); err != nil {
			t.Fatal(err)
		}
	default:
		_, err := jobs.Patch(t.Context(), w.job.Name, types.MergePatchType, []byte(w.patch), metav1.PatchOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
	}
}

// randomStory makes up a Job of one of the kinds below. Its Pods that are not
// to end sleep for ever.
func randomStory(r *rand.Rand, i int) story {
	n := int32(1 + r.Intn(4))
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("job-%d", i)}}
	w := story{job: job}
	s := &job.Spec
	s.Completions, s.Parallelism = &n, ptr.To(n)
	container := corev1.Container{Name: "c", Image: "busybox"}
	s.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
	s.Template.Spec.TerminationGracePeriodSeconds = ptr.To(int64(1))
	if r.Intn(2) == 0 {
		s.PodReplacementPolicy = ptr.To(batchv1.Failed)
	}
	indexed := func() { s.CompletionMode = ptr.To(batchv1.IndexedCompletion) }
	script := func(format string, args ...any) {
		container.Command = []string{"sh", "-c", fmt.Sprintf(format, args...)}
	}
	last := n - 1
	kinds := []func(){
		func() { // completes
			s.Parallelism = ptr.To(1 + r.Int31n(5))
			script("exit 0")
			if r.Intn(2) == 0 {
				indexed()
			}
			if r.Intn(2) == 0 {
				s.TTLSecondsAfterFinished = ptr.To(int32(0))
			}
			w.patch = `{"spec":{"ttlSecondsAfterFinished":0}}`
		},
		func() { // a work queue
			s.Completions = nil
			script("exit 0")
		},
		func() { // backoffLimit
			s.Parallelism, s.BackoffLimit = ptr.To(int32(1)), ptr.To(r.Int31n(3))
			script("exit 3")
		},
		func() { // backoffLimitPerIndex
			indexed()
			s.BackoffLimitPerIndex = ptr.To(r.Int31n(2))
			script("exit $((JOB_COMPLETION_INDEX %% 2))")
		},
		func() { // maxFailedIndexes: all but the last index fail
			indexed()
			if n == 1 {
				n, last = 2, 1
				s.Completions, s.Parallelism = ptr.To(n), ptr.To(n)
			}
			s.BackoffLimitPerIndex, s.MaxFailedIndexes = ptr.To(r.Int31n(2)), ptr.To(last-1)
			script("[ $JOB_COMPLETION_INDEX = %d ] && sleep infinity; exit 1", last)
		},
		func() { // FailJob, FailIndex
			indexed()
			s.BackoffLimitPerIndex = ptr.To(int32(1))
			action := []batchv1.PodFailurePolicyAction{"FailJob", "FailIndex", "Count"}[r.Intn(3)]
			s.PodReplacementPolicy = nil
			s.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
				Action: action, OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: "In", Values: []int32{42}},
			}}}
			script("[ $JOB_COMPLETION_INDEX = %d ] && exit 42; sleep infinity", last)
		},
		func() { // successPolicy
			indexed()
			s.SuccessPolicy = &batchv1.SuccessPolicy{Rules: []batchv1.SuccessPolicyRule{{SucceededIndexes: ptr.To(fmt.Sprint(last))}}}
			script("[ $JOB_COMPLETION_INDEX = %d ] && exit 0; sleep infinity", last)
		},
		func() { // activeDeadlineSeconds
			s.ActiveDeadlineSeconds = ptr.To(int64(4))
			script("sleep infinity")
		},
		func() { // restarts in place
			s.Template.Spec.RestartPolicy, s.BackoffLimit = corev1.RestartPolicyOnFailure, ptr.To(r.Int31n(2))
			s.Completions, s.Parallelism = ptr.To(int32(1)), ptr.To(int32(1))
			script("exit 1")
		},
		func() { // suspended, then resumed
			s.Suspend = ptr.To(true)
			script("exit 0")
			w.patch = `{"spec":{"suspend":false}}`
		},
		func() { // suspended while it runs
			script("sleep infinity")
			w.patch = `{"spec":{"suspend":true}}`
		},
		func() { // elastic
			indexed()
			script("[ $JOB_COMPLETION_INDEX = 0 ] && exit 0; sleep infinity")
			if n == 1 {
				return // it is complete
			}
			to := r.Intn(6)
			w.patch = fmt.Sprintf(`{"spec":{"completions":%d,"parallelism":%d}}`, to, to)
		},
		func() { // fewer Pods, or a deadline, while it runs
			script("sleep infinity")
			w.patch = []string{`{"spec":{"parallelism":0}}`, `{"spec":{"activeDeadlineSeconds":1}}`}[r.Intn(2)]
		},
		func() { // deleted while it runs
			script("sleep infinity")
			w.patch = "delete"
		},
		func() { // its Pods are deleted while they run
			script("sleep infinity")
			w.patch = "delete pods"
		},
		func() { // another controller's
			s.ManagedBy = ptr.To("example.com/other")
			script("exit 0")
		},
	}
	kinds[i%len(kinds)]()
	s.Template.Spec.Containers = []corev1.Container{container}
	return w
}

// fates says of each Job, by name, what has become of it and of its Pods.
func fates(t *testing.T, client kubernetes.Interface) map[string]string {
	t.Helper()
	jobs, err := client.BatchV1().Jobs("default").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pods, err := client.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	events, err := client.CoreV1().Events("default").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for i := range jobs.Items {
		out[jobs.Items[i].Name] = fate(&jobs.Items[i])
	}
	lines := map[string][]string{}
	for i := range pods.Items {
		p := &pods.Items[i]
		job := p.Labels[batchv1.JobNameLabel]
		lines[job] = append(lines[job], "Pod "+podFate(p))
	}
	for i := range events.Items {
		e := &events.Items[i]
		if e.InvolvedObject.Kind == "Job" && e.Source.Component == "job-controller" {
			line := "Event " + e.Type + " " + e.Reason
			if !slices.Contains(lines[e.InvolvedObject.Name], line) {
				lines[e.InvolvedObject.Name] = append(lines[e.InvolvedObject.Name], line)
			}
		}
	}
	for job, all := range lines {
		slices.Sort(all)
		out[job] += "\n" + strings.Join(all, "\n")
	}
	return out
}

// podSuffix is what the API adds to a generateName.
var podSuffix = regexp.MustCompile(`(default/job-[0-9-]+)-[a-z0-9]{5}\b`)

func fate(j *batchv1.Job) string {
	s := &j.Status
	u := ptr.Deref(s.UncountedTerminatedPods, batchv1.UncountedTerminatedPods{})
	text := fmt.Sprintf("started %t ended %t active %d ready %d terminating %d succeeded %d failed %d uncounted %d indexes %q failed %q finalizers %q",
		s.StartTime != nil, s.CompletionTime != nil, s.Active, ptr.Deref(s.Ready, -1), ptr.Deref(s.Terminating, -1), s.Succeeded, s.Failed,
		len(u.Succeeded)+len(u.Failed), s.CompletedIndexes, ptr.Deref(s.FailedIndexes, "none"), j.Finalizers)
	for _, c := range s.Conditions {
		text += fmt.Sprintf("\n%s=%s %s: %s", c.Type, c.Status, c.Reason, podSuffix.ReplaceAllString(c.Message, "$1"))
	}
	return text
}

func podFate(p *corev1.Pod) string {
	text := fmt.Sprintf("%s%s %s %v", p.GenerateName, p.Spec.Hostname, p.Status.Phase, p.Finalizers)
	for _, key := range slices.Sorted(maps.Keys(p.Annotations)) {
		text += " " + key + "=" + p.Annotations[key]
	}
	for _, c := range p.Status.ContainerStatuses {
		if c.State.Terminated != nil {
			text += fmt.Sprintf(" exit %d", c.State.Terminated.ExitCode)
		}
	}
	return text
}

// await waits for a cluster to come to what is wanted.
func await(t *testing.T, client kubernetes.Interface, want map[string]string) {
	t.Helper()
	var diff string
	for deadline := time.Now().Add(untilMax); time.Now().Before(deadline); time.Sleep(untilInterval) {
		if diff = cmp.Diff(fates(t, client), want); diff == "" {
			return
		}
	}
	t.Fatalf("seed %d, after %v (-upstream +ours):\n%s", *upstreamSeed, untilMax, diff)
}
