package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// since is an instant as the story counts it.
func (t *teller) since(at time.Time) string { return Offset(at.Sub(t.story.Start)) }

// Offset is a duration with the precision that a reader wants: 4.2s, 1m40s, 1h2m.
func Offset(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + Offset(-d)
	case d < time.Minute:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Round(100*time.Millisecond).Seconds()), ".0") + "s"
	}
	s := d.Round(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// words joins what is not empty.
func words(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), sep)
}

// setting is "name value", or nothing if there is no value.
func setting[T any](name string, value *T) string {
	if value == nil {
		return ""
	}
	return fmt.Sprintf("%s %v", name, *value)
}

// owner is the controller of an object.
func owner(o Object, kind string) *metav1.OwnerReference {
	if ref := metav1.GetControllerOfNoCopy(o); ref != nil && ref.Kind == kind {
		return ref
	}
	return nil
}

// count is a number of things: 1 failure, 2 failures.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

func text[T any](v *T) string {
	if v == nil {
		return "none"
	}
	return fmt.Sprint(*v)
}
