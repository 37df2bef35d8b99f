package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Bounds of the kills beside those of the torture.
const (
	killsMax     = 30
	killAfterMax = 400 * time.Millisecond // wall time
)

// attackKills kills a server with SIGKILL in the middle of what it does seldom, which
// TestKilledServersKeepTheirPromises leaves out: snapshots, rewinds, moves of the clock, changes
// of its mode, its own end. Each time the directory is whole and the next server serves.
func attackKills(t *testing.T, a *assault) {
	dir := t.TempDir()
	env := append(os.Environ(), "HOME="+dir, "TMPDIR="+dir)
	acts := [][]string{
		{"snapshot", "save", "s"}, {"snapshot", "restore", "first"}, {"rewind", "1m"}, {"clock", "advance", "30m"}, {"clock", "mode", "auto"}, {"clock", "mode", "manual"},
	}
	first := true
	for i := range times(killsMax) {
		s, err := startServer(dir, env, "--data-dir", "cluster", "--clock", "manual", "--start-time", "2026-01-01T00:00:00Z", "--seed", "1")
		if err != nil {
			t.Fatalf("before kill %d: %v", i, err)
		}
		if first {
			createWorkload(t, s, clientOf(t, s))
			s.clock(t, "advance", "5m")
			s.kubesim(t, "snapshot", "save", "first")
			first = false
		}
		act := acts[i%len(acts)]
		cmd := exec.Command("kubesim", act...)
		cmd.Env = append(env, "KUBECONFIG="+s.kubeconfig)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(a.random.Int63n(int64(killAfterMax))))
		s.kill()
		_ = cmd.Wait() // it may have been too late
		check := exec.Command("kubesim", "check", "cluster")
		check.Dir, check.Env = dir, env
		wrong := ""
		if out, err := check.CombinedOutput(); err != nil {
			wrong = fmt.Sprintf("kubesim check: %v: %s", err, out)
		}
		a.judge(t, "kills beside the torture's", fmt.Sprint(act), wrong)
	}
	s, err := startServer(dir, env, "--data-dir", "cluster", "--clock", "manual")
	if err == nil {
		err = s.stop()
	}
	a.judge(t, "kills beside the torture's", "the last server", said(err))
}
