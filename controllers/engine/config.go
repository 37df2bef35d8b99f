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
	// Start is the first instant of virtual time, between TimeMin and TimeMax; zero is
	// the present.
	Start time.Time
	// Seed makes the run repeatable; Stream tells apart the runs on one store,
	// see NewRandom.
	Seed, Stream uint64
	// Mode is how time moves at first.
	Mode Mode
	// Speed is how many virtual seconds pass in one second of Realtime. It
	// must be positive.
	Speed float64
	// Paused: time stands still at first.
	Paused bool
	// Log receives the event log; nil for none.
	Log io.Writer
	// Commanded, if set, is told of each command of the clock that has had its effect,
	// in the order of the effects. It must not call the engine, which stands still.
	Commanded func(Command)
	// Build names the program: a checkpoint of another build is used with
	// caution, see Restore.
	Build string
	// Mark, if set, receives the engine's state at settled instants, with the
	// revision of the last commit that it includes; if not full, what has changed
	// since the one before. With them an engine goes on, see Restore.
	Mark func(revision int64, state []byte, full bool)
	// Warn, if set, is told of what had to be left aside, in a line each: a note that
	// cannot be written or read.
	Warn func(text string)
	// StepsMax bounds the steps at one instant; more than that many are two
	// reconcilers that undo each other. Zero means stepsMaxDefault.
	StepsMax int
	// TurnsMax bounds how often mode auto moves time for the timers of one key:
	// a Pod that sleeps in an endless loop has that many turns; after them its
	// timers are routine, until a client writes to what the key is about.
	// Zero means turnsMaxDefault.
	TurnsMax int
	// MovesMax bounds how often mode auto moves time after one input from
	// outside, for all keys together: a Job that replaces its Pods for ever is
	// left at rest after that many moves, until the next input. Zero means
	// movesMaxDefault.
	MovesMax int
	// AutoMax bounds how far mode auto moves time after one input from outside: work
	// that is due later is no reason to move it at all. Zero is no bound.
	AutoMax time.Duration
}

// Defaults of Config.
const (
	stepsMaxDefault = 5_000_000
	turnsMaxDefault = 10_000
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
	if c.StepsMax < 0 || c.TurnsMax < 0 || c.MovesMax < 0 {
		errs = append(errs, errors.New("engine: StepsMax, TurnsMax and MovesMax must not be negative"))
	}
	c.StepsMax = cmp.Or(c.StepsMax, stepsMaxDefault)
	c.TurnsMax = cmp.Or(c.TurnsMax, turnsMaxDefault)
	c.MovesMax = cmp.Or(c.MovesMax, movesMaxDefault)
	return errors.Join(errs...)
}

// CheckSpeed refuses what is no speed for mode Realtime.
func CheckSpeed(speed float64) error {
	if speed > 0 && speed <= SpeedMax { // false for NaN
		return nil
	}
	return fmt.Errorf("clock speed %v: want a number greater than 0, at most %d", speed, int(SpeedMax))
}
