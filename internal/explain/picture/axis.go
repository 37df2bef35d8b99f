package picture

import (
	"fmt"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/internal/explain"
)

// axis maps time to the width of a picture.
type axis struct {
	start, end time.Time
	// left is where start is, width how far end is from there. Unit: pixels.
	left, width float64
}

func (a *axis) x(t time.Time) float64 {
	t = clamp(t, a.start, a.end)
	return a.left + a.width*float64(t.Sub(a.start))/float64(a.end.Sub(a.start))
}

func clamp(t, lo, hi time.Time) time.Time {
	switch {
	case t.Before(lo):
		return lo
	case t.After(hi):
		return hi
	}
	return t
}

// tickGapMin is how near ticks may be. Unit: pixels.
const tickGapMin = 70

// ticks are the instants with a number, as offsets from the start: round ones, as many as
// there is room for.
func (a *axis) ticks() []time.Duration {
	span := a.end.Sub(a.start)
	step := tickStep(time.Duration(float64(span) * tickGapMin / a.width))
	var out []time.Duration
	for at := time.Duration(0); at <= span; at += step {
		out = append(out, at)
	}
	return out
}

// tickStep is the smallest round duration that is not below d.
func tickStep(d time.Duration) time.Duration {
	const day = 24 * time.Hour
	steps := []time.Duration{
		100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
		time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, day, 2 * day, 7 * day, 14 * day, 28 * day,
	}
	for _, s := range steps {
		if s >= d {
			return s
		}
	}
	last := steps[len(steps)-1]
	return (d/last + 1) * last
}

// tickText is an offset with two units at most: 90s is 1m30s, 26h is 1d2h.
func tickText(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day {
		text := fmt.Sprintf("%dd", d/day)
		if rest := d % day; rest > 0 {
			text += tickText(rest)
		}
		return text
	}
	return strings.Replace(explain.Offset(d), "0.0s", "0s", 1)
}
