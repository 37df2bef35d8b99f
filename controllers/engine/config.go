package engine

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"time"
)

// Config is what an engine needs to know before it starts.
type Config struct {
	// Start is the first instant of virtual time, between TimeMin and TimeMax. Zero
	// means the present.
	Start time.Time
	// Seed makes the run repeatable. Stream distinguishes the runs on one store; see
	// NewRandom.
	Seed, Stream uint64
	// Mode is how time advances at first.
	Mode Mode
	// Speed is how many virtual seconds pass in one second of Realtime. It
	// must be positive.
	Speed float64
	// Paused makes time stand still at first.
	Paused bool
	// Log receives the event log; nil if there is none.
	Log io.Writer
	// Commanded, if set, is told of each command of the clock that has had its effect,
	// in the order of the effects. It must not call the engine, which stands still.
	Commanded func(Command)
	// Build names the program: a checkpoint of another build is used with
	// caution, see Restore.
	Build string
	// Mark, if set, receives the engine's state at settled instants, with the revision
	// of the last commit that it includes. If it is not full, it is the changes since
	// the previous one. An engine continues from these; see Restore.
	Mark func(revision int64, state []byte, full bool)
	// Warn, if set, is told what had to be ignored, one line each: a note that cannot
	// be written or read.
	Warn func(text string)
	// StepsMax bounds the steps at one instant. More steps mean that two reconcilers
	// undo each other's work. Zero means stepsMaxDefault.
	StepsMax int
	// WakesMax bounds how often mode auto advances the clock for the timers of one key,
	// for example of a Pod that sleeps in an endless loop. After that, the key's timers
	// are routine until a client writes to the object of the key. Zero means
	// wakesMaxDefault.
	WakesMax int
	// MovesMax bounds how often mode auto advances the clock after one external input,
	// for all keys together. After that many advances, a Job that replaces its Pods
	// forever is left at rest until the next input. Zero means movesMaxDefault.
	MovesMax int
	// AutoMax bounds how far mode auto advances the clock after one external input. It
	// does not advance the clock at all for work that is due later. Zero means no
	// bound.
	AutoMax time.Duration
}

// Defaults of Config.
const (
	stepsMaxDefault = 5_000_000
	wakesMaxDefault = 10_000
	movesMaxDefault = 1_000_000
)

// SpeedMax bounds Config.Speed: eleven days in a second.
const SpeedMax = 1e6

func (c *Config) validate() error {
	var errs []error
	if _, err := ParseMode(string(c.Mode)); err != nil {
		errs = append(errs, err)
	}
	if err := CheckSpeed(c.Speed); err != nil {
		errs = append(errs, err)
	}
	if !c.Start.IsZero() {
		if err := CheckTime(c.Start); err != nil {
			errs = append(errs, fmt.Errorf("engine: Start: %w", err))
		}
	}
	if c.AutoMax < 0 {
		errs = append(errs, fmt.Errorf("engine: AutoMax %s: want a positive duration, or 0 for no bound", c.AutoMax))
	}
	if c.StepsMax < 0 || c.WakesMax < 0 || c.MovesMax < 0 {
		errs = append(errs, errors.New("engine: StepsMax, WakesMax and MovesMax must not be negative"))
	}
	c.StepsMax = cmp.Or(c.StepsMax, stepsMaxDefault)
	c.WakesMax = cmp.Or(c.WakesMax, wakesMaxDefault)
	c.MovesMax = cmp.Or(c.MovesMax, movesMaxDefault)
	return errors.Join(errs...)
}

// CheckSpeed refuses a speed that is not valid for mode Realtime.
func CheckSpeed(speed float64) error {
	if speed > 0 && speed <= SpeedMax { // false for NaN
		return nil
	}
	return fmt.Errorf("clock speed %v: want a number greater than 0, at most %d", speed, int(SpeedMax))
}
