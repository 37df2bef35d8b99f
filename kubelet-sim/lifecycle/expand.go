package lifecycle

import (
	"errors"

	"k8s.io/kubernetes/third_party/forked/golang/expansion"
)

// argumentsMax bounds what $(NAME) can put into the environment, or into the command, of a
// container, and all of its environment: a variable may have another one in it twice, which has
// another one in it twice. Unit: bytes. Source: ARG_MAX, a quarter of the stack's limit, in
// execve(2) of Linux.
//
// Deviation: upstream's kubelet expands it all; what it makes of it cannot be started.
const argumentsMax = 2 << 20

// errTooLong is what execve says of more than argumentsMax.
var errTooLong = errors.New("argument list too long")

// expander replaces $(NAME) in strings that belong together.
type expander struct {
	// used is how much was put in so far.
	used int
}

func (x *expander) expand(s string, mapping func(string) string) (string, error) {
	out := expansion.Expand(s, func(name string) string {
		value := mapping(name)
		if x.used += len(value); x.used > argumentsMax {
			return ""
		}
		return value
	})
	if x.used > argumentsMax {
		return "", errTooLong
	}
	return out, nil
}

// fits refuses an environment that no program can be started with.
func (e *environment) fits() error {
	size := 0
	for name, value := range e.vars {
		if size += len(name) + len(value) + 2; size > argumentsMax {
			return errTooLong
		}
	}
	return nil
}
