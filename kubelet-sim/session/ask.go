package session

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// ask is what a client wants of the engine.
type ask struct {
	do   func(now time.Time)
	done chan struct{}
}

// newKey returns the key of what a client of a Pod begins.
func (s *Sessions) newKey(namespace, pod string) engine.Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	return engine.Key{Controller: s.Name(), Namespace: namespace, Name: fmt.Sprintf("%s/%d", pod, s.last)}
}

// ask has f done in a step of key and waits for that. If ctx ends first, f is not
// done.
func (s *Sessions) ask(ctx context.Context, key engine.Key, what string, f func(now time.Time)) error {
	a := s.post(key, what, f)
	select {
	case <-a.done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	i := slices.Index(s.asks[key], a)
	if i >= 0 {
		s.asks[key] = slices.Delete(s.asks[key], i, i+1)
	}
	s.mu.Unlock()
	if i >= 0 {
		return ctx.Err()
	}
	<-a.done // its step has begun
	return nil
}

// post is ask for callers that do not wait.
func (s *Sessions) post(key engine.Key, what string, f func(now time.Time)) *ask {
	a := &ask{do: f, done: make(chan struct{})}
	s.mu.Lock()
	s.asks[key] = append(s.asks[key], a)
	s.mu.Unlock()
	s.pods.Engine().Ask(key, what)
	return a
}
