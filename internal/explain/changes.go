package explain

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/internal/explain/scaling"
	"github.com/kubesim-dev/kubesim/internal/terminal"
)

// Changes tells the commits themselves: each that has changed something worth reading of a
// Job, a Deployment, a ReplicaSet, a Pod or an Event about one of the first three, with who did it and the fields that have changed,
// which Print writes as Step.Why. Without a name in target it is about all of a namespace.
//
// If numbered, generated names are told apart by a number, so that the text holds for
// every seed: work-0-#2 is the second Pod of index 0.
func Changes(target Target, commits []Commit, now time.Time, numbered bool) Story {
	s := Story{Target: target, Start: start(target, commits), Now: now, Steps: []Step{}, Rows: []Row{}}
	last := map[string][]string{}
	for i := range commits {
		c := &commits[i]
		kind, fields := fieldsOf(c.Object, s.Start)
		if kind == "" || kind == "event" && c.Type == watch.Deleted {
			continue
		}
		key := kind + "/" + c.Object.GetName()
		changed := slices.DeleteFunc(slices.Clone(fields), func(f string) bool { return slices.Contains(last[key], f) })
		last[key] = fields
		if c.Type == watch.Modified && len(changed) == 0 {
			continue
		}
		if c.Type == watch.Deleted {
			changed = nil
			delete(last, key)
		}
		what := kind
		if kind != "event" {
			what = verbOf(c.Type) + " " + kind + " " + c.Object.GetName()
		}
		s.Steps = append(s.Steps, Step{
			At: c.Time.UTC(), Revision: c.Revision, By: controller(c.Actor), Object: key, What: what, Why: strings.Join(changed, " "),
		})
	}
	if numbered {
		names := numberedNames(commits)
		for i := range s.Steps {
			step := &s.Steps[i]
			step.Object, step.What, step.Why = names.Replace(step.Object), names.Replace(step.What), names.Replace(step.Why)
		}
	}
	return s
}

// PrintChanges writes what Changes has told.
func PrintChanges(w io.Writer, s *Story) error {
	var out strings.Builder
	for _, step := range s.Steps {
		line := fmt.Sprintf("%-7s %-16s %s  %s", step.At.Sub(s.Start).Truncate(time.Second), step.By, step.What, step.Why)
		out.WriteString(terminal.Line(strings.TrimSpace(line)) + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// numberedNames gives generated names a number each, per generateName.
func numberedNames(commits []Commit) *strings.Replacer {
	var pairs []string
	count := map[string]int{}
	for _, c := range commits {
		if prefix := c.Object.GetGenerateName(); prefix != "" && c.Type == watch.Added {
			count[prefix]++
			pairs = append(pairs, c.Object.GetName(), fmt.Sprintf("%s#%d", prefix, count[prefix]))
		}
	}
	return strings.NewReplacer(pairs...)
}

func verbOf(t watch.EventType) string {
	switch t {
	case watch.Added:
		return "create"
	case watch.Modified:
		return "update"
	}
	return "delete"
}

// fieldsOf says what a reader wants to know of an object, a word a field.
func fieldsOf(obj Object, start time.Time) (kind string, fields []string) {
	switch o := obj.(type) {
	case *batchv1.Job:
		return "job", fieldsOfJob(o, start)
	case *appsv1.Deployment:
		return "deployment", fieldsOfDeployment(o)
	case *appsv1.ReplicaSet:
		return "replicaset", fieldsOfReplicaSet(o)
	case *appsv1.StatefulSet:
		return "statefulset", fieldsOfStatefulSet(o)
	case *appsv1.DaemonSet:
		return "daemonset", fieldsOfDaemonSet(o)
	case *appsv1.ControllerRevision:
		return "controllerrevision", []string{fmt.Sprintf("revision=%d", o.Revision)}
	case *autoscalingv2.HorizontalPodAutoscaler:
		return "hpa", fieldsOfAutoscaler(o)
	case *corev1.Pod:
		return "pod", fieldsOfPod(o)
	case *corev1.Event:
		if !slices.Contains([]string{"Job", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "HorizontalPodAutoscaler"}, o.InvolvedObject.Kind) {
			return "", nil
		}
		text := fmt.Sprintf("%s %s: %s", o.Type, o.Reason, o.Message)
		if o.Count > 1 {
			text += fmt.Sprintf(" (x%d)", o.Count)
		}
		return "event", []string{text}
	}
	return "", nil
}

// fieldList collects fields that are set.
type fieldList []string

func (w *fieldList) add(format string, value any) {
	if text := fmt.Sprint(value); text != "" && text != "<nil>" {
		*w = append(*w, fmt.Sprintf(format, text))
	}
}

func addPointer[T any](w *fieldList, format string, value *T) {
	if value != nil {
		w.add(format, *value)
	}
}

func fieldsOfJob(j *batchv1.Job, start time.Time) []string {
	var w fieldList
	addPointer(&w, "completions=%s", j.Spec.Completions)
	addPointer(&w, "parallelism=%s", j.Spec.Parallelism)
	addPointer(&w, "suspend=%s", j.Spec.Suspend)
	addPointer(&w, "activeDeadlineSeconds=%s", j.Spec.ActiveDeadlineSeconds)
	addPointer(&w, "ttlSecondsAfterFinished=%s", j.Spec.TTLSecondsAfterFinished)
	addPointer(&w, "managedBy=%s", j.Spec.ManagedBy)
	for _, key := range slices.Sorted(maps.Keys(j.Spec.Template.Spec.NodeSelector)) {
		w.add("nodeSelector="+key+":%s", j.Spec.Template.Spec.NodeSelector[key])
	}
	for _, name := range j.Finalizers {
		w.add("finalizer=%s", name)
	}
	if j.DeletionTimestamp != nil {
		w.add("%s", "deleting")
	}
	s := &j.Status
	started := "none"
	if s.StartTime != nil {
		started = s.StartTime.Sub(start.Truncate(time.Second)).String()
	}
	w.add("startTime=%s", started)
	w.add("active=%s", s.Active)
	addPointer(&w, "ready=%s", s.Ready)
	addPointer(&w, "terminating=%s", s.Terminating)
	if u := s.UncountedTerminatedPods; u != nil {
		w.add("uncounted=%s", fmt.Sprintf("%d+%d", len(u.Succeeded), len(u.Failed)))
	}
	w.add("succeeded=%s", s.Succeeded)
	w.add("failed=%s", s.Failed)
	w.add("completedIndexes=%s", s.CompletedIndexes)
	addPointer(&w, "failedIndexes=%s", s.FailedIndexes)
	for _, c := range s.Conditions {
		w.add("%s", fmt.Sprintf("%s=%s(%s: %q)", c.Type, c.Status, c.Reason, c.Message))
	}
	return w
}

func fieldsOfDeployment(d *appsv1.Deployment) []string {
	var w fieldList
	addPointer(&w, "replicas=%s", d.Spec.Replicas)
	w.add("paused=%s", d.Spec.Paused)
	for _, c := range slices.Concat(d.Spec.Template.Spec.InitContainers, d.Spec.Template.Spec.Containers) {
		w.add("image="+c.Name+":%s", c.Image)
	}
	if d.DeletionTimestamp != nil {
		w.add("%s", "deleting")
	}
	s := &d.Status
	w.add("current=%s", s.Replicas)
	w.add("updated=%s", s.UpdatedReplicas)
	w.add("ready=%s", s.ReadyReplicas)
	w.add("available=%s", s.AvailableReplicas)
	addPointer(&w, "terminating=%s", s.TerminatingReplicas)
	for _, c := range s.Conditions {
		w.add("%s", fmt.Sprintf("%s=%s(%s: %q)", c.Type, c.Status, c.Reason, c.Message))
	}
	return w
}

func fieldsOfReplicaSet(r *appsv1.ReplicaSet) []string {
	var w fieldList
	addPointer(&w, "replicas=%s", r.Spec.Replicas)
	w.add("revision=%s", revisionOf(r))
	if r.DeletionTimestamp != nil {
		w.add("%s", "deleting")
	}
	s := &r.Status
	w.add("current=%s", s.Replicas)
	w.add("ready=%s", s.ReadyReplicas)
	w.add("available=%s", s.AvailableReplicas)
	for _, c := range s.Conditions {
		w.add("%s", fmt.Sprintf("%s=%s(%s: %q)", c.Type, c.Status, c.Reason, c.Message))
	}
	return w
}

func fieldsOfStatefulSet(o *appsv1.StatefulSet) []string {
	var w fieldList
	addPointer(&w, "replicas=%s", o.Spec.Replicas)
	w.add("updateStrategy=%q", ordinalsStrategy(o))
	for _, c := range slices.Concat(o.Spec.Template.Spec.InitContainers, o.Spec.Template.Spec.Containers) {
		w.add("image="+c.Name+":%s", c.Image)
	}
	if o.DeletionTimestamp != nil {
		w.add("%s", "deleting")
	}
	s := &o.Status
	w.add("current=%s", s.Replicas)
	w.add("ready=%s", s.ReadyReplicas)
	w.add("available=%s", s.AvailableReplicas)
	w.add("updated=%s", s.UpdatedReplicas)
	w.add("currentRevision=%s", s.CurrentRevision)
	w.add("updateRevision=%s", s.UpdateRevision)
	for _, c := range s.Conditions {
		w.add("%s", fmt.Sprintf("%s=%s(%s: %q)", c.Type, c.Status, c.Reason, c.Message))
	}
	return w
}

func fieldsOfDaemonSet(o *appsv1.DaemonSet) []string {
	var w fieldList
	w.add("updateStrategy=%q", daemonStrategy(o))
	for _, c := range slices.Concat(o.Spec.Template.Spec.InitContainers, o.Spec.Template.Spec.Containers) {
		w.add("image="+c.Name+":%s", c.Image)
	}
	if o.DeletionTimestamp != nil {
		w.add("%s", "deleting")
	}
	s := &o.Status
	w.add("desired=%s", s.DesiredNumberScheduled)
	w.add("current=%s", s.CurrentNumberScheduled)
	w.add("misscheduled=%s", s.NumberMisscheduled)
	w.add("ready=%s", s.NumberReady)
	w.add("available=%s", s.NumberAvailable)
	w.add("updated=%s", s.UpdatedNumberScheduled)
	return w
}

func fieldsOfAutoscaler(o *autoscalingv2.HorizontalPodAutoscaler) []string {
	var w fieldList
	w.add("target=%s", scaleTarget(o))
	w.add("minReplicas=%s", least(o))
	w.add("maxReplicas=%s", o.Spec.MaxReplicas)
	w.add("current=%s", o.Status.CurrentReplicas)
	w.add("desired=%s", o.Status.DesiredReplicas)
	for _, m := range scaling.Metrics(o) {
		w.add("%s", fmt.Sprintf("%s=%s/%s", strings.ReplaceAll(m.Name, " ", "-"), cmp.Or(m.Value, "unknown"), m.Target))
	}
	for _, c := range o.Status.Conditions {
		w.add("%s", fmt.Sprintf("%s=%s(%s: %q)", c.Type, c.Status, c.Reason, c.Message))
	}
	return w
}

func fieldsOfPod(p *corev1.Pod) []string {
	var w fieldList
	owner := "none"
	if ref := metav1.GetControllerOfNoCopy(p); ref != nil {
		owner = ref.Name
	}
	w.add("owner=%s", owner)
	if slices.Contains(p.Finalizers, batchv1.JobTrackingFinalizer) {
		w.add("%s", "tracked")
	} else {
		w.add("%s", "untracked")
	}
	if p.DeletionTimestamp != nil {
		w.add("%s", "deleting")
	}
	phase := string(p.Status.Phase)
	for _, c := range p.Status.ContainerStatuses {
		if c.RestartCount > 0 {
			w.add("restarts=%s", c.RestartCount)
		}
		if end := c.State.Terminated; end != nil {
			phase += fmt.Sprintf("(%d)", end.ExitCode)
		}
	}
	w.add("%s", phase)
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.DisruptionTarget {
			w.add("DisruptionTarget=%s", cmp.Or(c.Reason, string(c.Status)))
		}
	}
	return w
}
