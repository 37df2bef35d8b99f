package v1alpha1

import (
	"slices"
	"strconv"
	"strings"
	"time"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ValidateFault returns what is wrong with f, with the path of each field.
func ValidateFault(f *Fault) field.ErrorList {
	errs := apivalidation.ValidateObjectMeta(&f.ObjectMeta, false, apivalidation.NameIsDNSSubdomain, field.NewPath("metadata"))
	spec := field.NewPath("spec")
	errs = append(errs, validateEffect(&f.Spec, spec)...)
	return append(errs, validateSchedule(&f.Spec, spec)...)
}

// ValidateFaultUpdate returns what is wrong with a change of old to f. The effect of a
// Fault never changes: otherwise its past hits would belong to another effect.
func ValidateFaultUpdate(f, old *Fault) field.ErrorList {
	errs := apivalidation.ValidateObjectMetaUpdate(&f.ObjectMeta, &old.ObjectMeta, field.NewPath("metadata"))
	if f.Spec.Effect() != old.Spec.Effect() {
		errs = append(errs, field.Forbidden(field.NewPath("spec", f.Spec.Effect()), "the Fault is of type "+old.Spec.Effect()+": create another one"))
	}
	return append(errs, ValidateFault(f)...)
}

// These are the names of a Fault's effects.
const (
	EffectError     = "error"
	EffectConflict  = "conflict"
	EffectLatency   = "latency"
	EffectDropWatch = "dropWatch"
	EffectExpire    = "expire"
	EffectNotReady  = "notReady"
	EffectReboot    = "reboot"
	EffectDrain     = "drain"
	EffectPressure  = "pressure"
)

// effects returns the names of what is set, in the order of the type.
func (s *FaultSpec) effects() []string {
	var names []string
	for _, f := range [...]struct {
		name string
		set  bool
	}{
		{EffectError, s.Error != nil}, {EffectConflict, s.Conflict != nil}, {EffectLatency, s.Latency != nil},
		{EffectDropWatch, s.DropWatch != nil}, {EffectExpire, s.Expire != nil},
		{EffectNotReady, s.NotReady != nil}, {EffectReboot, s.Reboot != nil}, {EffectDrain, s.Drain != nil},
		{EffectPressure, s.Pressure != nil},
	} {
		if f.set {
			names = append(names, f.name)
		}
	}
	return names
}

// Effect returns the name of the field that says what the Fault does, for example
// "error"; empty if none is set.
func (s *FaultSpec) Effect() string {
	if names := s.effects(); len(names) > 0 {
		return names[0]
	}
	return ""
}

// OfNodes reports whether the Fault hits nodes, not requests.
func (s *FaultSpec) OfNodes() bool {
	return slices.Contains([]string{EffectNotReady, EffectReboot, EffectDrain, EffectPressure}, s.Effect())
}

func validateEffect(s *FaultSpec, path *field.Path) field.ErrorList {
	names := s.effects()
	switch {
	case len(names) == 0:
		return field.ErrorList{field.Required(path, "set one of error, conflict, latency, dropWatch, expire, notReady, reboot, drain and pressure")}
	case len(names) > 1:
		return field.ErrorList{field.Forbidden(path.Child(names[1]), "a Fault does one thing, and "+names[0]+" is set already: make it two Faults")}
	}
	var errs field.ErrorList
	if s.OfNodes() && s.Nodes == "" {
		errs = append(errs, field.Required(path.Child("nodes"), `say which nodes, for example "node-1", or "*" for all`))
	}
	if s.OfNodes() && s.Requests != nil {
		errs = append(errs, field.Forbidden(path.Child("requests"), names[0]+" hits nodes"))
	}
	if !s.OfNodes() && s.Nodes != "" {
		errs = append(errs, field.Forbidden(path.Child("nodes"), names[0]+" hits requests: say which in requests"))
	}
	if s.Requests != nil {
		errs = append(errs, validateRequests(s, path.Child("requests"))...)
	}
	if s.Error != nil {
		errs = append(errs, validateError(s.Error, path.Child("error"))...)
	}
	if p := s.Pressure; p != nil {
		if p.Resource != PressureMemory && p.Resource != PressureDisk {
			errs = append(errs, field.NotSupported(path.Child("pressure", "resource"), p.Resource, []PressureResource{PressureDisk, PressureMemory}))
		}
		errs = append(errs, validateLeast(p.Evictions, 0, path.Child("pressure", "evictions"))...)
	}
	return append(errs, validateDuration(s.Latency, path.Child("latency"))...)
}

func validateRequests(s *FaultSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(s.Requests.Verbs) > 0 && (s.DropWatch != nil || s.Expire != nil) {
		errs = append(errs, field.Forbidden(path.Child("verbs"), s.Effect()+" is about watches: leave them out"))
	}
	for i, verb := range s.Requests.Verbs {
		if !slices.Contains(verbs(), verb) {
			errs = append(errs, field.NotSupported(path.Child("verbs").Index(i), verb, verbs()))
		}
	}
	for name, list := range map[string][]string{
		"resources": s.Requests.Resources, "users": s.Requests.Users, "groups": s.Requests.Groups, "userAgents": s.Requests.UserAgents,
	} {
		for i, pattern := range list {
			if pattern == "" {
				errs = append(errs, field.Required(path.Child(name).Index(i), "a pattern, or leave it out"))
			}
		}
	}
	slices.SortStableFunc(errs, func(a, b *field.Error) int { return strings.Compare(a.Field, b.Field) })
	return errs
}

func verbs() []string {
	return []string{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
}

func validateError(e *RequestError, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if e.Code < 400 || e.Code > 599 {
		errs = append(errs, field.Invalid(path.Child("code"), e.Code, "must be between 400 and 599"))
	}
	if e.RetryAfterSeconds < 0 {
		errs = append(errs, field.Invalid(path.Child("retryAfterSeconds"), e.RetryAfterSeconds, "must not be negative"))
	}
	if len(e.Message) > messageMax {
		errs = append(errs, field.TooLong(path.Child("message"), "", messageMax))
	}
	return errs
}

func validateSchedule(s *FaultSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if s.After != nil && s.At != nil {
		errs = append(errs, field.Forbidden(path.Child("at"), "after is set already"))
	}
	if s.At != nil && !inTime(s.At.Time) {
		errs = append(errs, field.Invalid(path.Child("at"), s.At, "must be within virtual time, from 1970-01-01T00:00:00Z to 2262-04-01T00:00:00Z"))
	}
	errs = append(errs, validateDuration(s.After, path.Child("after"))...)
	errs = append(errs, validatePositive(s.Duration, path.Child("duration"))...)
	if s.Percent != nil && (*s.Percent < 1 || *s.Percent > 100) {
		errs = append(errs, field.Invalid(path.Child("percent"), *s.Percent, "must be between 1 and 100"))
	}
	errs = append(errs, validateLeast(s.Limit, 1, path.Child("limit"))...)
	if r := s.Repeat; r != nil {
		every := validatePositive(&r.Every, path.Child("repeat", "every"))
		errs = append(errs, every...)
		errs = append(errs, validateLeast(r.Times, 1, path.Child("repeat", "times"))...)
		switch {
		case s.Duration == nil && s.DropWatch == nil:
			errs = append(errs, field.Required(path.Child("duration"), "say how long it is active each time"))
		case len(every) == 0 && s.Duration != nil && Duration(s.Duration) > Duration(&r.Every):
			errs = append(errs, field.Invalid(path.Child("repeat", "every"), r.Every, "must be at least the duration, "+*s.Duration))
		}
	}
	return errs
}

func validatePositive(s *string, path *field.Path) field.ErrorList {
	errs := validateDuration(s, path)
	if s != nil && len(errs) == 0 && Duration(s) == 0 {
		errs = append(errs, field.Invalid(path, *s, "must be more than 0"))
	}
	return errs
}

func validateLeast(n *int32, least int32, path *field.Path) field.ErrorList {
	if n != nil && *n < least {
		return field.ErrorList{field.Invalid(path, *n, "must be at least "+strconv.Itoa(int(least)))}
	}
	return nil
}

// Duration returns a valid duration, 0 for nil.
func Duration(s *string) time.Duration {
	if s == nil {
		return 0
	}
	d, _ := time.ParseDuration(*s) // it is valid
	return d
}
