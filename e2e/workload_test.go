package e2e

import (
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// workloadJobs is how many Jobs the determinism and the crash test run.
const workloadJobs = 50

// workload returns a mix of Jobs: quick and slow, failing, restarting,
// parallel, indexed, limited in time, and such as end by chance.
func workload() []*batchv1.Job {
	kinds := []func(*batchv1.Job){
		quick, failing, restarting, atOnce, inRounds, late, unknownProgram, byChance, perIndex, chatty,
	}
	jobs := make([]*batchv1.Job, workloadJobs)
	for i := range jobs {
		j := validJob()
		j.Name = fmt.Sprintf("job-%02d", i)
		j.Labels = map[string]string{"workload": "mixed"}
		kinds[i%len(kinds)](j)
		jobs[i] = j
	}
	return jobs
}

// cronSchedule is that of cronJobs: so rare that their Events are not so many
// that some are dropped, because which ones is not remembered over a restart.
const cronSchedule = "*/4 * * * *"

// cronJobs returns a CronJob for each concurrency policy.
func cronJobs() []*batchv1.CronJob {
	var out []*batchv1.CronJob
	for _, policy := range []batchv1.ConcurrencyPolicy{batchv1.AllowConcurrent, batchv1.ForbidConcurrent, batchv1.ReplaceConcurrent} {
		j := validJob()
		runs(j, "sleep $((30 + RANDOM % 60)); exit $((RANDOM % 2))")
		j.Spec.BackoffLimit = ptr.To[int32](0)
		c := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Namespace: j.Namespace, Name: "cron-" + strings.ToLower(string(policy))}}
		c.Spec.Schedule, c.Spec.ConcurrencyPolicy, c.Spec.JobTemplate.Spec = cronSchedule, policy, j.Spec
		out = append(out, c)
	}
	return out
}

func runs(j *batchv1.Job, script string) {
	j.Spec.Template.Spec.Containers[0].Command = []string{"sh", "-c", script}
}

func quick(j *batchv1.Job) { runs(j, "date; hostname; echo $RANDOM") }

func failing(j *batchv1.Job) {
	runs(j, "echo start; sleep 30; exit 3")
	j.Spec.BackoffLimit = ptr.To[int32](2)
}

func restarting(j *batchv1.Job) {
	runs(j, "test -e /data/seen && exit 0; touch /data/seen; exit 1")
	s := &j.Spec.Template.Spec
	s.RestartPolicy = corev1.RestartPolicyOnFailure
	mount(s, "data")
	s.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
}

func atOnce(j *batchv1.Job) {
	runs(j, "sleep $((RANDOM % 60))")
	// More than ten Pods: their Events are combined.
	j.Spec.Completions, j.Spec.Parallelism = ptr.To[int32](14), ptr.To[int32](4)
}

func inRounds(j *batchv1.Job) {
	runs(j, "sleep 20; echo $JOB_COMPLETION_INDEX")
	j.Spec.CompletionMode = ptr.To(batchv1.IndexedCompletion)
	j.Spec.Completions, j.Spec.Parallelism = ptr.To[int32](5), ptr.To[int32](2)
}

func late(j *batchv1.Job) {
	runs(j, "trap 'exit 0' TERM; sleep 12; touch /tmp/ready; while true; do sleep 5; done")
	command := func(script string) *corev1.ExecAction {
		return &corev1.ExecAction{Command: []string{"sh", "-c", script}}
	}
	c := &j.Spec.Template.Spec.Containers[0]
	c.ReadinessProbe = &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{Exec: command("test -e /tmp/ready")},
		PeriodSeconds: 3, SuccessThreshold: 2,
	}
	// Each of these is under way at some moment at which the server is stopped.
	c.LivenessProbe = &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{Exec: command("sleep 2; test -e /tmp/begun")}, PeriodSeconds: 4, TimeoutSeconds: 3,
	}
	c.Lifecycle = &corev1.Lifecycle{
		PostStart: &corev1.LifecycleHandler{Exec: command("sleep 2; touch /tmp/begun")},
		PreStop:   &corev1.LifecycleHandler{Exec: command("sleep 6; touch /tmp/ended")},
	}
	j.Spec.ActiveDeadlineSeconds = ptr.To[int64](45)
}

func unknownProgram(j *batchv1.Job) {
	j.Spec.Template.Spec.Containers[0].Command = []string{"python", "manage.py", "migrate"}
	j.Spec.Template.Spec.Containers[0].Image = "registry.example.com/shop/app:1.4.2"
}

func byChance(j *batchv1.Job) {
	runs(j, "exit $((RANDOM % 2))")
	j.Spec.Completions, j.Spec.Parallelism = ptr.To[int32](3), ptr.To[int32](3)
}

func perIndex(j *batchv1.Job) {
	runs(j, "sleep $JOB_COMPLETION_INDEX; exit $((JOB_COMPLETION_INDEX % 2))")
	j.Spec.CompletionMode, j.Spec.BackoffLimitPerIndex = ptr.To(batchv1.IndexedCompletion), ptr.To[int32](1)
	j.Spec.Completions, j.Spec.Parallelism = ptr.To[int32](4), ptr.To[int32](4)
}

func chatty(j *batchv1.Job) {
	runs(j, "for i in $(seq 1 20); do echo line $i; sleep 0.1; done")
	j.Spec.TTLSecondsAfterFinished = ptr.To[int32](600)
}

// finished reports whether a Job has ended, well or badly.
func finished(j *batchv1.Job) bool {
	for _, c := range j.Status.Conditions {
		if (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}

var createOptions = metav1.CreateOptions{FieldManager: "e2e"}
