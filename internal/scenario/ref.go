package scenario

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
)

// ref names objects as kubectl's command line does: TYPE/NAME, TYPE NAME, or TYPE with
// -l SELECTOR; -n NAMESPACE may be added.
type ref struct {
	Type, Name string
	Selector   labels.Selector
	Namespace  string
	text       string
}

func (r ref) String() string { return r.text }

// parseRef reads a reference. Without a type it is one of kind, if that is not empty.
func parseRef(text, kind, namespace string) (ref, error) {
	r := ref{Namespace: namespace, text: text}
	words := strings.Fields(text)
	for i := 0; i < len(words); i++ {
		word := words[i]
		switch {
		case word == "-l" || word == "-n":
			if i++; i == len(words) {
				return r, fmt.Errorf("%q: %s wants a value", text, word)
			}
			if err := r.option(word, words[i]); err != nil {
				return r, fmt.Errorf("%q: %w", text, err)
			}
		case strings.HasPrefix(word, "-"):
			return r, fmt.Errorf("%q: want TYPE/NAME, or TYPE -l SELECTOR, and perhaps -n NAMESPACE; there is no option %s", text, word)
		case r.Type == "":
			r.Type, r.Name, _ = strings.Cut(word, "/")
		case r.Name == "":
			r.Name = word
		default:
			return r, fmt.Errorf("%q: want one object, such as job/pi, or several, such as \"pods -l job-name=pi\"", text)
		}
	}
	if kind != "" && r.Type != "" && r.Name == "" && r.Selector == nil {
		r.Type, r.Name = kind, r.Type // a name alone
	}
	if r.Type == "" {
		r.Type = kind
	}
	if r.Type == "" {
		return r, fmt.Errorf("%q: want TYPE/NAME, such as job/pi", text)
	}
	return r, nil
}

func (r *ref) option(name, value string) (err error) {
	if name == "-l" {
		r.Selector, err = labels.Parse(value)
		return err
	}
	if wrong := validation.IsDNS1123Label(value); len(wrong) > 0 {
		return fmt.Errorf("-n %s: %s", value, wrong[0])
	}
	r.Namespace = value
	return nil
}

// one says why r is not one object.
func (r ref) one() error {
	if r.Name == "" || r.Selector != nil {
		return fmt.Errorf("%q: want one object, TYPE/NAME, such as job/pi", r.text)
	}
	return nil
}

// matches reports whether an object of r's type is meant.
func (r ref) matches(namespaced bool, namespace, name string, set map[string]string) bool {
	if namespaced && namespace != r.Namespace {
		return false
	}
	if r.Name != "" && name != r.Name {
		return false
	}
	return r.Selector == nil || r.Selector.Matches(labels.Set(set))
}
