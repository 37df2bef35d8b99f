package cri

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubesim-dev/kubesim/kubelet-sim/images"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program"
)

var noon = time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)

// TestPull: whether an image can be pulled depends on its name alone, also when the
// runtime has forgotten it.
func TestPull(t *testing.T) {
	r := Simulated()
	for round := range 2 {
		if err := r.Pull("busybox:1.36"); err != nil {
			t.Errorf("busybox: %v", err)
		}
		first, again := r.Pull("registry.invalid/nosuch"), r.Pull("registry.invalid/nosuch")
		if first == nil || again == nil || first.Error() != again.Error() {
			t.Errorf("an image of a registry that is not there: %v, then %v", first, again)
		}
		for i := range (1 - round) * (images.KnownMax + 2) {
			_ = r.Pull(fmt.Sprint("image-", i)) // whatever it says
		}
	}
	if n := len(r.(programs).pulls); n > images.KnownMax+1 {
		t.Errorf("%d answers are remembered", n)
	}
}

// TestUser: -1 asks for what the image says.
func TestUser(t *testing.T) {
	r := Simulated()
	for name, tc := range map[string]struct {
		image    string
		uid, gid int64
		want     [2]int64
	}{
		"the image's user is root":            {"busybox", -1, -1, [2]int64{0, 0}},
		"a user that the image knows":         {"busybox", 65534, -1, [2]int64{65534, 65534}},
		"a user that the image does not know": {"busybox", 1234, -1, [2]int64{1234, 0}},
		"a group beside it":                   {"busybox", 1234, 5678, [2]int64{1234, 5678}},
	} {
		uid, gid, _ := r.User(tc.image, tc.uid, tc.gid)
		if got := [2]int64{uid, gid}; got != tc.want {
			t.Errorf("%s: got %v, want %v", name, got, tc.want)
		}
	}
}

// TestAContainer runs a program and a command beside it, as a kubelet does: through the
// interfaces alone.
func TestAContainer(t *testing.T) {
	r := Simulated()
	root, err := r.Root("busybox", noon)
	if err != nil {
		t.Fatal(err)
	}
	var printed []string
	p, err := r.Start(program.Spec{
		Image: "busybox", Command: []string{"sh", "-c", "echo begins; sleep 60; exit 3"}, User: -1, Group: -1, Root: root,
		Output: func(c program.Chunk) { printed = append(printed, string(c.Data)) },
	}, noon)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	run := func(until time.Time) {
		for s := p.State(); !s.Exited && !s.WakeAt.IsZero() && !s.WakeAt.After(until); s = p.State() {
			p.Resume(s.WakeAt)
		}
	}
	run(noon.Add(time.Second))
	var answer string
	x, err := p.Exec(program.ExecSpec{
		Command: []string{"sh", "-c", "echo beside; exit 5"},
		Output:  func(c program.Chunk) { answer += string(c.Data) },
	}, noon.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	run(noon.Add(2 * time.Second))
	if code, ended := x.Exited(); !ended || code != 5 || answer != "beside\n" {
		t.Errorf("the command: ended %t, %d, %q", ended, code, answer)
	}
	if s := p.State(); s.Exited {
		t.Errorf("the program has ended: %+v", s)
	}
	run(noon.Add(2 * time.Minute))
	if s := p.State(); !s.Exited || s.ExitCode != 3 {
		t.Errorf("the program: %+v", s)
	}
	if diff := cmp.Diff([]string{"begins\n"}, printed); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
	if _, err := p.Exec(program.ExecSpec{Command: []string{"true"}}, noon.Add(3*time.Minute)); err == nil {
		t.Error("a command begins in a container that has ended")
	}
}

// TestWhatCannotStart: the error is the runtime's, and there is no process.
func TestWhatCannotStart(t *testing.T) {
	r := Simulated()
	root, err := r.Root("busybox", noon)
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.Start(program.Spec{Image: "busybox", Command: []string{"nosuch"}, User: -1, Group: -1, Root: root}, noon)
	if err == nil || p != nil {
		t.Errorf("got %v, %v", p, err)
	}
}
