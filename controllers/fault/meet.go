package fault

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Outcome is what a request meets: nothing, an error in place of an answer, or a
// delay before it. Counted: a Fault matches it.
type Outcome struct {
	Err     error
	Delay   time.Duration
	Counted bool
}

// Any reports whether there are Faults. It may be called from any goroutine.
func (r *Reconciler) Any() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.records) > 0
}

// Concern reports whether a Fault would count a client's request. It may be called from
// any goroutine.
func (r *Reconciler) Concern(req Request) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range r.records {
		if rec.concerns(&req) {
			return true
		}
	}
	return false
}

// Meet says what the request of a client meets. It may be called from any goroutine.
// A hit is an input of the engine, with a line in the event log.
func (r *Reconciler) Meet(req Request) Outcome {
	kind := clientWrite
	switch req.Verb {
	case "get", "list", "watch":
		kind = clientRead
	}
	rec, out, seen := r.judge(&req, kind, "", r.engine.Now())
	for _, name := range seen {
		if rec == nil || name != rec.name {
			r.engine.Poke(key(name))
		}
	}
	if rec != nil {
		r.engine.Ask(key(rec.name), tale(rec.name, &req, out))
	}
	out.Counted = len(seen) > 0
	return out
}

// meetLocal says what the request of a controller or kubelet meets, on the engine's
// goroutine.
func (r *Reconciler) meetLocal(req *Request) error {
	req.local = true
	now := r.engine.Now()
	rec, out, seen := r.judge(req, localRequest, r.engine.Step(), now)
	for _, name := range seen {
		r.engine.Poke(key(name))
	}
	if rec != nil {
		r.engine.Tell(tale(rec.name, req, out))
	}
	if out.Delay > 0 {
		r.engine.Delay(engine.After(now, out.Delay))
	}
	return out.Err
}

// tale is a hit's line in the event log.
func tale(name string, req *Request, out Outcome) string {
	text := "fault/" + name + ": " + req.String() + ": "
	if out.Delay > 0 {
		return text + "takes " + out.Delay.String()
	}
	return text + strconv.Quote(out.Err.Error())
}

// judge returns the first Fault by name that hits a request, with what it does; nil if
// none does. A request that is under way still meets its delay, but is no new hit. seen
// are the Faults whose counts have changed.
func (r *Reconciler) judge(req *Request, kind requestKind, step string, now time.Time) (hit *record, out Outcome, seen []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.records) == 0 {
		return nil, out, nil
	}
	for _, name := range slices.Sorted(maps.Keys(r.records)) {
		rec := r.records[name]
		if !rec.concerns(req) {
			continue
		}
		if d, ok := rec.Delayed[step]; ok && req.local && d.Request == req.String() {
			if now.Before(d.Until) {
				return nil, Outcome{Delay: d.Until.Sub(now)}, seen
			}
			delete(rec.Delayed, step)
			seen = append(seen, name)
			continue
		}
		n := rec.Seen[kind]
		rec.Seen[kind]++
		seen = append(seen, name)
		if !r.drawn(rec, "request"+strconv.Itoa(int(kind)), n) {
			continue
		}
		rec.Hits++
		rec.Last = now
		return rec, rec.outcome(req, step, now), seen
	}
	return nil, out, seen
}

// concerns reports whether the Fault may hit a request.
func (rec *record) concerns(req *Request) bool {
	s := rec.spec
	switch {
	case !rec.active || rec.spent() || !matches(s.Requests, req):
		return false
	case s.Error != nil || s.Conflict != nil:
		return true
	case s.Latency != nil:
		// Upstream's controllers do not wait for their Events.
		return !req.local || req.Resource.Resource != "events"
	case s.Expire != nil:
		return req.From > 0 && req.From < rec.Forgotten
	}
	return false
}

func (rec *record) outcome(req *Request, step string, now time.Time) Outcome {
	s := rec.spec
	switch {
	case s.Latency != nil:
		wait := v1alpha1.Duration(s.Latency)
		if req.local {
			if rec.Delayed == nil {
				rec.Delayed = map[string]delayed{}
			}
			rec.Delayed[step] = delayed{req.String(), engine.After(now, wait)}
		}
		return Outcome{Delay: wait}
	case s.Expire != nil:
		return Outcome{Err: expired(req, rec.Forgotten)}
	}
	return Outcome{Err: failure(rec.name, s, req)}
}

// watches are those of clients that are open, in the order in which they began.
type watches struct {
	last int64
	open map[int64]openWatch
}

type openWatch struct {
	req   Request
	close func()
}

// Watch lets a Fault end a watch that begins, by calling end. The caller must call
// over when it has ended.
func (r *Reconciler) Watch(req Request, end func()) (over func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := &r.watches
	if w.open == nil {
		w.open = map[int64]openWatch{}
	}
	w.last++
	id := w.last
	w.open[id] = openWatch{req, end}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(w.open, id)
	}
}

// closeWatches ends the open watches that the Fault hits.
func (r *Reconciler) closeWatches(rec *record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	hits := false
	for _, id := range slices.Sorted(maps.Keys(r.watches.open)) {
		w := r.watches.open[id]
		if !matches(rec.spec.Requests, &w.req) || rec.spent() {
			continue
		}
		n := rec.Seen[clientRead]
		rec.Seen[clientRead]++
		if !r.drawn(rec, "watch", n) {
			continue
		}
		rec.Hits++
		rec.Last, hits = r.engine.Now(), true
		r.engine.Tell("fault/" + rec.name + ": " + w.req.String() + ": closed")
		w.close()
	}
	if hits {
		r.engine.Poke(key(rec.name)) // its status is to say so
	}
}

// revision is the number of a resource version that the API server gave.
func revision(resourceVersion string) int64 {
	n, _ := strconv.ParseInt(resourceVersion, 10, 64) // it is one
	return n
}
