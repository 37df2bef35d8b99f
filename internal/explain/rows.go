package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Phase is what a bar shows.
type Phase string

// The phases of Pods' containers, of Jobs and of Deployments.
const (
	Pending     Phase = "pending"
	Pulling     Phase = "pulling"
	Running     Phase = "running"
	BackOff     Phase = "back-off"
	Terminating Phase = "terminating"
	Active      Phase = "active"
	Suspended   Phase = "suspended"
	RollingOut  Phase = "rolling-out"
	Paused      Phase = "paused"
)

// Row is a lane of the picture: a Job, a Deployment, a ReplicaSet, or a container of a Pod.
type Row struct {
	// Object is what it is about, Container empty where the Pod has one only.
	Object    string `json:"object"`
	Container string `json:"container,omitempty"`
	Bars      []Bar  `json:"bars"`
	Marks     []Mark `json:"marks,omitempty"`
}

// Bar is one phase.
type Bar struct {
	Phase Phase     `json:"phase"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	// Open: it goes on at the end of the story.
	Open bool `json:"open,omitempty"`
	// Exit is the exit code with which the container ended at To.
	Exit *int32 `json:"exit,omitempty"`
}

// Mark is an instant worth showing: a condition of a Job.
type Mark struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
	Tone Tone      `json:"tone,omitempty"`
}

// draw makes the rows: each Job with its Pods below it, in the order in which they were
// created.
func (t *teller) draw() {
	end := t.story.Now
	done := map[types.UID]bool{}
	pods := t.sorted(func(o Object) bool { _, ok := o.(*corev1.Pod); return ok })
	for _, job := range t.sorted(func(o Object) bool { _, ok := o.(*batchv1.Job); return ok }) {
		if t.story.Kind != "Pod" {
			t.story.Rows = append(t.story.Rows, t.jobRow(job, end))
		}
		for _, pod := range pods {
			if ref := owner(pod, "Job"); ref != nil && ref.UID == job.GetUID() {
				done[pod.GetUID()] = true
				t.podRows(pod, end)
			}
		}
	}
	t.drawRollouts(pods, done)
	for _, pod := range pods {
		if !done[pod.GetUID()] {
			t.podRows(pod, end)
		}
	}
}

// drawRollouts makes the rows of Deployments and ReplicaSets, each ReplicaSet with its
// Pods below it.
func (t *teller) drawRollouts(pods []Object, done map[types.UID]bool) {
	if t.charted != nil {
		t.story.Chart = &t.charted.chart
	}
	t.story.Places, t.story.Scaling = t.drawPlaces(), t.drawScaling()
	if t.story.Kind == "Pod" {
		return
	}
	if slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet", "HorizontalPodAutoscaler"}, t.story.Kind) {
		for _, o := range t.sorted(func(o Object) bool { return kindOf(o)+"/"+o.GetName() == t.story.Ref() }) {
			t.story.Rows = append(t.story.Rows, Row{Object: t.story.Ref(), Bars: t.workloadOf(o.GetUID()).track.closed(t.story.Now), Marks: t.marks(t.story.Ref())})
		}
	}
	if t.placed != nil { // its Pods are drawn by place
		for _, pod := range pods {
			done[pod.GetUID()] = done[pod.GetUID()] || placeName(pod.(*corev1.Pod)) != ""
		}
	}
	for _, set := range t.sorted(func(o Object) bool { _, ok := o.(*appsv1.ReplicaSet); return ok }) {
		if t.story.Kind == "ReplicaSet" && set.GetName() != t.story.Name {
			for _, pod := range pods {
				done[pod.GetUID()] = done[pod.GetUID()] || metav1.IsControlledBy(pod, set)
			}
			continue
		}
		t.story.Rows = append(t.story.Rows, Row{Object: "replicaset/" + set.GetName(), Bars: []Bar{}})
		for _, pod := range pods {
			if metav1.IsControlledBy(pod, set) {
				done[pod.GetUID()] = true
				t.podRows(pod, t.story.Now)
			}
		}
	}
}

// sorted are the objects that there were, by creation.
func (t *teller) sorted(want func(Object) bool) []Object {
	var out []Object
	for _, o := range t.last {
		if want(o) {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, t.byCreation)
	return out
}

func (t *teller) byCreation(a, b Object) int {
	return cmp.Or(cmp.Compare(t.createdStep(a.GetUID()), t.createdStep(b.GetUID())),
		a.GetCreationTimestamp().Compare(b.GetCreationTimestamp().Time), cmp.Compare(a.GetName(), b.GetName()))
}

func (t *teller) podRows(pod Object, end time.Time) {
	if t.story.Kind == "Pod" && pod.GetName() != t.story.Name {
		return
	}
	tracks := t.pods[pod.GetUID()].bars.tracks
	for _, tr := range tracks {
		row := Row{Object: "pod/" + pod.GetName(), Bars: tr.closed(end)}
		if len(tracks) > 1 {
			row.Container = tr.container
		}
		t.story.Rows = append(t.story.Rows, row)
	}
}

func (t *teller) jobRow(job Object, end time.Time) Row {
	b := &t.jobs[job.GetUID()].bars
	row := Row{Object: "job/" + job.GetName(), Bars: b.track.closed(end)}
	slices.SortFunc(b.waits, func(x, y Bar) int { return x.From.Compare(y.From) })
	for _, w := range b.waits {
		if !b.end.IsZero() && w.To.After(b.end) {
			w.To = b.end
		}
		if w.To.After(end) {
			w.To, w.Open = end, true
		}
		if n := len(row.Bars) - 1; n >= 0 && row.Bars[n].Phase == BackOff && !w.From.After(row.Bars[n].To) {
			if w.To.After(row.Bars[n].To) {
				row.Bars[n].To = w.To
			}
			continue
		}
		if w.To.After(w.From) {
			row.Bars = append(row.Bars, w)
		}
	}
	row.Marks = t.marks("job/" + job.GetName())
	return row
}

// Begins reports whether a step's text begins with one of some words.
func Begins(what string, words ...string) bool {
	return slices.ContainsFunc(words, func(word string) bool {
		rest, ok := strings.CutPrefix(what, word)
		return ok && (rest == "" || strings.ContainsAny(rest[:1], " :,"))
	})
}

// marks are those of the steps of a Job while its row is.
func (t *teller) marks(object string) []Mark {
	var out []Mark
	for _, s := range t.story.Steps {
		if s.Object != object || !Begins(s.What, "suspended", "resumed", "FailureTarget", "SuccessCriteriaMet", "Failed", "Complete", "deleted",
			"parallelism changed", "completions changed", "template changed", "replicas changed", "paused", "rolled out", "ProgressDeadlineExceeded",
			"not available any more", "all", "ready on", "is for", "scales", "cannot decide", "updateStrategy changed", "partition changed") {
			continue
		}
		m := Mark{At: s.At, Text: s.What, Tone: s.Tone}
		// FailureTarget and Failed at one instant are one mark.
		if n := len(out) - 1; n >= 0 && out[n].At.Equal(m.At) && (m.Tone == Good || m.Tone == Bad) && out[n].Tone == m.Tone {
			out[n] = m
			continue
		}
		out = append(out, m)
	}
	return out
}

// String is the bar for a reader.
func (b Bar) String() string {
	text := fmt.Sprintf("%s %s", b.Phase, Offset(b.To.Sub(b.From)))
	if b.Exit != nil {
		text += fmt.Sprintf(", exit code %d", *b.Exit)
	}
	return text
}
