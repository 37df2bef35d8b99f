// Package timeline tells what happens to Pods and Jobs of a cluster, a line each, in
// virtual time.
package timeline

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/terminal"
	"github.com/kubesim-dev/kubesim/kubelet-sim/lifecycle"
	"github.com/kubesim-dev/kubesim/kubelet-sim/script"
)

// Config says what a timeline tells, and where.
type Config struct {
	// Out receives the lines, with the time since Start, unless there is a Sink.
	Out io.Writer
	// Start is the zero of time; if zero, the engine's first instant is.
	Start time.Time
	// Sink takes the lines instead of Out.
	Sink func(at time.Time, who, what string)
	// All: every namespace is of interest, and names outside of default say theirs. Else
	// it is those of Show.
	All bool
	// Brief: what goes without saying is left out.
	Brief bool
	// World, if set, is told of every object and of what is printed.
	World World
}

// World looks at a whole cluster.
type World interface {
	// Put takes an object as it is now, or was when it was deleted.
	Put(resource string, obj engine.Object, deleted bool)
	// Print takes what a container has printed.
	Print(at time.Time, pod *corev1.Pod, container string, data []byte)
	// Ended: a container has.
	Ended(at time.Time, pod *corev1.Pod, container string)
}

// Timeline tells what happens to Pods and Jobs, a line each, while it happens. It
// takes that from the commits, as a reconciler that never has anything to do, and
// from the kubelets.
type Timeline struct {
	Config
	engine *engine.Engine
	// namespaces whose objects are of interest.
	namespaces map[string]bool
	// width is that of the second column so far.
	width int

	// mu guards what the command reads while the engine is at rest.
	mu sync.Mutex
	// err is why nothing can be printed any more.
	err error
	// unfinished are the Pods and Jobs that have not ended; seen: there was one.
	unfinished map[string]bool
	seen       bool
	// ran counts the attempts of a script at a container, by both names.
	ran map[script.Verdict]int
	// pods are those that were created, in order.
	pods []script.Owned
	// partial is what a container has printed of a line so far.
	partial map[string][]byte
	// starting: a container is being started; early is what it has done meanwhile.
	starting bool
	early    []func()
}

var (
	_ engine.Reconciler  = (*Timeline)(nil)
	_ lifecycle.Follower = (*Timeline)(nil)
)

// New returns a timeline of the cluster whose Follower it is.
func New(cfg Config) *Timeline {
	return &Timeline{
		Config: cfg, namespaces: map[string]bool{}, unfinished: map[string]bool{}, ran: map[script.Verdict]int{}, partial: map[string][]byte{},
	}
}

// Attach makes e tell the timeline of what it prints.
func (t *Timeline) Attach(e *engine.Engine) {
	t.engine = e
	if t.Start.IsZero() {
		t.Start = e.Now()
	}
	for _, r := range []engine.Resource{engine.Pods, engine.Jobs, engine.Events} {
		e.View().Track(r)
	}
	e.Register(t)
}

// say prints one line: when, who and what.
func (t *Timeline) say(at time.Time, who, format string, args ...any) {
	if t.Sink != nil {
		t.Sink(at, who, fmt.Sprintf(format, args...))
		return
	}
	who = terminal.Line(who)
	t.width = max(t.width, len(who))
	// A column of 9 holds 99m59.99s.
	_, err := fmt.Fprintf(t.Out, "%9s  %-*s  %s\n", offset(at.Sub(t.Start)), t.width, who, terminal.Line(fmt.Sprintf(format, args...)))
	t.err = cmp.Or(t.err, err)
}

// offset is a duration with two decimals, such as 4.20s or 1h02m04.20s.
func offset(d time.Duration) string {
	d = d.Round(10 * time.Millisecond)
	h, m, s := int(d.Hours()), int(d.Minutes())%60, (d % time.Minute).Seconds()
	switch {
	case h > 0:
		return fmt.Sprintf("%dh%02dm%05.2fs", h, m, s)
	case m > 0:
		return fmt.Sprintf("%dm%05.2fs", m, s)
	}
	return fmt.Sprintf("%.2fs", s)
}

// Committed tells the World.
func (t *Timeline) Committed(resource schema.GroupResource, obj engine.Object, deleted bool) {
	if t.World != nil {
		t.World.Put(resource.String(), obj, deleted)
	}
}

// Name implements engine.Reconciler.
func (t *Timeline) Name() string { return "timeline" }

// Reconcile implements engine.Reconciler.
func (t *Timeline) Reconcile(context.Context, engine.Key, time.Time) (engine.Wake, error) {
	return engine.Wake{}, nil
}

// Observe implements engine.Reconciler. It names none, and prints.
func (t *Timeline) Observe(c engine.Commit) []engine.Key {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.Replayed || !t.All && !t.namespaces[c.Object.GetNamespace()] {
		return nil
	}
	now := t.engine.Now()
	switch obj := c.Object.(type) {
	case *corev1.Event:
		old, _ := c.Old.(*corev1.Event)
		t.event(now, obj, old, c.Type)
	case *corev1.Pod:
		old, _ := c.Old.(*corev1.Pod)
		if c.Type == watch.Added {
			t.pods = append(t.pods, script.Owners(t.engine.View(), obj))
		}
		t.keep("pod/"+obj.Name, c.Type != watch.Deleted && !podutil.IsPodTerminal(obj))
		t.pod(now, obj, old, c.Type)
	case *batchv1.Job:
		t.keep("job/"+obj.Name, c.Type != watch.Deleted && !ended(obj))
		if c.Type == watch.Added {
			t.say(now, t.named(obj.Namespace, obj.Name), "created")
		}
	}
	return nil
}

// keep notes whether an object has still to end.
func (t *Timeline) keep(name string, unfinished bool) {
	t.seen = true
	delete(t.unfinished, name)
	if unfinished {
		t.unfinished[name] = true
	}
}

// Done reports whether everything has ended.
func (t *Timeline) Done() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seen && len(t.unfinished) == 0
}

// event prints an Event of a controller. Those of the kubelets come to Event.
func (t *Timeline) event(now time.Time, e, old *corev1.Event, how watch.EventType) {
	if t.Brief && t.ordinary(now, e) {
		return
	}
	if how != watch.Deleted && (e.Source.Component != "kubelet" || t.Brief && e.InvolvedObject.Kind == "Node") && (old == nil || old.Count != e.Count) {
		t.say(now, t.named(e.InvolvedObject.Namespace, e.InvolvedObject.Name), "%s: %s", e.Reason, e.Message)
	}
}

func (t *Timeline) pod(now time.Time, pod, old *corev1.Pod, how watch.EventType) {
	if how == watch.Deleted {
		t.say(now, t.whoIs(pod, ""), "gone")
		return
	}
	if old == nil {
		old = &corev1.Pod{}
		for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
			t.width = max(t.width, len(t.whoIs(pod, c.Name)))
		}
		t.say(now, t.whoIs(pod, ""), "created")
	}
	if pod.DeletionTimestamp != nil && old.DeletionTimestamp == nil && *pod.DeletionGracePeriodSeconds > 0 {
		t.say(now, t.whoIs(pod, ""), "deleted, with a grace period of %ds", *pod.DeletionGracePeriodSeconds)
	}
	before := slices.Concat(old.Status.InitContainerStatuses, old.Status.ContainerStatuses)
	for _, st := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		was := corev1.ContainerStatus{}
		if i := slices.IndexFunc(before, func(o corev1.ContainerStatus) bool { return o.Name == st.Name }); i >= 0 {
			was = before[i]
		}
		if t.Brief && st.Ready && !probed(pod, st.Name) {
			was.Ready = true // it goes without saying
		}
		t.container(now, t.whoIs(pod, st.Name), &st, &was)
	}
	if t.Brief && pod.Status.Phase == corev1.PodRunning {
		return // its containers say so
	}
	if pod.Status.Phase != old.Status.Phase && pod.Status.Phase != corev1.PodPending {
		t.say(now, t.whoIs(pod, ""), "%s", joined(string(pod.Status.Phase), pod.Status.Reason, pod.Status.Message))
	}
}

// container prints how a container's status has changed: what the kubelet does not
// tell at once.
func (t *Timeline) container(now time.Time, who string, st, was *corev1.ContainerStatus) {
	if w := st.State.Waiting; w != nil && (was.State.Waiting == nil || *was.State.Waiting != *w) {
		if w.Reason != "ContainerCreating" && w.Reason != "PodInitializing" {
			t.say(now, who, "%s", joined("Waiting", w.Reason, w.Message))
		}
	}
	if st.Ready != was.Ready && st.State.Running != nil {
		t.say(now, who, "%s", map[bool]string{true: "Ready", false: "not Ready"}[st.Ready])
	}
}

// joined joins those of parts that are not empty with colons.
func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ": ")
}

func ended(job *batchv1.Job) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
		return (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue
	})
}

func (t *Timeline) whoIs(pod *corev1.Pod, container string) string {
	who := t.named(pod.Namespace, pod.Name)
	if container == "" {
		return who
	}
	return who + "/" + container
}

func (t *Timeline) named(namespace, name string) string {
	if t.All && namespace != "" && namespace != metav1.NamespaceDefault {
		return namespace + "/" + name
	}
	return name
}
