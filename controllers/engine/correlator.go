package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/lru"
)

// Bounds of what is written about one object. Source: defaultAggregateMaxEvents
// and so on in k8s.io/client-go tools/record v0.37.2. alikeInterval is virtual
// time.
const (
	alikeMax      = 10
	alikeInterval = 10 * time.Minute
	spamBurst     = 25
	spamQPS       = float32(1. / 300)
)

// correlationsMax is how many objects' Events are remembered; the one that was
// quiet for longest is forgotten first.
//
// Deviation: upstream remembers 4096 keys of each kind for each source.
const correlationsMax = 1 << 15

// correlator decides which Events are written: equal ones are counted up, more
// than alikeMax alike in alikeInterval are combined, and of more than spamBurst about
// one object only one in five minutes is let through. It is upstream's
// record.EventCorrelator on virtual time, with a memory that outlives the process,
// and without the choice that a map's order makes there of which of ten
// messages is forgotten. A Reconciler without steps, for its notes' sake.
type correlator struct {
	engine *Engine
	// objects holds *correlation by Key.
	objects *lru.Cache
}

var _ Rememberer = (*correlator)(nil)

// correlation is what is remembered about one source's Events for one object.
type correlation struct {
	_ struct{} `cbor:",toarray"`
	// Spam is by type of Event, Alike by what makes Events alike, Seen by what
	// makes them equal.
	Spam  map[string]*bucket
	Alike map[string]*alike
	Seen  map[string]*seen
}

// bucket is a token bucket.
type bucket struct {
	_      struct{} `cbor:",toarray"`
	Tokens float64
	At     int64 // Unix ns
}

// alike is the messages of Events that are otherwise equal, the oldest first.
type alike struct {
	_        struct{} `cbor:",toarray"`
	Messages []string
	At       int64 // of the last; Unix ns
}

// seen is the Event that the next equal one counts up.
type seen struct {
	_                     struct{} `cbor:",toarray"`
	Count                 int32
	First                 int64 // Unix ns
	Name, ResourceVersion string
}

func newCorrelator(e *Engine) *correlator {
	c := &correlator{engine: e}
	c.objects = lru.NewWithEvictionFunc(correlationsMax, func(key lru.Key, _ any) { e.Touch(key.(Key)) })
	return c
}

// Name implements Reconciler.
func (c *correlator) Name() string { return "events" }

// Keys implements Reconciler: nothing is ever due.
func (c *correlator) Keys(Commit) []Key { return nil }

// Reconcile implements Reconciler.
func (c *correlator) Reconcile(context.Context, Key, time.Time) (Wake, error) { return Wake{}, nil }

// Remember implements Rememberer.
func (c *correlator) Remember(key Key) []byte {
	v, ok := c.objects.Get(key)
	if !ok {
		return nil
	}
	data, err := cbor.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("engine: %T: %v", v, err)) // plain data
	}
	return data
}

// Recall implements Rememberer.
func (c *correlator) Recall(_ context.Context, key Key, note []byte, _ time.Time) error {
	o := &correlation{}
	if err := cbor.Unmarshal(note, o); err != nil {
		return err
	}
	c.objects.Add(key, o)
	return nil
}

// join makes one key of several texts.
func join(parts ...string) string { return strings.Join(parts, "\x00") }

func (c *correlator) of(event *corev1.Event) *correlation {
	o := &event.InvolvedObject
	key := Key{
		Controller: c.Name(), Namespace: o.Namespace,
		Name: join(event.Source.Component, event.Source.Host, o.Kind, o.Name, string(o.UID), o.APIVersion),
	}
	c.engine.Touch(key)
	if v, ok := c.objects.Get(key); ok {
		return v.(*correlation)
	}
	v := &correlation{Spam: map[string]*bucket{}, Alike: map[string]*alike{}, Seen: map[string]*seen{}}
	c.objects.Add(key, v)
	return v
}

// correlate returns the Event to write: with a count above 1 the newer state of
// one that was written, false for none.
func (c *correlator) correlate(event *corev1.Event, now time.Time) (*corev1.Event, bool) {
	o := c.of(event)
	event, key := o.combine(event, now)
	s, ok := o.Seen[key]
	if ok {
		event.Name, event.ResourceVersion = s.Name, s.ResourceVersion
		event.FirstTimestamp = metav1.NewTime(time.Unix(0, s.First).UTC())
		event.Count = s.Count + 1
	}
	o.saw(key, event)
	return event, o.accept(event.Type, now)
}

// stored takes over what the API made of an Event.
func (c *correlator) stored(event *corev1.Event) { c.of(event).saw(equalKey(event), event) }

func (o *correlation) saw(key string, event *corev1.Event) {
	o.Seen[key] = &seen{
		Count: event.Count, First: event.FirstTimestamp.UnixNano(), Name: event.Name, ResourceVersion: event.ResourceVersion,
	}
}

func equalKey(event *corev1.Event) string {
	return join(event.InvolvedObject.FieldPath, event.Type, event.Reason, event.Message)
}

// combine returns event, or the one that stands for it and others alike, and what
// it is equal by. Source: EventAggregator.EventAggregate.
func (o *correlation) combine(event *corev1.Event, now time.Time) (*corev1.Event, string) {
	key := join(event.Type, event.Reason, event.ReportingController, event.ReportingInstance)
	a := o.Alike[key]
	if a == nil || now.Sub(time.Unix(0, a.At)) > alikeInterval {
		a = &alike{}
		o.Alike[key] = a
	}
	a.add(event.Message)
	a.At = now.UnixNano()
	if len(a.Messages) < alikeMax {
		return event, equalKey(event)
	}
	a.Messages = a.Messages[1:]
	t := metav1.NewTime(now)
	return &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{
			Name:      fmt.Sprintf("%v.%x", event.InvolvedObject.Name, now.UnixNano()),
			Namespace: event.Namespace,
		},
		Count: 1, FirstTimestamp: t, LastTimestamp: t,
		InvolvedObject: event.InvolvedObject, Source: event.Source,
		Type: event.Type, Reason: event.Reason,
		Message: "(combined from similar events): " + event.Message,
	}, key
}

func (a *alike) add(message string) {
	if !slices.Contains(a.Messages, message) {
		a.Messages = append(a.Messages, message)
	}
}

// accept takes a token, if there is one. Source: EventSourceObjectSpamFilter.
func (o *correlation) accept(eventType string, now time.Time) bool {
	b := o.Spam[eventType]
	if b == nil {
		b = &bucket{Tokens: spamBurst}
		o.Spam[eventType] = b
	} else {
		b.Tokens = min(spamBurst, b.Tokens+now.Sub(time.Unix(0, b.At)).Seconds()*float64(spamQPS))
	}
	b.At = now.UnixNano()
	if b.Tokens < 1 {
		return false
	}
	b.Tokens--
	return true
}
