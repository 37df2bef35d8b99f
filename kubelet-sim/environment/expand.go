package environment

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
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

// ExpandAll replaces $(NAME) in a command.
func ExpandAll(list []string, vars map[string]string) ([]string, error) {
	if len(list) == 0 {
		return nil, nil
	}
	mapping := expansion.MappingFuncFor(vars)
	out := make([]string, 0, len(list))
	var x expander
	for _, s := range list {
		expanded, err := x.expand(s, mapping)
		if err != nil {
			return nil, err
		}
		out = append(out, expanded)
	}
	return out, nil
}

// ExpandStatic replaces $(NAME) in the command of a probe, which knows only what
// the spec itself says of the variables. Source: ExpandContainerCommandOnlyStatic
// in k8s.io/kubernetes pkg/kubelet/container v1.37.2.
func ExpandStatic(list []string, c *corev1.Container) []string {
	vars := map[string]string{}
	for i := range c.Env {
		vars[c.Env[i].Name] = c.Env[i].Value
	}
	out, err := ExpandAll(list, vars)
	if err != nil {
		return list // it cannot be started either way
	}
	return out
}

// ExpandSubPath replaces $(NAME); every name must have a value. Source:
// ExpandContainerVolumeMounts in k8s.io/kubernetes pkg/kubelet/container
// v1.37.2.
func ExpandSubPath(expr string, vars map[string]string) (string, error) {
	unset := map[string]bool{}
	var x expander
	out, err := x.expand(expr, func(name string) string {
		if vars[name] == "" {
			unset[name] = true
		}
		return vars[name]
	})
	if err != nil {
		return "", err
	}
	if len(unset) > 0 {
		return "", fmt.Errorf("missing value for %s", strings.Join(slices.Sorted(maps.Keys(unset)), ", "))
	}
	return out, nil
}
