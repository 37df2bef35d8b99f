package e2e

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// transcript prints what the event log says of the namespace default: every
// commit that changed something worth reading about a Job, one of its Pods or
// an Event about a Job, in the order of their revisions. A line says when
// (virtual time since the first line), who, what, and the fields that changed.
//
// Names that were made up are told apart by a number, so that a transcript
// holds for every seed: work-0-#2 is the second Pod of index 0.
func transcript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: transcript EVENT-LOG, after serve --event-log EVENT-LOG")
	}
	lines, err := parseLog(ts.ReadFile(args[0]))
	ts.Check(err)
	config, err := clientcmd.BuildConfigFromFlags("", serverOf(ts).kubeconfig)
	ts.Check(err)
	client, err := kubernetes.NewForConfig(config)
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), untilMax)
	defer cancel()
	objects, err := replay(ctx, client, lines)
	ts.Check(err)
	ts.Check(narrate(ts.Stdout(), lines, objects))
}

// logLine is a line of the event log about the namespace default.
type logLine struct {
	at       time.Time
	revision string
	actor    string
	verb     string
	resource string
}

func parseLog(text string) ([]logLine, error) {
	var out []logLine
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 5 || !strings.Contains(f[4], "/default/") {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, f[0])
		if err != nil {
			return nil, err
		}
		resource, _, _ := strings.Cut(f[4], "/")
		if slices.Contains([]string{"jobs.batch", "pods", "events"}, resource) {
			actor, _, _ := strings.Cut(f[2], "/")
			out = append(out, logLine{at, strings.TrimPrefix(f[1], "r"), actor, f[3], resource})
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the event log says nothing of Jobs and Pods in the namespace default")
	}
	return out, nil
}

// replay watches the past: it returns the objects of the log's lines, by
// revision.
func replay(ctx context.Context, client kubernetes.Interface, lines []logLine) (map[string]metav1.Object, error) {
	first, err := strconv.ParseInt(lines[0].revision, 10, 64)
	if err != nil {
		return nil, err
	}
	from := metav1.ListOptions{ResourceVersion: strconv.FormatInt(first-1, 10)}
	watches := map[string]func(context.Context, metav1.ListOptions) (watch.Interface, error){
		"jobs.batch": client.BatchV1().Jobs("default").Watch,
		"pods":       client.CoreV1().Pods("default").Watch,
		"events":     client.CoreV1().Events("default").Watch,
	}
	objects := map[string]metav1.Object{}
	for _, resource := range []string{"jobs.batch", "pods", "events"} {
		w, err := watches[resource](ctx, from)
		if err != nil {
			return nil, err
		}
		defer w.Stop()
		for _, line := range lines {
			if line.resource != resource {
				continue
			}
			event, ok := <-w.ResultChan()
			obj, isObject := event.Object.(metav1.Object)
			if !ok || !isObject || obj.GetResourceVersion() != line.revision {
				return nil, fmt.Errorf("watch of %s: want revision %s, got %v %T", resource, line.revision, event.Type, event.Object)
			}
			objects[line.revision] = obj
		}
	}
	return objects, nil
}

// narrate writes the transcript.
func narrate(w io.Writer, lines []logLine, objects map[string]metav1.Object) error {
	names := shortNames(lines, objects)
	last := map[string][]string{}
	for _, line := range lines {
		obj := objects[line.revision]
		kind, fields := describe(obj.(runtime.Object), lines[0].at)
		if kind == "" || kind == "event" && line.verb == "delete" {
			continue
		}
		key := line.resource + "/" + obj.GetName()
		var changed []string
		for _, field := range fields {
			if !slices.Contains(last[key], field) {
				changed = append(changed, field)
			}
		}
		last[key] = fields
		if line.verb == "update" && len(changed) == 0 {
			continue
		}
		if line.verb == "delete" {
			changed = nil
			delete(last, key)
		}
		what := kind
		if kind != "event" {
			what = line.verb + " " + kind + " " + obj.GetName()
		}
		text := fmt.Sprintf("%-7s %-16s %s  %s", line.at.Sub(lines[0].at).Truncate(time.Second), line.actor, what, strings.Join(changed, " "))
		if _, err := fmt.Fprintln(w, strings.TrimSpace(names.Replace(text))); err != nil {
			return err
		}
	}
	return nil
}

// shortNames gives generated names a number each, per generateName.
func shortNames(lines []logLine, objects map[string]metav1.Object) *strings.Replacer {
	var pairs []string
	count := map[string]int{}
	for _, line := range lines {
		obj := objects[line.revision]
		if prefix := obj.GetGenerateName(); prefix != "" && line.verb == "create" {
			count[prefix]++
			pairs = append(pairs, obj.GetName(), fmt.Sprintf("%s#%d", prefix, count[prefix]))
		}
	}
	return strings.NewReplacer(pairs...)
}

// describe says what a reader wants to know of an object, a word a field.
func describe(obj runtime.Object, start time.Time) (kind string, fields []string) {
	switch o := obj.(type) {
	case *batchv1.Job:
		return "job", describeJob(o, start)
	case *corev1.Pod:
		return "pod", describePod(o)
	case *corev1.Event:
		if o.InvolvedObject.Kind != "Job" {
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

// summary collects fields that are set.
type summary []string

func (w *summary) add(format string, value any) {
	if text := fmt.Sprint(value); text != "" && text != "<nil>" {
		*w = append(*w, fmt.Sprintf(format, text))
	}
}

func addPointer[T any](w *summary, format string, value *T) {
	if value != nil {
		w.add(format, *value)
	}
}

func describeJob(j *batchv1.Job, start time.Time) []string {
	var w summary
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

func describePod(p *corev1.Pod) []string {
	var w summary
	owner := "none"
	if ref := metav1.GetControllerOf(p); ref != nil {
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
