package engine

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Virtual time has one pair of bounds. Instants are kept as Unix nanoseconds in 64
// bits, which hold the years 1677 to 2262. A simulation needs nothing before 1970, and
// much software reads a negative instant as none.
//
// The bounds are enforced where time is kept: the clock never advances past TimeMax,
// and a Wake after it never comes (queue.schedule). If code counts from an instant that
// somebody named, or for a period that somebody chose, it uses After, Seconds and Span.
// These end at the bounds instead of overflowing.

// TimeMin returns the first instant of virtual time: 1970-01-01T00:00:00Z.
func TimeMin() time.Time { return time.Unix(0, 0).UTC() }

// TimeMax returns the last instant of virtual time: 2262-04-01T00:00:00Z. The ten days
// that remain within 64 bits are for an instant that is stored but never comes.
func TimeMax() time.Time { return time.Date(2262, time.April, 1, 0, 0, 0, 0, time.UTC) }

// never is an instant after TimeMax that 64 bits hold.
func never() time.Time { return TimeMax().AddDate(0, 0, 10) }

// ErrOutOfTime is the error for an instant outside of virtual time.
var ErrOutOfTime = errors.New("virtual time runs from 1970-01-01T00:00:00Z to 2262-04-01T00:00:00Z")

// CheckTime refuses an instant outside of virtual time.
func CheckTime(t time.Time) error {
	if t.Before(TimeMin()) || t.After(TimeMax()) {
		return fmt.Errorf("%s: %w: want an instant in between", t.UTC().Format(time.RFC3339), ErrOutOfTime)
	}
	return nil
}

// Within returns t, or the nearest end of virtual time if t is outside.
func Within(t time.Time) time.Time {
	switch {
	case t.Before(TimeMin()):
		return TimeMin()
	case t.After(TimeMax()):
		return TimeMax()
	}
	return t
}

// After returns t+d. A sum beyond virtual time becomes an instant after TimeMax, at
// which nothing happens. A sum before TimeMin becomes TimeMin.
func After(t time.Time, d time.Duration) time.Time {
	switch sum := t.Add(d); {
	case sum.After(TimeMax()):
		return never()
	case sum.Before(TimeMin()):
		return TimeMin()
	default:
		return sum
	}
}

// Seconds returns n seconds, or the longest Duration (292 years) if n is larger. It is
// for the periods of API objects, which are 64 bits wide.
func Seconds(n int64) time.Duration {
	const most = int64(math.MaxInt64 / time.Second)
	switch {
	case n > most:
		return math.MaxInt64
	case n < -most:
		return -math.MaxInt64
	}
	return time.Duration(n) * time.Second
}

// Span returns n times unit, or the longest Duration (292 years) if the product is
// larger. NaN gives 0.
func Span(n float64, unit time.Duration) time.Duration {
	switch d := n * float64(unit); {
	case math.IsNaN(d):
		return 0
	case d >= math.MaxInt64:
		return math.MaxInt64
	case d <= -math.MaxInt64:
		return -math.MaxInt64
	default:
		return time.Duration(d)
	}
}
