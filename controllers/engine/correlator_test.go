package engine

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/record"
	clocktesting "k8s.io/utils/clock/testing"
	"pgregory.net/rapid"
)

// TestCorrelatorIsUpstreams compares which Events are written, and how, with
// upstream's correlator; ours is put away and recalled all the while. A message either
// comes once or is one of a few: of ten others upstream forgets any.
func TestCorrelatorIsUpstreams(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		e, err := New(Config{Mode: Manual, Speed: 1, Start: noon()})
		if err != nil {
			rt.Fatal(err)
		}
		ours := e.correlator
		clock := clocktesting.NewFakePassiveClock(noon())
		upstreams := record.NewEventCorrelatorWithOptions(record.CorrelatorOptions{Clock: clock})
		names := map[string]bool{}
		few := rapid.Bool().Draw(rt, "few messages")
		for i := range rapid.IntRange(1, 120).Draw(rt, "events") {
			clock.SetTime(clock.Now().Add(time.Duration(rapid.Int64Range(0, int64(rapid.SampledFrom([]time.Duration{
				time.Second, time.Minute, 20 * time.Minute}).Draw(rt, "scale"))).Draw(rt, "later"))))
			message := fmt.Sprintf("message %d", i)
			if few {
				message = fmt.Sprintf("message %d", i%3)
			}
			event := anyEvent(rt, i, message, clock.Now())
			want, err := upstreams.EventCorrelate(event.DeepCopy())
			if err != nil {
				rt.Fatal(err)
			}
			got, equal, ok := ours.correlate(event.DeepCopy(), clock.Now())
			if ok == want.Skip {
				rt.Fatalf("event %d: written %v, upstream's: %v", i, ok, !want.Skip)
			}
			// An Event has the name that it came with, or that of an earlier one. That one is
			// not always written: it may have been one too many, and is created then.
			if got.Count == 1 && got.Name != event.Name || got.Count > 1 && !names[got.Name] {
				rt.Fatalf("event %d, seen %d times, is named %s", i, got.Count, got.Name)
			}
			names[got.Name] = true
			if ok {
				if got.Message != message {
					want.Event.Name = got.Name // combined: upstream's is that of the instant
				}
				if diff := cmp.Diff(want.Event, got); diff != "" {
					rt.Fatalf("event %d (-upstream's +ours):\n%s", i, diff)
				}
				got.ResourceVersion = fmt.Sprint(i)
				upstreams.UpdateState(got)
				ours.stored(got, equal)
			}
			if rapid.IntRange(0, 9).Draw(rt, "restart") == 0 {
				restart(rt, e)
				ours = e.correlator
			}
		}
	})
}

// restart gives e a correlator that has been told what its own remembers.
func restart(t interface {
	Context() context.Context
	Fatal(...any)
}, e *Engine) {
	old := e.correlator
	e.correlator = newCorrelator(e)
	for _, key := range slices.Clone(e.memories.touched) {
		if note, _ := old.Remember(key); note != nil {
			if err := e.correlator.Recall(t.Context(), key, note, noon()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func anyEvent(rt *rapid.T, i int, message string, now time.Time) *corev1.Event {
	name := rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "object")
	return &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("%s.%d", name, i)},
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "default", Name: name, APIVersion: "v1"},
		Source:         corev1.EventSource{Component: "kubelet", Host: "node-1"},
		Type:           rapid.SampledFrom([]string{corev1.EventTypeNormal, corev1.EventTypeWarning}).Draw(rt, "type"),
		Reason:         rapid.SampledFrom([]string{"Started", "BackOff"}).Draw(rt, "reason"),
		Message:        message, Count: 1,
		FirstTimestamp: metav1.NewTime(now), LastTimestamp: metav1.NewTime(now),
	}
}

// TestCorrelatorForgets: what is gone, what was quiet for longest, and of one object
// the Events that were; a restart does not change which.
func TestCorrelatorForgets(t *testing.T) {
	e, err := New(Config{Mode: Manual, Speed: 1, Start: noon()})
	if err != nil {
		t.Fatal(err)
	}
	now := noon()
	again := func(object, message string) int32 {
		now = now.Add(time.Hour) // neither alike nor spam
		event, _, _ := e.correlator.correlate(&corev1.Event{
			InvolvedObject: corev1.ObjectReference{Name: object, UID: types.UID(object)},
			Type:           corev1.EventTypeNormal, Message: message, Count: 1,
		}, now)
		return event.Count
	}
	again("gone", "a")
	again("stays", "a")
	e.correlator.Observe(Commit{Type: watch.Deleted, Object: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "gone"}}})
	restart(t, e)
	if got := again("gone", "a"); got != 1 {
		t.Errorf("the Event of an object that was deleted counts %d, want 1", got)
	}
	if got := again("stays", "a"); got != 2 {
		t.Errorf("the Event of an object that stays counts %d, want 2", got)
	}
	for i := range seenMax - 1 {
		again("stays", fmt.Sprint(i))
	}
	restart(t, e)
	if got := again("stays", "a"); got != 3 {
		t.Errorf("with %d others since, an Event counts %d, want 3", seenMax-1, got)
	}
	if got := again("stays", "0"); got != 2 {
		t.Errorf("the oldest of %d Events counts %d, want 2", seenMax, got)
	}
	for i := range seenMax {
		again("stays", fmt.Sprint("more ", i))
	}
	if got := again("stays", "a"); got != 1 {
		t.Errorf("with %d others since, an Event counts %d, want 1", seenMax, got)
	}
	for i := range correlationsMax - 1 {
		again(fmt.Sprint("other ", i), "a")
	}
	restart(t, e)
	if got := again("stays", "a"); got != 2 {
		t.Errorf("with %d other objects since, an Event counts %d, want 2", correlationsMax-1, got)
	}
	if got := again("other 0", "a"); got != 2 {
		t.Errorf("the object that was quiet for longest, of %d, counts %d, want 2", correlationsMax, got)
	}
	again("new", "a")
	if got := again("other 1", "a"); got != 1 {
		t.Errorf("with %d other objects since, an Event counts %d, want 1", correlationsMax, got)
	}
}
