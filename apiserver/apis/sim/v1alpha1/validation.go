package v1alpha1

import (
	"slices"
	"strings"
	"time"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Bounds of a script, far above what a test or an exercise needs.
const (
	attemptsMax = 1000
	stepsMax    = 1000
	// textMax bounds what one step prints or runs. Unit: bytes.
	textMax = 256 << 10
	// messageMax bounds a message. Unit: bytes. Source: MaxContainerTerminationMessageLength
	// in k8s.io/kubernetes pkg/kubelet/container v1.37.2.
	messageMax = 4096
	// durationMax bounds a wait. Unit: virtual time.
	durationMax = 10 * 365 * 24 * time.Hour
)

// ValidatePodScript returns what is wrong with s, with the path of each field.
func ValidatePodScript(s *PodScript) field.ErrorList {
	errs := apivalidation.ValidateObjectMeta(&s.ObjectMeta, false, apivalidation.NameIsDNSSubdomain, field.NewPath("metadata"))
	spec := field.NewPath("spec")
	errs = append(errs, validateMatch(&s.Spec.Match, spec.Child("match"))...)
	attempts := spec.Child("attempts")
	switch n := len(s.Spec.Attempts); {
	case n == 0:
		errs = append(errs, field.Required(attempts, "say what the container does, for example [{steps: [{exit: 0}]}]"))
	case n > attemptsMax:
		return append(errs, field.TooMany(attempts, n, attemptsMax))
	}
	for i := range s.Spec.Attempts {
		errs = append(errs, validateAttempt(&s.Spec.Attempts[i], attempts.Index(i))...)
	}
	return errs
}

// ValidatePodScriptUpdate returns what is wrong with a change of old to s.
func ValidatePodScriptUpdate(s, old *PodScript) field.ErrorList {
	errs := apivalidation.ValidateObjectMetaUpdate(&s.ObjectMeta, &old.ObjectMeta, field.NewPath("metadata"))
	return append(errs, ValidatePodScript(s)...)
}

func validateMatch(m *Match, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if m.PodSelector != nil {
		errs = append(errs, metav1validation.ValidateLabelSelector(m.PodSelector, metav1validation.LabelSelectorValidationOptions{}, path.Child("podSelector"))...)
	}
	if m.Owner != nil {
		errs = append(errs, validateOwner(m.Owner, path.Child("owner"))...)
	}
	return append(errs, validateIndexes(m.Indexes, path.Child("indexes"))...)
}

// validateOwner refuses what is meant to be a kind that runs Pods and is not written as one:
// it would match nothing.
func validateOwner(m *OwnerMatch, path *field.Path) field.ErrorList {
	if *m == (OwnerMatch{}) {
		return field.ErrorList{field.Required(path, "set kind, name or both")}
	}
	for _, kind := range [...]string{"ReplicaSet", "ReplicationController", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"} {
		if m.Kind != kind && (strings.EqualFold(m.Kind, kind) || strings.EqualFold(m.Kind, kind+"s")) {
			return field.ErrorList{field.Invalid(path.Child("kind"), m.Kind, "want the kind as in manifests: "+kind)}
		}
	}
	return nil
}

func validateIndexes(s string, path *field.Path) field.ErrorList {
	if s == "" {
		return nil
	}
	if _, err := ParseIndexes(s); err != nil {
		return field.ErrorList{field.Invalid(path, s, err.Error())}
	}
	return nil
}

func validateAttempt(a *Attempt, path *field.Path) field.ErrorList {
	errs := validateIndexes(a.Indexes, path.Child("indexes"))
	steps := path.Child("steps")
	switch n := len(a.Steps); {
	case n == 0:
		errs = append(errs, field.Required(steps, "say what the container does, for example [{exit: 0}]"))
	case n > stepsMax:
		return append(errs, field.TooMany(steps, n, stepsMax))
	}
	var order order
	for i := range a.Steps {
		s := &a.Steps[i]
		errs = append(errs, validateStep(s, steps.Index(i))...)
		if names := s.set(); len(names) == 1 {
			errs = append(errs, order.next(names[0], s.Percent != nil, steps.Index(i))...)
		}
	}
	return errs
}

// order is what the steps before the next one say about it.
type order struct {
	started bool   // a step that needs a started container
	last    string // a step that is always the last
}

func (o *order) next(step string, maybe bool, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if o.last != "" {
		errs = append(errs, field.Forbidden(path.Child(step), "it is never reached: nothing follows the "+o.last+" step before it"))
	}
	pulls := step == "pull" || step == "pullError"
	if pulls && o.started {
		errs = append(errs, field.Forbidden(path.Child(step), "an image is pulled before the container starts: put it before all other steps"))
	}
	o.started = o.started || !pulls
	if !maybe && slices.Contains([]string{"pullError", "run", "exit", "signal", "oom", "evict", "hang"}, step) {
		o.last = step
	}
	return errs
}

// set returns the names of the step's fields that are set, but percent.
func (s *Step) set() []string {
	var names []string
	for _, f := range [...]struct {
		name string
		set  bool
	}{
		{"pull", s.Pull != nil}, {"pullError", s.PullError != nil}, {"log", s.Log != nil}, {"stderr", s.Stderr != nil},
		{"wait", s.Wait != nil}, {"shell", s.Shell != nil}, {"run", s.Run != nil}, {"ready", s.Ready != nil},
		{"usage", s.Usage != nil}, {"terminationMessage", s.TerminationMessage != nil}, {"exit", s.Exit != nil},
		{"signal", s.Signal != nil}, {"oom", s.OOM != nil}, {"evict", s.Evict != nil}, {"hang", s.Hang != nil},
	} {
		if f.set {
			names = append(names, f.name)
		}
	}
	return names
}

func validateStep(s *Step, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch names := s.set(); {
	case len(names) == 0:
		errs = append(errs, field.Required(path, "set one of pull, pullError, log, stderr, wait, shell, run, ready, usage, terminationMessage, exit, signal, oom, evict and hang"))
	case len(names) > 1:
		errs = append(errs, field.Forbidden(path.Child(names[1]), "a step does one thing, and "+names[0]+" is set already: make it two steps"))
	}
	if s.Percent != nil && (*s.Percent < 1 || *s.Percent > 100) {
		errs = append(errs, field.Invalid(path.Child("percent"), *s.Percent, "must be between 1 and 100"))
	}
	if s.Exit != nil && (*s.Exit < 0 || *s.Exit > 255) {
		errs = append(errs, field.Invalid(path.Child("exit"), *s.Exit, "must be between 0 and 255"))
	}
	if s.Signal != nil && !slices.Contains(signals(), *s.Signal) {
		errs = append(errs, field.NotSupported(path.Child("signal"), *s.Signal, signals()))
	}
	if s.Usage != nil {
		errs = append(errs, validateUsage(s.Usage, path.Child("usage"))...)
	}
	errs = append(errs, validateDuration(s.Pull, path.Child("pull"))...)
	errs = append(errs, validateDuration(s.Wait, path.Child("wait"))...)
	return append(errs, validateTexts(s, path)...)
}

func validateTexts(s *Step, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, text := range [...]struct {
		name  string
		value *string
		most  int
	}{
		{"log", s.Log, textMax}, {"stderr", s.Stderr, textMax}, {"shell", s.Shell, textMax},
		{"pullError", s.PullError, messageMax}, {"terminationMessage", s.TerminationMessage, messageMax},
	} {
		if text.value != nil && len(*text.value) > text.most {
			errs = append(errs, field.TooLong(path.Child(text.name), "", text.most))
		}
	}
	for _, must := range [...]struct {
		name  string
		value *string
		want  string
	}{
		{"pullError", s.PullError, "say why, for example \"no such host\""}, {"shell", s.Shell, "say what to run, for example \"echo hello\""},
	} {
		if must.value != nil && strings.TrimSpace(*must.value) == "" {
			errs = append(errs, field.Required(path.Child(must.name), must.want))
		}
	}
	if s.Evict != nil && len(s.Evict.Message) > messageMax {
		errs = append(errs, field.TooLong(path.Child("evict", "message"), "", messageMax))
	}
	return errs
}

func validateDuration(s *string, path *field.Path) field.ErrorList {
	if s == nil {
		return nil
	}
	d, err := time.ParseDuration(*s)
	switch {
	case err != nil || d < 0:
		return field.ErrorList{field.Invalid(path, *s, "want a duration, for example 250ms, 5s or 1h30m")}
	case d > durationMax:
		return field.ErrorList{field.Invalid(path, *s, "must be at most "+durationMax.String())}
	}
	return nil
}

func signals() []Signal {
	return []Signal{SignalHUP, SignalINT, SignalQUIT, SignalILL, SignalABRT, SignalBUS, SignalFPE, SignalKILL, SignalSEGV, SignalPIPE, SignalTERM}
}
