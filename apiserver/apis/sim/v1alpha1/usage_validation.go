package v1alpha1

import (
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// pointsMax bounds the course of a usage step.
const pointsMax = 100

func validateUsage(u *Usage, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if u.CPU == nil && u.Memory == nil {
		errs = append(errs, field.Required(path, "set cpu, memory or both"))
	}
	errs = append(errs, validateAmounts(u.CPU, u.Memory, path)...)
	course := path.Child("course")
	if n := len(u.Course); n > pointsMax {
		return append(errs, field.TooMany(course, n, pointsMax))
	}
	var before time.Duration
	for i := range u.Course {
		p, path := &u.Course[i], course.Index(i)
		wrong := validateDuration(&p.After, path.Child("after"))
		if len(wrong) == 0 {
			after, _ := time.ParseDuration(p.After) // it was validated
			if after <= before {
				wrong = field.ErrorList{field.Invalid(path.Child("after"), p.After, "must be greater than "+before.String()+", where the course is before")}
			}
			before = after
		}
		errs = append(errs, wrong...)
		errs = append(errs, validatePoint(u, p, path)...)
	}
	return errs
}

// validatePoint refuses a point that leaves open from where, or to where, something changes.
func validatePoint(u *Usage, p *UsagePoint, path *field.Path) field.ErrorList {
	errs := validateAmounts(p.CPU, p.Memory, path)
	for _, f := range [...]struct {
		name        string
		begin, here *resource.Quantity
	}{{"cpu", u.CPU, p.CPU}, {"memory", u.Memory, p.Memory}} {
		switch {
		case f.begin == nil && f.here != nil:
			errs = append(errs, field.Forbidden(path.Child(f.name), "set "+f.name+" of the usage too: the course begins there"))
		case f.begin != nil && f.here == nil:
			errs = append(errs, field.Required(path.Child(f.name), "the usage has "+f.name+": say what it is at this point"))
		}
	}
	return errs
}

func validateAmounts(cpu, memory *resource.Quantity, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if cpu != nil && cpu.Sign() < 0 {
		errs = append(errs, field.Invalid(path.Child("cpu"), cpu.String(), "must not be negative"))
	}
	if memory != nil && memory.Sign() < 0 {
		errs = append(errs, field.Invalid(path.Child("memory"), memory.String(), "must not be negative"))
	}
	return errs
}
