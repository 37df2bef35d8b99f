package v1alpha1

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// clockSpeedMax is engine.SpeedMax, which this package may not import.
const clockSpeedMax = 1e6

// inTime reports whether t is between engine.TimeMin and engine.TimeMax.
func inTime(t time.Time) bool {
	return t.Unix() >= 0 && !t.After(time.Date(2262, time.April, 1, 0, 0, 0, 0, time.UTC))
}

// ValidateClock says what is wrong with a Clock.
func ValidateClock(c *Clock) field.ErrorList {
	var errs field.ErrorList
	path := field.NewPath("spec")
	if modes := []string{"realtime", "auto", "manual"}; !slices.Contains(modes, c.Spec.Mode) {
		errs = append(errs, field.NotSupported(path.Child("mode"), c.Spec.Mode, modes))
	}
	if !(c.Spec.Speed > 0 && c.Spec.Speed <= clockSpeedMax) { // true for NaN
		errs = append(errs, field.Invalid(path.Child("speed"), c.Spec.Speed, "must be greater than 0, and at most 1000000"))
	}
	return errs
}

// ValidateClockAdvance says what is wrong with a ClockAdvance.
func ValidateClockAdvance(a *ClockAdvance) field.ErrorList {
	set := 0
	for _, one := range []bool{a.Duration != nil, a.Until != nil, a.Next} {
		if one {
			set++
		}
	}
	if set != 1 {
		return field.ErrorList{field.Required(field.NewPath("duration"), `want exactly one of duration, until and next, for example {"duration": "10m"}`)}
	}
	if a.Duration != nil {
		if d, err := time.ParseDuration(*a.Duration); err != nil || d < 0 {
			return field.ErrorList{field.Invalid(field.NewPath("duration"), *a.Duration, "must be a duration that is not negative, at most 2562047h, for example 10m or 24h")}
		}
	}
	return nil
}
