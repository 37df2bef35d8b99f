package cluster

import (
	"strings"
	"testing"
	"time"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// manual starts a cluster that has neither a port nor a handler.
func manual(t *testing.T) *Cluster {
	t.Helper()
	c, err := Start(t.Context(), Options{Ephemeral: true, Mode: engine.Manual, Speed: 1, Seed: 1, Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Nodes: 1, Controllers: []string{"*"}, Authorization: apiserver.AuthorizationRBAC, CheckTrusted: true, NoOpenAPI: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestAClusterGoesBackWithoutAHandler: nobody serves anything, and what is wrong is told
// with the verb.
func TestAClusterGoesBackWithoutAHandler(t *testing.T) {
	c, ctx := manual(t), t.Context()
	start := c.Now()
	if _, err := c.Save(ctx, "begin"); err != nil {
		t.Fatal(err)
	}
	if err := c.Advance(ctx, time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := c.Rewind("10m"); err != nil {
		t.Fatal(err)
	}
	if now := c.Now(); !now.Equal(start.Add(50 * time.Minute)) {
		t.Errorf("after a rewind by 10m it is %s, want 50m after %s", now, start)
	}
	if err := c.Restore("begin"); err != nil {
		t.Fatal(err)
	}
	if now := c.Now(); !now.Equal(start) {
		t.Errorf("after a restore it is %s, want %s", now, start)
	}
	for what, err := range map[string]error{
		"a revision": c.Rewind("soon"), "snapshot list": c.Restore("none"), "history does not reach back": c.Rewind("9000h"),
	} {
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("error %v, want %q in it", err, what)
		}
	}
	past, err := c.Past()
	if err != nil {
		t.Fatal(err)
	}
	if revert := past.Revert(); revert.Number != 2 || revert.Busy || revert.Err != nil || revert.Result.Before.Name == "" {
		t.Errorf("the last revert is %+v, want the second, which is over", revert)
	}
}

// TestWhoAsksWhileTheRingIsMadeAnew: requests may come at any time. The race detector
// finds one that meets half a ring.
func TestWhoAsksWhileTheRingIsMadeAnew(t *testing.T) {
	c, ctx := manual(t), t.Context()
	done := make(chan struct{})
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		for {
			select {
			case <-done:
				return
			default:
			}
			_, _, _ = c.Status(), c.Client(), c.Resources()
			if past, err := c.Past(); err != nil {
				t.Error(err)
			} else {
				_ = past.Revision()
			}
			if _, err := c.Commits(); err != nil {
				t.Error(err)
			}
		}
	}()
	for range 3 {
		if err := c.Restart(); err != nil {
			t.Error(err)
		}
	}
	close(done)
	<-asked
	if err := c.Advance(ctx, time.Minute); err != nil {
		t.Error(err)
	}
}
