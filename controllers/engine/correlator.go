package engine

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/btree"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// These bound what is written about one object. Source: defaultAggregateMaxEvents and
// so on in k8s.io/client-go tools/record v0.37.2. alikeInterval is virtual time.
const (
	alikeMax      = 10
	alikeInterval = 10 * time.Minute
	spamBurst     = 25
	spamQPS       = float32(1. / 300)
)

// correlationsMax is how many objects' Events are remembered, and seenMax is how many
// different Events of each. The one that was quiet for longest is forgotten first. A
// deleted object is forgotten at once, because its UID does not come back.
//
// Deviation: upstream remembers 4096 keys of each kind for each source.
const (
	correlationsMax = 1 << 15
	seenMax         = 256
)

// seenInline is how many different Events of one object are in its note.
const seenInline = 8

// correlator decides which Events are written. Equal Events are counted. More than
// alikeMax similar Events in alikeInterval are combined. Of more than spamBurst Events
// about one object, only one in five minutes is written. It is upstream's
// record.EventCorrelator on virtual time, with a memory that outlives the process.
// Upstream lets a map's order decide which of ten messages is forgotten; here it does
// not. It is a Reconciler without steps, for the sake of its notes.
type correlator struct {
	engine  *Engine
	objects map[Key]*correlation
	// byUID has the keys of objects by what their Events are about. quiet has objects,
	// ordered by how long they were quiet, the longest first.
	byUID map[types.UID][]Key
	quiet *btree.BTreeG[*correlation]
	// order counts the Events.
	order int64
}

var _ Rememberer = (*correlator)(nil)

// correlation is what is remembered about one source's Events for one object. If more
// than seenInline are seen, each has a note of its own: an Event changes only one.
type correlation struct {
	_   struct{} `cbor:",toarray"`
	key Key
	// Order is the number of the last Event, among all Events.
	Order int64
	// Spam is keyed by type of Event, Alike by what makes Events similar, and Seen by
	// what makes them equal.
	Spam  map[string]*bucket
	Alike map[string]*alike
	Seen  map[string]*seen
}

// apart reports whether what o has seen is kept outside of its note.
func (o *correlation) apart() bool { return len(o.Seen) > seenInline }

// bucket is a token bucket.
type bucket struct {
	_      struct{} `cbor:",toarray"`
	Tokens float64
	At     int64 // Unix ns
}

// alike has the messages of Events that are otherwise equal, the oldest first.
type alike struct {
	_        struct{} `cbor:",toarray"`
	Messages []string
	At       int64 // of the last; Unix ns
}

// seen is the Event whose count the next equal one increases.
type seen struct {
	_                     struct{} `cbor:",toarray"`
	Count                 int32
	First                 int64 // Unix ns
	Name, ResourceVersion string
	// Order is the number of the Event, among all Events.
	Order int64
}

func newCorrelator(e *Engine) *correlator {
	return &correlator{
		engine: e, objects: map[Key]*correlation{}, byUID: map[types.UID][]Key{},
		quiet: btree.NewG(btreeDegree, func(a, b *correlation) bool {
			return cmp.Or(cmp.Compare(a.Order, b.Order), a.key.compare(b.key)) < 0
		}),
	}
}

// Name implements Reconciler.
func (c *correlator) Name() string { return "events" }

// Observe implements Reconciler: nothing is ever due.
func (c *correlator) Observe(commit Commit) []Key {
	if commit.Type == watch.Deleted {
		for _, key := range slices.Clone(c.byUID[commit.Object.GetUID()]) {
			c.forget(c.objects[key])
		}
	}
	return nil
}

// Reconcile implements Reconciler.
func (c *correlator) Reconcile(context.Context, Key, time.Time) (Wake, error) { return Wake{}, nil }

// Remember implements Rememberer.
func (c *correlator) Remember(key Key) ([]byte, error) {
	key, equal, ofSeen := splitKey(key)
	o, ok := c.objects[key]
	if !ok {
		return nil, nil
	}
	note := make([]byte, 0, noteBytes)
	if !ofSeen {
		return o.append(note), nil
	}
	if s, ok := o.Seen[equal]; ok && o.apart() {
		return s.append(note), nil
	}
	return nil, nil
}

// noteBytes is the typical length of a note.
const noteBytes = 384

// Recall implements Rememberer.
func (c *correlator) Recall(_ context.Context, key Key, note []byte, _ time.Time) error {
	key, equal, ofSeen := splitKey(key)
	o := c.of(key)
	if ofSeen {
		s := &seen{}
		o.Seen[equal] = s
		return decode(note, s)
	}
	c.quiet.Delete(o)
	apart := o.Seen
	err := decode(note, o)
	if o.Seen == nil { // each has a note of its own
		o.Seen = apart
	}
	c.quiet.ReplaceOrInsert(o)
	c.order = max(c.order, o.Order)
	return err
}

// join combines several texts into one key.
func join(parts ...string) string { return strings.Join(parts, "\x00") }

// keyOf names what is remembered about the Events of event's source and object.
func (c *correlator) keyOf(event *corev1.Event) Key {
	o := &event.InvolvedObject
	return Key{
		Controller: c.Name(), Namespace: o.Namespace,
		Name: join(string(o.UID), event.Source.Component, event.Source.Host, o.Kind, o.Name, o.APIVersion),
	}
}

// seenKey names the note of one seen Event of the object with this key.
func seenKey(key Key, equal string) Key {
	key.Kind, key.Name = Part, join(key.Name, equal)
	return key
}

// splitKey undoes seenKey.
func splitKey(key Key) (object Key, equal string, ofSeen bool) {
	const ofObject = 6 // what keyOf joins
	parts := strings.SplitN(key.Name, "\x00", ofObject+1)
	if key.Kind != Part || len(parts) <= ofObject {
		return key, "", false
	}
	equal = parts[ofObject]
	key.Kind, key.Name = "", key.Name[:len(key.Name)-len(equal)-1]
	return key, equal, true
}

// uidIn returns the UID in a key that keyOf made.
func uidIn(key Key) types.UID {
	uid, _, _ := strings.Cut(key.Name, "\x00")
	return types.UID(uid)
}

// of returns what is remembered under key.
func (c *correlator) of(key Key) *correlation {
	if o, ok := c.objects[key]; ok {
		return o
	}
	for len(c.objects) >= correlationsMax {
		o, _ := c.quiet.Min()
		c.forget(o)
	}
	o := &correlation{key: key, Spam: map[string]*bucket{}, Alike: map[string]*alike{}, Seen: map[string]*seen{}}
	uid := uidIn(key)
	c.objects[key] = o
	c.quiet.ReplaceOrInsert(o)
	c.byUID[uid] = append(c.byUID[uid], key)
	return o
}

// forget drops what is remembered about an object.
func (c *correlator) forget(o *correlation) {
	c.quiet.Delete(o)
	delete(c.objects, o.key)
	uid := uidIn(o.key)
	c.byUID[uid] = slices.DeleteFunc(c.byUID[uid], func(key Key) bool { return key == o.key })
	if len(c.byUID[uid]) == 0 {
		delete(c.byUID, uid)
	}
	c.engine.Touch(o.key)
	if o.apart() {
		c.touchSeen(o)
	}
}

// touchSeen says that the notes of everything that o has seen have changed.
func (c *correlator) touchSeen(o *correlation) {
	for _, equal := range slices.Sorted(maps.Keys(o.Seen)) {
		c.engine.Touch(seenKey(o.key, equal))
	}
}

// note returns what is remembered about the object of a new Event.
func (c *correlator) note(event *corev1.Event) *correlation {
	o := c.of(c.keyOf(event))
	c.quiet.Delete(o)
	c.order++
	o.Order = c.order
	c.quiet.ReplaceOrInsert(o)
	c.engine.Touch(o.key)
	return o
}

// correlate returns the Event to write; if its count is above 1, it is the newer state
// of an Event that was written before. It also returns the key by which the Event is
// equal to others, for stored, and false if there is nothing to write.
func (c *correlator) correlate(event *corev1.Event, now time.Time) (_ *corev1.Event, equal string, _ bool) {
	o := c.note(event)
	event, equal = o.combine(event, now)
	s, ok := o.Seen[equal]
	if ok {
		event.Name, event.ResourceVersion = s.Name, s.ResourceVersion
		event.FirstTimestamp = metav1.NewTime(time.Unix(0, s.First).UTC())
		event.Count = s.Count + 1
	}
	c.saw(o, equal, event)
	return event, equal, o.accept(event.Type, now)
}

// stored records what the API made of an Event that correlate returned with the key
// equal. For a combined Event, upstream keeps only the name that it first gave, which
// the API may have refused.
func (c *correlator) stored(event *corev1.Event, equal string) {
	o := c.of(c.keyOf(event))
	c.saw(o, equalKey(event), event)
	if s := o.Seen[equal]; s != nil && s.Name != event.Name {
		s.Name = event.Name
		c.touch(o, equal)
	}
}

// touch says that one of what o has seen has changed.
func (c *correlator) touch(o *correlation, equal string) {
	if o.apart() {
		c.engine.Touch(seenKey(o.key, equal))
	} else {
		c.engine.Touch(o.key)
	}
}

// saw remembers the newest state of an Event, and at most seenMax of o's Events.
func (c *correlator) saw(o *correlation, equal string, event *corev1.Event) {
	together := !o.apart()
	o.Seen[equal] = &seen{
		Count: event.Count, First: event.FirstTimestamp.UnixNano(), Name: event.Name, ResourceVersion: event.ResourceVersion,
		Order: o.Order,
	}
	if together && o.apart() {
		c.touchSeen(o)
	}
	c.touch(o, equal)
	if len(o.Seen) > seenMax {
		oldest := o.oldest()
		delete(o.Seen, oldest)
		c.engine.Touch(seenKey(o.key, oldest))
	}
}

// oldest returns the key of the Event that was seen before all others.
func (o *correlation) oldest() (oldest string) {
	first := int64(math.MaxInt64)
	for equal, s := range o.Seen {
		if s.Order < first || s.Order == first && equal < oldest {
			oldest, first = equal, s.Order
		}
	}
	return oldest
}

func equalKey(event *corev1.Event) string {
	return join(event.InvolvedObject.FieldPath, event.Type, event.Reason, event.Message)
}

// combine returns event, or the Event that stands for it and similar ones, and the key
// by which it is equal to others. Source: EventAggregator.EventAggregate.
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
		// Upstream makes a new name from the instant. Here another Event may share the
		// instant.
		ObjectMeta: metav1.ObjectMeta{Name: event.Name, Namespace: event.Namespace},
		Count:      1, FirstTimestamp: t, LastTimestamp: t,
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
