package job

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/controllers/workload"
)

func TestIndexesAsText(t *testing.T) {
	for name, tc := range map[string]struct {
		text        string
		completions int
		want        string
		total       int
	}{
		"nothing":                         {"", 10, "", 0},
		"single indexes and runs":         {"1,3-5,7", 10, "1,3-5,7", 5},
		"two in a row take a comma":       {"1-2", 10, "1,2", 2},
		"runs that touch are joined":      {"1,2,3,4-6", 10, "1-6", 6},
		"what is out of range is cut off": {"1,3-20,30", 5, "1,3,4", 3},
		"what is no number is skipped":    {"x,2,3-y,4", 10, "2,4", 2},
		"scaled down to nothing":          {"0-3", 0, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := parseIndexes(tc.text, tc.completions)
			if diff := cmp.Diff([]any{tc.want, tc.total}, []any{got.String(), got.total()}); diff != "" {
				t.Errorf("text and total (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIndexesMergeAndContain(t *testing.T) {
	oi := parseIndexes("2-4,8", 100).withIndexes([]int{9, 0, 5, 3, 5}).merge(parseIndexes("11,12", 100))
	if diff := cmp.Diff("0,2-5,8,9,11,12", oi.String()); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
	var has []int
	for ix := range 15 {
		if oi.has(ix) {
			has = append(has, ix)
		}
	}
	if diff := cmp.Diff([]int{0, 2, 3, 4, 5, 8, 9, 11, 12}, has); diff != "" {
		t.Errorf("has (-want +got):\n%s", diff)
	}
}

func TestPendingIndexes(t *testing.T) {
	active := []*corev1.Pod{aPod("a", at(2)), aPod("b", at(4))}
	tl := tally{Active: active, SucceededIndexes: parseIndexes("0,1", 10), FailedIndexes: parseIndexes("6", 10)}
	for name, tc := range map[string]struct {
		job   *batchv1.Job
		pods  []*corev1.Pod
		count int
		want  []int
	}{
		"none are wanted":                   {aJob(sized(10, 10), indexed), active, 0, nil},
		"the first that are free":           {aJob(sized(10, 10), indexed), active, 3, []int{3, 5, 7}},
		"no more than there are":            {aJob(sized(8, 10), indexed), active, 9, []int{3, 5, 7}},
		"not one that is still terminating": {aJob(sized(10, 10), indexed, replaceFailed), append(active, aPod("c", running, deleted, at(3))), 2, []int{5, 7}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, pendingIndexes(tc.job, tc.pods, &tl, tc.count)); diff != "" {
				t.Errorf("indexes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRepeatedIndexes(t *testing.T) {
	pods := []*corev1.Pod{aPod("a", at(0)), aPod("b", at(0), running), aPod("c"), aPod("d", at(1)), aPod("e", at(5))}
	remove, left := repeatedIndexes(aJob(sized(3, 3), indexed), pods)
	if diff := cmp.Diff([][]string{{"c", "a", "e"}, {"b", "d"}}, [][]string{names(remove), names(left)}); diff != "" {
		t.Errorf("removed and left (-want +got):\n%s", diff)
	}
}

func TestPodBackoff(t *testing.T) {
	var got []time.Duration
	for failures := range int32(9) {
		got = append(got, DefaultLimits().podBackoff(failures))
	}
	s := time.Second
	want := []time.Duration{10 * s, 10 * s, 20 * s, 40 * s, 80 * s, 160 * s, 320 * s, 600 * s, 600 * s}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
	if l := DefaultLimits(); l.podBackoff(1<<30) != l.PodBackoffMax {
		t.Error("a great number of failures does not wait PodBackoffMax")
	}
}

func TestBackoffRecord(t *testing.T) {
	old := backoffRecord{Failures: 2, LastFailure: ago(50).Time}
	for name, tc := range map[string]struct {
		succeeded, failed []*corev1.Pod
		want              backoffRecord
	}{
		"nothing new changes nothing":         {nil, nil, old},
		"failures add up":                     {nil, []*corev1.Pod{aPod("a", exited(1, 9)), aPod("b", exited(1, 20))}, backoffRecord{4, ago(9).Time}},
		"one that is counted late dates back": {nil, []*corev1.Pod{aPod("a", exited(1, 80))}, backoffRecord{3, ago(80).Time}},
		"a success starts anew":               {[]*corev1.Pod{aPod("a", exited(0, 9))}, nil, backoffRecord{}},
		"only failures after a success count": {[]*corev1.Pod{aPod("s", exited(0, 15))}, []*corev1.Pod{aPod("a", exited(1, 9)), aPod("b", exited(1, 20))}, backoffRecord{1, ago(9).Time}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, old.next(tc.succeeded, tc.failed)); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBackoffIsRebuiltAfterARestart(t *testing.T) {
	pods := []*corev1.Pod{aPod("a", exited(1, 40)), aPod("b", exited(1, 20))}
	if diff := cmp.Diff(backoffRecord{5, ago(20).Time}, rebuildBackoff(aJob(counted(0, 5)), pods)); diff != "" {
		t.Errorf("with Pods that are gone (-want +got):\n%s", diff)
	}
	pods = append(pods, aPod("c", exited(0, 30)))
	if diff := cmp.Diff(backoffRecord{1, ago(20).Time}, rebuildBackoff(aJob(counted(1, 5)), pods)); diff != "" {
		t.Errorf("with a success in between (-want +got):\n%s", diff)
	}
}

func TestFinishedAt(t *testing.T) {
	for name, tc := range map[string]struct {
		pod  *corev1.Pod
		want *metav1.Time
	}{
		"by its containers": {aPod("a", exited(1, 9)), ago(9)},
		"by its condition Ready": {aPod("a", func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: *ago(8)}}
		}), ago(8)},
		"by its deletion, less the grace period": {aPod("a", deleted, func(p *corev1.Pod) { p.DeletionGracePeriodSeconds = ref(int64(30)) }), ago(35)},
		"by its creation":                        {aPod("a"), ago(60)},
		"not by containers of which one still runs": {aPod("a", exited(1, 9), func(p *corev1.Pod) {
			p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{})
		}), ago(60)},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want.Time, finishedAt(tc.pod)); diff != "" {
				t.Errorf("instant (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPodFailurePolicy(t *testing.T) {
	named := onExit("FailJob", "In", 1)
	named.OnExitCodes.ContainerName = ref("other")
	for name, tc := range map[string]struct {
		job  *batchv1.Job
		pod  *corev1.Pod
		want verdict
	}{
		"no policy counts every failure": {aJob(), aPod("a", exited(1, 1)), verdict{Counts: true}},
		"the first rule that matches decides": {
			aJob(policy(onExit("Ignore", "In", 1), onExit("FailJob", "In", 1))), aPod("a", exited(1, 1)), verdict{Action: "Ignore"},
		},
		"FailJob says which rule, container and exit code": {
			aJob(policy(onExit("Ignore", "In", 1), onExit("FailJob", "NotIn", 1))), aPod("a", exited(2, 1)),
			verdict{Action: "FailJob", Counts: true, Message: "Container c for pod default/a failed with exit code 2 matching FailJob rule at index 1"},
		},
		"FailJob says which condition": {
			aJob(policy(onDisruption("FailJob"))), aPod("a", exited(2, 1), disrupted),
			verdict{Action: "FailJob", Counts: true, Message: "Pod default/a has condition DisruptionTarget matching FailJob rule at index 0"},
		},
		"exit code 0 is no failure":                  {aJob(policy(onExit("FailJob", "NotIn", 1))), aPod("a", exited(0, 1)), verdict{Counts: true}},
		"another container's exit code is not meant": {aJob(policy(named)), aPod("a", exited(1, 1)), verdict{Counts: true}},
		"an action of a later release is passed over": {
			aJob(policy(onExit("Later", "In", 1), onExit("Count", "In", 1))), aPod("a", exited(1, 1)), verdict{Action: "Count", Counts: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, matchPodFailurePolicy(tc.job.Spec.PodFailurePolicy, tc.pod)); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSuccessPolicy(t *testing.T) {
	rule := func(indexes string, count int32) batchv1.SuccessPolicyRule {
		var r batchv1.SuccessPolicyRule
		if indexes != "" {
			r.SucceededIndexes = &indexes
		}
		if count > 0 {
			r.SucceededCount = &count
		}
		return r
	}
	for name, tc := range map[string]struct {
		rules     []batchv1.SuccessPolicyRule
		succeeded string
		want      string
	}{
		"nothing has succeeded":       {[]batchv1.SuccessPolicyRule{rule("", 1)}, "", ""},
		"enough of any":               {[]batchv1.SuccessPolicyRule{rule("", 3)}, "1,4,5", "Matched rules at index 0"},
		"not yet enough":              {[]batchv1.SuccessPolicyRule{rule("", 3)}, "1,4", ""},
		"all of those that matter":    {[]batchv1.SuccessPolicyRule{rule("0", 0), rule("1-3", 0)}, "1-4", "Matched rules at index 1"},
		"enough of those that matter": {[]batchv1.SuccessPolicyRule{rule("0-5", 2)}, "1,5,8", "Matched rules at index 0"},
		"rules that make no sense":    {[]batchv1.SuccessPolicyRule{rule("x", 1)}, "1,5,8", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := matchSuccessPolicy(&batchv1.SuccessPolicy{Rules: tc.rules}, 10, parseIndexes(tc.succeeded, 10))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClaim(t *testing.T) {
	relabelled := func(p *corev1.Pod) { p.Labels = map[string]string{"app": "mine"} }
	orphaned := func(p *corev1.Pod) { p.OwnerReferences = nil }
	owned := []*corev1.Pod{aPod("kept"), aPod("relabelled", relabelled), aPod("stray", func(p *corev1.Pod) { p.OwnerReferences[0].UID = "before" })}
	orphans := []*corev1.Pod{aPod("orphan", orphaned), aPod("other", orphaned, relabelled), aPod("going", orphaned, deleted)}
	selector, err := metav1.LabelSelectorAsSelector(aJob().Spec.Selector)
	if err != nil {
		t.Fatal(err)
	}
	all := func(*corev1.Pod) bool { return true }
	got := workload.Claim(aJob(), selector, owned, orphans, all)
	if diff := cmp.Diff([][]string{{"kept"}, {"orphan"}, {"relabelled"}}, [][]string{names(got.Own), names(got.Adopt), names(got.Release)}); diff != "" {
		t.Errorf("own, adopt, release (-want +got):\n%s", diff)
	}
	got = workload.Claim(aJob(func(j *batchv1.Job) { j.DeletionTimestamp = ago(1) }), selector, owned, orphans, all)
	if diff := cmp.Diff([][]string{{"kept"}, nil, nil}, [][]string{names(got.Own), names(got.Adopt), names(got.Release)}); diff != "" {
		t.Errorf("while being deleted (-want +got):\n%s", diff)
	}
}

func TestNewPodOfAnIndex(t *testing.T) {
	j := aJob(sized(3, 3), indexed, perIndex(2))
	j.Spec.Template.Spec.Containers = []corev1.Container{{Name: "c"}}
	got := newPod(j, podTemplate(j), creation{Index: 2, Failures: 1, Ignored: 3})
	want := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", GenerateName: "pi-2-", Finalizers: []string{batchv1.JobTrackingFinalizer},
			Labels: map[string]string{batchv1.ControllerUidLabel: "pi-uid", batchv1.JobCompletionIndexAnnotation: "2"},
			Annotations: map[string]string{
				batchv1.JobCompletionIndexAnnotation: "2", batchv1.JobIndexFailureCountAnnotation: "1", batchv1.JobIndexIgnoredFailureCountAnnotation: "3",
			},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "pi", UID: "pi-uid", Controller: ref(true), BlockOwnerDeletion: ref(true)}},
		},
		Spec: corev1.PodSpec{Hostname: "pi-2", RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "c", Env: []corev1.EnvVar{{
			Name:      "JOB_COMPLETION_INDEX",
			ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels['batch.kubernetes.io/job-completion-index']"}},
		}}}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Pod (-want +got):\n%s", diff)
	}
}
