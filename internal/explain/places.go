package explain

import (
	"cmp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
)

// Places is what each ordinal of a StatefulSet, or each Node of a DaemonSet, ran.
type Places struct {
	// Versions are the templates, in the order in which their first Pods came.
	Versions []Version `json:"versions"`
	Lanes    []Lane    `json:"lanes"`
}

// Version is a template that Pods had.
type Version struct {
	Name string `json:"name"`
	// Revision is its number, as far as it is known: "revision 2".
	Revision string `json:"revision"`
}

// Lane is one place, with its Pods one after the other.
type Lane struct {
	Name  string `json:"name"`
	Spans []Span `json:"spans"`
}

// Span is what a Pod was for a while.
type Span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Open: it goes on at the end of the story.
	Open bool   `json:"open,omitempty"`
	UID  string `json:"uid"`
	// Version counts from 0 in Places.Versions. Line is not 0 if another Pod was at the
	// place already.
	Version int       `json:"version"`
	Line    int       `json:"line,omitempty"`
	State   SpanState `json:"state"`
}

// SpanState is what a Pod was.
type SpanState string

// The states.
const (
	IsReady       SpanState = "ready"
	IsNotReady    SpanState = "not ready"
	IsBackOff     SpanState = "back-off"
	IsTerminating SpanState = "terminating"
)

// placed follows Places.
type placed struct {
	versions []string
	lanes    map[string]*Lane
}

// placePod follows a Pod of the story's target.
func (t *teller) placePod(pod *corev1.Pod) {
	name := placeName(pod)
	if name == "" || t.story.Kind == "Pod" {
		return
	}
	if ref := owner(pod, t.story.Kind); ref == nil || ref.Name != t.story.Name {
		return
	}
	if t.placed == nil {
		t.placed = &placed{lanes: map[string]*Lane{}}
	}
	p := t.placed
	if p.lanes[name] == nil {
		p.lanes[name] = &Lane{Name: name}
	}
	if !slices.Contains(p.versions, hashOf(pod)) {
		p.versions = append(p.versions, hashOf(pod))
	}
	state := spanState(pod)
	if t.c.Type == watch.Deleted {
		state = ""
	}
	p.lanes[name].follow(t.c.Time.UTC(), string(pod.UID), slices.Index(p.versions, hashOf(pod)), state)
}

// spanState is empty for a Pod that has ended.
func spanState(pod *corev1.Pod) SpanState {
	switch {
	case podutil.IsPodTerminal(pod):
		return ""
	case pod.DeletionTimestamp != nil:
		return IsTerminating
	case podutil.IsPodReady(pod):
		return IsReady
	}
	for _, c := range allStatuses(pod) {
		if w := c.State.Waiting; w != nil && slices.Contains([]string{"CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull"}, w.Reason) {
			return IsBackOff
		}
	}
	return IsNotReady
}

// follow ends the open span of a Pod, if it is in another state now, and begins the next.
func (l *Lane) follow(at time.Time, pod string, version int, state SpanState) {
	line := 0
	for i := range l.Spans {
		s := &l.Spans[i]
		switch {
		case !s.Open:
		case s.UID != pod:
			line = 1 - s.Line
		case s.State == state:
			return
		default:
			s.Open, s.To, line = false, at, s.Line
		}
	}
	for i := range l.Spans { // a Pod stays on its line
		if l.Spans[i].UID == pod {
			line = l.Spans[i].Line
		}
	}
	if state != "" {
		l.Spans = append(l.Spans, Span{From: at, Open: true, UID: pod, Version: version, Line: line, State: state})
	}
}

// drawPlaces is the chart at the end of the story.
func (t *teller) drawPlaces() *Places {
	if t.placed == nil {
		return nil
	}
	out := &Places{}
	for _, name := range t.placed.versions {
		out.Versions = append(out.Versions, Version{Name: name, Revision: t.revision(name)})
	}
	for _, lane := range t.placed.lanes {
		l := Lane{Name: lane.Name}
		for _, s := range lane.Spans {
			if s.Open {
				s.To = t.story.Now
			}
			if s.Open || s.To.After(s.From) {
				l.Spans = append(l.Spans, s)
			}
		}
		out.Lanes = append(out.Lanes, l)
	}
	slices.SortFunc(out.Lanes, func(a, b Lane) int { // web-2 before web-10
		return cmp.Or(cmp.Compare(len(a.Name), len(b.Name)), strings.Compare(a.Name, b.Name))
	})
	return out
}
