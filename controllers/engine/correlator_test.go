package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
			got, ok := ours.correlate(event.DeepCopy(), clock.Now())
			if ok == want.Skip {
				rt.Fatalf("event %d: written %v, upstream's: %v", i, ok, !want.Skip)
			}
			if ok {
				if diff := cmp.Diff(want.Event, got); diff != "" {
					rt.Fatalf("event %d (-upstream's +ours):\n%s", i, diff)
				}
				got.ResourceVersion = fmt.Sprint(i)
				upstreams.UpdateState(got)
				ours.stored(got)
			}
			if rapid.IntRange(0, 9).Draw(rt, "restart") == 0 {
				ours = restarted(rt, e)
			}
		}
	})
}

// restarted returns a correlator that has been told what that of e remembers.
func restarted(rt *rapid.T, e *Engine) *correlator {
	old := e.correlator
	e.correlator = newCorrelator(e)
	for _, key := range e.memories.touched {
		if note := old.Remember(key); note != nil {
			if err := e.correlator.Recall(rt.Context(), key, note, noon()); err != nil {
				rt.Fatal(err)
			}
		}
	}
	return e.correlator
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
