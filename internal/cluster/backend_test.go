package cluster

import (
	"errors"
	"testing"
	"time"
)

// TestAClusterInEtcdSaysWhatItCannot: nothing that moves time, goes back in it or asks who
// did what reaches a store that others may share.
func TestAClusterInEtcdSaysWhatItCannot(t *testing.T) {
	c := &Cluster{}
	c.ring.Store(&ring{c: c, backend: &shared{c: c}})
	ctx := t.Context()
	for name, tc := range map[string]struct {
		do   func() error
		want error
	}{
		"advance": {func() error { return c.Advance(ctx, time.Hour) }, errSharedTime},
		"pause":   {func() error { return c.Pause(ctx) }, errSharedTime},
		"settle":  {func() error { return c.AwaitRest(ctx) }, errSharedTime},
		"restart": {c.Restart, errSharedTime},
		"save":    {func() error { _, err := c.Save(ctx, "x"); return err }, errSharedHistory},
		"rewind":  {func() error { return c.Rewind("10m") }, errSharedHistory},
		"restore": {func() error { return c.Restore("x") }, errSharedHistory},
		"commits": {func() error { _, err := c.Commits(); return err }, errNoActors},
	} {
		if err := tc.do(); !errors.Is(err, tc.want) {
			t.Errorf("%s gives %v, want %v", name, err, tc.want)
		}
	}
	if now, s := c.Now(), c.Status(); !now.IsZero() || s.Mode != "" {
		t.Errorf("its clock shows %s, %+v", now, s)
	}
}
