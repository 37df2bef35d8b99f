package differential

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// podName is what the API makes of a Job's name for its Pods; uid is one.
var (
	podName = regexp.MustCompile(`\b(w(-\d+)*(-[a-z0-9]{6,10})?)-[a-z0-9]{5}\b|\bstray-\d`)
	uid     = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	version = regexp.MustCompile(`resourceVersion \d+`)
)

// anonymous takes out of a text what differs between two clusters.
func anonymous(text string) string {
	return version.ReplaceAllString(uid.ReplaceAllString(podName.ReplaceAllString(text, "$1-…"), "UID"), "")
}

// observe notes what there is.
func (s *story) observe(ctx context.Context, end bool) {
	lines, err := s.user.look(ctx, end)
	s.object(err)
	slices.Sort(lines)
	for _, line := range lines {
		fmt.Fprintln(&s.text, line)
	}
}

// look describes every object of the workload, without what is bound to differ:
// names and UIDs that the API draws, nodes.
func (u *user) look(ctx context.Context, end bool) (lines []string, err error) {
	o := metav1.ListOptions{}
	batch, core := u.client.BatchV1(), u.client.CoreV1()
	jobs, err := batch.Jobs(u.namespace).List(ctx, o)
	if err != nil {
		return nil, err
	}
	for i := range jobs.Items {
		lines = append(lines, u.jobFate(&jobs.Items[i]))
	}
	pods, err := core.Pods(u.namespace).List(ctx, o)
	if err != nil {
		return nil, err
	}
	for i := range pods.Items {
		lines = append(lines, u.podFate(&pods.Items[i]))
	}
	if u.w.CronJob != nil {
		crons, err := batch.CronJobs(u.namespace).List(ctx, o)
		if err != nil {
			return nil, err
		}
		for i := range crons.Items {
			lines = append(lines, u.cronJobFate(&crons.Items[i]))
		}
	}
	if u.w.isApp() {
		more, err := u.lookAtApps(ctx)
		if err != nil {
			return nil, err
		}
		lines = append(lines, more...)
	}
	if end {
		events, err := core.Events(u.namespace).List(ctx, o)
		if err != nil {
			return nil, err
		}
		lines = append(lines, u.eventFates(events.Items, time.Now())...)
	}
	return lines, nil
}

// slack is how far times may lie apart: which sync of a Job comes first when its
// Pods end together, and with it the instant of the next one a batch period later, is a
// matter of goroutines upstream.
const slack = 4

// instant is what since writes.
var instant = regexp.MustCompile(`@(\d{6})s`)

// since says when t was, in seconds from the workload's beginning.
func (u *user) since(t *metav1.Time) string {
	if t.IsZero() {
		return "never"
	}
	return fmt.Sprintf("@%06ds", int(t.Sub(u.w.begins()).Seconds()))
}

// alike reports whether two texts of observe say the same, but for slack.
func alike(want, got string) bool {
	if instant.ReplaceAllString(want, "") != instant.ReplaceAllString(got, "") {
		return false
	}
	wanted, gotten := instant.FindAllStringSubmatch(want, -1), instant.FindAllStringSubmatch(got, -1)
	for i := range wanted {
		a, _ := strconv.Atoi(wanted[i][1])
		b, _ := strconv.Atoi(gotten[i][1])
		if max(a-b, b-a) > slack {
			return false
		}
	}
	return true
}

func (u *user) jobFate(j *batchv1.Job) string {
	s := &j.Status
	uncounted := ptr.Deref(s.UncountedTerminatedPods, batchv1.UncountedTerminatedPods{})
	text := fmt.Sprintf("Job %s: created %s deleted %s started %s completed %s active %d ready %d terminating %d succeeded %d failed %d uncounted %d indexes %q failed %s finalizers %q owners %d annotations %q",
		j.Name, u.since(&j.CreationTimestamp), u.since(j.DeletionTimestamp), u.since(s.StartTime), u.since(s.CompletionTime),
		s.Active, ptr.Deref(s.Ready, -1), ptr.Deref(s.Terminating, -1), s.Succeeded, s.Failed, len(uncounted.Succeeded)+len(uncounted.Failed),
		s.CompletedIndexes, ptr.Deref(s.FailedIndexes, "none"), j.Finalizers, len(j.OwnerReferences), values(j.Annotations))
	for _, c := range s.Conditions {
		text += fmt.Sprintf("\n  %s=%s %s %s: %s", c.Type, c.Status, u.since(&c.LastTransitionTime), c.Reason, anonymous(c.Message))
	}
	return text
}

func (u *user) podFate(p *corev1.Pod) string {
	text := fmt.Sprintf("Pod %s hostname %q created %s deleted %s %s %s %v", p.GenerateName, p.Spec.Hostname, u.since(&p.CreationTimestamp), u.since(p.DeletionTimestamp), p.Status.Phase, p.Status.Reason, p.Finalizers)
	text += fmt.Sprintf(" annotations %q labels %q", values(p.Annotations), slices.Sorted(maps.Keys(p.Labels)))
	if u.w.isApp() {
		text += fmt.Sprintf(" %q", values(p.Labels))
	}
	for _, o := range p.OwnerReferences {
		text += fmt.Sprintf(" of %s %s", o.Kind, o.Name)
	}
	for _, c := range p.Status.ContainerStatuses {
		text += fmt.Sprintf(" restarts %d", c.RestartCount)
		if c.State.Terminated != nil {
			text += fmt.Sprintf(" exit %d", c.State.Terminated.ExitCode)
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.DisruptionTarget {
			text += fmt.Sprintf(" %s=%s %s", c.Type, c.Status, c.Reason)
		}
	}
	return text
}

func (u *user) cronJobFate(c *batchv1.CronJob) string {
	var active []string
	for _, ref := range c.Status.Active {
		active = append(active, ref.Name)
	}
	return fmt.Sprintf("CronJob deleted %s scheduled %s succeeded %s active %q finalizers %q", u.since(c.DeletionTimestamp),
		u.since(c.Status.LastScheduleTime), u.since(c.Status.LastSuccessfulTime), active, c.Finalizers)
}

// eventFates lists the Events of the controllers that make Pods, with how often they were
// seen. Of those that it combined, which message stays is a matter of the order; those
// about to expire may be gone on one side. The CronJob controller's are left out: with a
// stale cache, upstream's sees the same end twice, deletes a Job twice or misses one, and
// a source may write 25 Events about one object, so that others are not written then.
func (u *user) eventFates(events []corev1.Event, now time.Time) (lines []string) {
	const combined = "(combined from similar events): "
	count := map[string]int32{}
	for i := range events {
		e := &events[i]
		if !u.tells(e) || strings.HasPrefix(e.Message, combined) || now.Sub(e.FirstTimestamp.Time) > 50*time.Minute {
			continue
		}
		// Which index's Event is the tenth, and so combined, is by chance too.
		message := podName.ReplaceAllString(e.Message, "…")
		count[fmt.Sprintf("Event %s %s %s: %s", anonymous(e.InvolvedObject.Name), e.Type, e.Reason, anonymous(message))] += max(e.Count, 1)
	}
	for line, n := range count {
		lines = append(lines, fmt.Sprintf("%s ×%d", line, n))
	}
	return lines
}

// values lists a map, sorted, without what differs between two clusters.
func values(m map[string]string) (out []string) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		out = append(out, key+"="+anonymous(m[key]))
	}
	return out
}
