package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// clockPath is where the server shows and moves its clock. It is no API object
// yet: that comes with the group sim.kubesim.dev.
const clockPath = "/kubesim/clock"

// clockRequest asks for one change of the clock.
type clockRequest struct {
	// Action is pause, resume, advance, until, next or mode.
	Action string `json:"action"`
	// Duration is how far advance goes, as time.ParseDuration reads it.
	Duration string `json:"duration,omitempty"`
	// Time is where until goes, RFC 3339.
	Time time.Time `json:"time,omitzero"`
	// Mode and Speed are what mode sets; a speed of 0 stays as it is.
	Mode  string  `json:"mode,omitempty"`
	Speed float64 `json:"speed,omitempty"`
}

// clockStatus is what the clock shows.
type clockStatus struct {
	Mode    string    `json:"mode"`
	Speed   float64   `json:"speed"`
	Paused  bool      `json:"paused"`
	Now     time.Time `json:"now"`
	Settled bool      `json:"settled"`
	// Next is the next timer; absent if there is none.
	Next time.Time `json:"next,omitzero"`
}

// clockHandler answers clockPath: GET shows the clock, POST changes it and
// answers when the cluster has settled.
type clockHandler struct{ b *bolt }

// ServeHTTP implements http.Handler.
func (h clockHandler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost && req.Method != http.MethodGet {
		http.Error(w, "the clock answers GET and POST", http.StatusMethodNotAllowed)
		return
	}
	if req.Method == http.MethodPost {
		var r clockRequest
		if err := json.NewDecoder(req.Body).Decode(&r); err != nil {
			http.Error(w, "the request is no JSON clock request: "+err.Error(), http.StatusBadRequest)
			return
		}
		if err := h.change(req.Context(), r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	s := h.b.engine.Status()
	w.Header().Set("Content-Type", "application/json")
	// A client that has gone away is not our concern.
	_ = json.NewEncoder(w).Encode(clockStatus{
		Mode: string(s.Mode), Speed: s.Speed, Paused: s.Paused, Now: s.Now.UTC(), Settled: s.Settled, Next: s.Next,
	})
}

func (h clockHandler) change(ctx context.Context, r clockRequest) error {
	if err := apply(ctx, h.b.engine, r); err != nil {
		return err
	}
	return h.b.db.Settle(ctx)
}

func apply(ctx context.Context, e *engine.Engine, r clockRequest) error {
	switch r.Action {
	case "pause":
		return e.Pause(ctx)
	case "resume":
		return e.Resume(ctx)
	case "advance":
		d, err := time.ParseDuration(r.Duration)
		if err != nil {
			return fmt.Errorf("advance %q: want a duration, for example 10m or 24h", r.Duration)
		}
		return e.Advance(ctx, d)
	case "until":
		if r.Time.IsZero() {
			return errors.New("until: want an instant, RFC 3339, for example 2026-01-01T00:00:00Z")
		}
		return e.Until(ctx, r.Time)
	case "next":
		return e.Next(ctx)
	case "mode":
		mode, err := engine.ParseMode(r.Mode)
		if err != nil {
			return err
		}
		return e.SetMode(ctx, mode, r.Speed)
	}
	return fmt.Errorf("clock action %q: want pause, resume, advance, until, next or mode", r.Action)
}
