// Package explain tells the life of a Job, a Pod, a Deployment …, with the cause of each
// step, from the commits of the store.
//
// [Tell] is pure: it gets the commits of the object, of what it controls, of their
// Events, of the nodes and Faults, in revision order, and returns a [Story]. Other code
// prints it (print.go), draws it (picture, dot.go) and fetches commits
// (internal/handlers).
//
// Invariants: the same commits give the same Story, and the same Story gives the same
// bytes. A step's causes come before it.
package explain

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// Object is an API object in its external version.
type Object interface {
	metav1.Object
	runtime.Object
}

// Commit is one revision of one object.
type Commit struct {
	Revision int64
	// Time is the virtual time. Actor is the commit's author: the key of the engine's
	// step, such as "job/default/pi", or "client/USER". It is empty if the store did
	// not keep that yet.
	Time  time.Time
	Actor string
	Type  watch.EventType
	// Object is the new state or, for Deleted, the last one.
	Object Object
	// Cut says that older revisions of the object were compacted away.
	Cut bool
}

// Target is the object that a Story is about.
type Target struct {
	// Kind is Job, Pod, CronJob, Deployment, ReplicaSet, StatefulSet, DaemonSet
	// or HorizontalPodAutoscaler.
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// Ref is how steps name the target: job/pi.
func (t Target) Ref() string { return kindWord(t.Kind) + "/" + t.Name }

// kindWord is the word with which steps name a kind.
func kindWord(kind string) string {
	if kind == "HorizontalPodAutoscaler" {
		return "hpa"
	}
	return strings.ToLower(kind)
}

// Story is what has happened to an object.
type Story struct {
	Target
	// Start is the instant from which times are counted. Now is when the story was
	// told.
	Start time.Time `json:"start"`
	Now   time.Time `json:"now"`
	// Forgotten are objects whose beginning was compacted away.
	Forgotten []string `json:"forgotten,omitempty"`
	Steps     []Step   `json:"steps"`
	Rows      []Row    `json:"rows"`
	// Chart is that of a Deployment, Places that of a StatefulSet or DaemonSet, Scaling that of a
	// HorizontalPodAutoscaler. They are nil of anything else.
	Chart   *Chart   `json:"chart,omitempty"`
	Places  *Places  `json:"places,omitempty"`
	Scaling *Scaling `json:"scaling,omitempty"`
}

// Tone says what a step means to a reader.
type Tone string

// The tones.
const (
	Plain Tone = ""
	Good  Tone = "good"
	Bad   Tone = "bad"
	Wait  Tone = "wait"
	// Outside is what a client has done.
	Outside Tone = "client"
)

// Step is one thing that happened.
type Step struct {
	// At is the virtual time. Revision is the commit that shows the step.
	At       time.Time `json:"at"`
	Revision int64     `json:"revision"`
	// By is who did it: "client ann", "job", "kubelet".
	By string `json:"by"`
	// Object is what it happened to: "job/pi", "pod/pi-x7k2p", "node/node-1".
	Object string `json:"object"`
	What   string `json:"what"`
	// Why is the cause in words, if it is not obvious. Causes are earlier steps.
	Why    string `json:"why,omitempty"`
	Causes []int  `json:"causes,omitempty"`
	Tone   Tone   `json:"tone,omitempty"`
}

// none is no step.
const none = -1

// teller makes a Story out of commits.
type teller struct {
	story Story
	// c is the commit that is being told.
	c *Commit
	// last is the state of each object before it.
	last      map[types.UID]Object
	pods      map[types.UID]*podStory
	jobs      map[types.UID]*jobStory
	workloads map[types.UID]*workloadStory
	// charted is nil unless the story is about a Deployment.
	charted *charted
	// placed is nil unless the story is about a StatefulSet or a DaemonSet, scaler unless it is about a
	// HorizontalPodAutoscaler.
	placed *placed
	scaler *scaler
	// revisions are the numbers of ControllerRevisions.
	revisions map[string]int64
	// gone are the objects that are not there any more.
	gone  map[types.UID]bool
	nodes map[string]*nodeStory
	// counts are those of Events; faults how often each Fault has hit, hits when.
	counts map[types.UID]int32
	faults map[string]int64
	hits   []hit
	// created is the step of each object's creation, by UID.
	created map[types.UID]int
}

// Tell explains the commits of target and of what belongs to it, in revision order. now
// is the present instant.
func Tell(target Target, commits []Commit, now time.Time) Story {
	t := &teller{
		story: Story{Target: target, Now: now, Steps: []Step{}, Rows: []Row{}}, last: map[types.UID]Object{},
		pods: map[types.UID]*podStory{}, jobs: map[types.UID]*jobStory{}, workloads: map[types.UID]*workloadStory{},
		gone: map[types.UID]bool{}, nodes: map[string]*nodeStory{},
		counts: map[types.UID]int32{}, faults: map[string]int64{}, created: map[types.UID]int{}, revisions: map[string]int64{},
	}
	t.story.Start = start(target, commits)
	for i := range commits {
		t.tell(&commits[i])
	}
	t.nameFaults()
	t.goesOn()
	t.draw()
	t.keepOwn()
	return t.story
}

// start is when the first of the objects was created: a Pod's story begins with its Job.
// An autoscaler's begins with itself.
func start(target Target, commits []Commit) time.Time {
	for i := range commits {
		switch kind := kindOf(commits[i].Object); kind {
		case "job", "pod", "cronjob", "deployment", "replicaset", "statefulset", "daemonset", "hpa":
			if target.Kind == "HorizontalPodAutoscaler" && kind != "hpa" {
				continue
			}
			if commits[i].Type == watch.Added {
				return commits[i].Time
			}
			return commits[i].Object.GetCreationTimestamp().UTC()
		}
	}
	return time.Time{}
}

// keepOwn leaves out of a Pod's or a ReplicaSet's story what others have to do with.
func (t *teller) keepOwn() {
	switch t.story.Kind {
	case "Pod":
		t.story.keep(func(object string) bool { return object == t.story.Ref() })
	case "HorizontalPodAutoscaler":
		t.story.keepSteps(func(s *Step) bool {
			return s.Object == t.story.Ref() || strings.HasPrefix(s.By, "client ") && !s.At.Before(t.story.Start)
		})
	case "ReplicaSet":
		own := map[string]bool{t.story.Ref(): true}
		for _, o := range t.last {
			if ref := owner(o, "ReplicaSet"); ref != nil && ref.Name == t.story.Name {
				own["pod/"+o.GetName()] = true
			}
		}
		t.story.keep(func(object string) bool { return own[object] })
	}
}

// keep drops the steps that are neither about an object that is wanted nor cause one
// that is.
func (s *Story) keep(own func(object string) bool) {
	s.keepSteps(func(step *Step) bool { return own(step.Object) })
}

func (s *Story) keepSteps(own func(*Step) bool) {
	wanted := make([]bool, len(s.Steps))
	for i, step := range s.Steps {
		if own(&step) {
			wanted[i] = true
			for _, c := range step.Causes {
				wanted[c] = true
			}
		}
	}
	to := make([]int, len(s.Steps))
	var kept []Step
	for i, step := range s.Steps {
		to[i] = none
		if !wanted[i] {
			continue
		}
		to[i] = len(kept)
		var causes []int
		for _, c := range step.Causes {
			if to[c] != none {
				causes = append(causes, to[c])
			}
		}
		step.Causes = causes
		kept = append(kept, step)
	}
	s.Steps = kept
}
