package e2e

import (
	"time"

	"github.com/anishathalye/porcupine"
)

// request is what a client asked of one key, to which create and update give a
// token.
type request struct {
	verb, key, token string
}

// answer is what the client was told.
type answer struct {
	// unknown: the server died first. It may have done it, or not.
	unknown bool
	// found: the object exists, or the write succeeded; else it was refused as
	// NotFound or AlreadyExists.
	found bool
	value string // the token that get found
}

// operation is a request with its answer and, of an acknowledged write that
// returns the object, what it returned.
type operation struct {
	request
	answer
	client    int
	call, ret time.Duration // since the test began
	rv        int64
	state     string
}

// register models a key that exists with a token, or does not: the model of
// storage's own test, but that an outcome may be unknown.
func register() porcupine.Model {
	model := porcupine.NondeterministicModel{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			place := map[string]int{}
			var parts [][]porcupine.Operation
			for _, o := range history {
				key := o.Input.(request).key
				if _, ok := place[key]; !ok {
					place[key] = len(parts)
					parts = append(parts, nil)
				}
				parts[place[key]] = append(parts[place[key]], o)
			}
			return parts
		},
		Init: func() []any { return []any{answer{}} },
		Step: func(state, input, output any) []any {
			st, in, out := state.(answer), input.(request), output.(answer)
			next, ok := apply(st, in)
			switch {
			case out.unknown:
				return []any{st, next}
			case in.verb == "begin": // what earlier histories have left
				return []any{out}
			case in.verb == "get" && out == st, in.verb != "get" && out.found == ok:
				return []any{next}
			}
			return nil
		},
	}
	return model.ToModel()
}

// apply returns the state after a request, and whether it succeeds.
func apply(st answer, in request) (answer, bool) {
	switch {
	case in.verb == "create" && !st.found, in.verb == "update" && st.found:
		return answer{found: true, value: in.token}, true
	case in.verb == "delete" && st.found:
		return answer{}, true
	}
	return st, false
}

// linearizable reports whether some order of the operations, one at a time and
// each between its call and its return, gives every answer.
func linearizable(history []operation) bool {
	ops := make([]porcupine.Operation, len(history))
	for i, o := range history {
		ops[i] = porcupine.Operation{ClientId: o.client, Input: o.request, Call: int64(o.call), Output: o.answer, Return: int64(o.ret)}
	}
	return porcupine.CheckOperations(register(), ops)
}
