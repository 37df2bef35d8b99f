package storage

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"k8s.io/apiserver/pkg/apis/example"
	"k8s.io/apiserver/pkg/storage"
)

// op is what a client asked of one key, answer what it was told.
type op struct {
	verb string
	key  string
	arg  string
}

type answer struct {
	found bool   // or: it succeeded
	value string // of get
}

// register is a key that exists with a value, or does not.
func register() porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			byKey := map[string]int{}
			var parts [][]porcupine.Operation
			for _, o := range history {
				i, ok := byKey[o.Input.(op).key]
				if !ok {
					i, byKey[o.Input.(op).key] = len(parts), len(parts)
					parts = append(parts, nil)
				}
				parts[i] = append(parts[i], o)
			}
			return parts
		},
		Init: func() any { return answer{} },
		Step: func(state, input, output any) (bool, any) {
			st, in, out := state.(answer), input.(op), output.(answer)
			switch in.verb {
			case "get":
				return out == st, st
			case "create":
				return out.found == !st.found, answer{true, pick(st.found, st.value, in.arg)}
			case "update":
				return out.found == st.found, answer{st.found, pick(st.found, in.arg, "")}
			default: // delete
				return out.found == st.found, answer{}
			}
		},
	}
}

func pick(b bool, yes, no string) string {
	if b {
		return yes
	}
	return no
}

// do carries o out. Refusals are answers; other errors fail the test.
func do(t *testing.T, s *Store, o op) answer {
	var err error
	p := &example.Pod{}
	switch o.verb {
	case "get":
		err = s.Get(t.Context(), o.key, storage.GetOptions{}, p)
	case "create":
		in := pod(o.key)
		in.Labels = map[string]string{"v": o.arg}
		err = s.Create(t.Context(), o.key, in, nil, 0)
	case "update":
		err = s.GuaranteedUpdate(t.Context(), o.key, p, false, nil, label(o.arg), nil)
	case "delete":
		err = s.Delete(t.Context(), o.key, p, nil, storage.ValidateAllObjectFunc, nil, storage.DeleteOptions{})
	}
	if err != nil && !storage.IsNotFound(err) && !storage.IsExist(err) {
		t.Error(err)
	}
	if o.verb != "get" || err != nil {
		return answer{found: err == nil}
	}
	return answer{true, p.Labels["v"]}
}

// TestConcurrentClientsSeeOneOrder checks with porcupine that what 8 clients
// were told is what some order of their operations, one at a time, would give.
func TestConcurrentClientsSeeOneOrder(t *testing.T) {
	t.Run("ephemeral", func(t *testing.T) { seeOneOrder(t, newFixture(t, setup{ephemeral: true})) })
	t.Run("durable", func(t *testing.T) { seeOneOrder(t, newFixture(t, setup{})) })
}

func seeOneOrder(t *testing.T, f *fixture) {
	start := time.Now()
	var mu sync.Mutex
	var history []porcupine.Operation
	var wg sync.WaitGroup
	for client := range 8 {
		wg.Go(func() {
			verbs := []string{"create", "get", "update", "get", "update", "delete", "get"}
			for i := range 150 {
				o := op{verbs[(i*5+client)%len(verbs)], fmt.Sprintf("/pods/ns/p%d", i%3), fmt.Sprintf("%d-%d", client, i)}
				call := time.Since(start).Nanoseconds()
				out := do(t, f.Store, o)
				mu.Lock()
				history = append(history, porcupine.Operation{
					ClientId: client, Input: o, Call: call, Output: out, Return: time.Since(start).Nanoseconds(),
				})
				mu.Unlock()
			}
		})
	}
	for range 20 { // compaction goes on beside them
		if err := f.db.Compact(t.Context(), f.db.Revision()); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	if r := porcupine.CheckOperationsTimeout(register(), history, 30*time.Second); r == porcupine.Illegal {
		t.Error("the history is not linearizable")
	}
}
