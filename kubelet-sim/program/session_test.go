package program

import (
	"strings"
	"testing"
	"time"
)

// typist is a user in front of a command in a container.
type typist struct {
	t    *testing.T
	p    *Process
	exec *Exec
	seen strings.Builder
	now  time.Time
}

func execIn(t *testing.T, image string, tty bool, command ...string) *typist {
	t.Helper()
	p, err := Start(Spec{Image: image, Command: []string{"sleep", "infinity"}, Hostname: "web-0", User: -1, Group: -1}, noon())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	u := &typist{t: t, p: p, now: noon()}
	u.exec, err = p.Exec(ExecSpec{
		Command: command, StdinOpen: true, TTY: tty, Output: func(c Chunk) { u.seen.Write(c.Data) },
	}, noon())
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (u *typist) types(keys string) { u.exec.Input([]byte(keys), false, u.now) }

func (u *typist) sees(want string) {
	u.t.Helper()
	if got := u.seen.String(); got != want {
		u.t.Errorf("on the screen: %q\nwant %q", got, want)
	}
	u.seen.Reset()
}

func TestTerminalEditsLines(t *testing.T) {
	for name, tc := range map[string]struct{ keys, screen string }{
		"what is typed is shown, and read at the end of the line": {"ab\r", "ab\r\nab\r\n"},
		"backspace takes a character back":                        {"ax\x7fb\r", "ax\b \bb\r\nab\r\n"},
		"backspace takes a whole letter back":                     {"é\x7fe\r", "é\b \be\r\ne\r\n"},
		"^U takes the line back":                                  {"xyz\x15ab\r", "xyz\b \b\b \b\b \bab\r\nab\r\n"},
		"^W takes a word back":                                    {"a bc\x17d\r", "a bc\b \b\b \bd\r\na d\r\n"},
		"backspace stops at the beginning":                        {"\x7f\x7fa\r", "a\r\na\r\n"},
		"^D after text hands it over":                             {"ab\x04", "abab"},
		"a control character is shown":                            {"a\x01\x7fb\r", "a^A\b \b\b \bb\r\nab\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			u := execIn(t, "busybox", true, "cat")
			u.types(tc.keys)
			u.sees(tc.screen)
		})
	}
}

func TestTerminalEndsInputAndPrograms(t *testing.T) {
	for name, tc := range map[string]struct {
		keys string
		code int32
	}{
		"^D on an empty line ends the input": {"ab\r\x04", 0},
		"^C ends the program":                {"ab\x03", 130},
		"^\\ ends it too":                    {"\x1c", 131},
	} {
		t.Run(name, func(t *testing.T) {
			u := execIn(t, "busybox", true, "cat")
			u.types(tc.keys)
			if code, ended := u.exec.Exited(); !ended || code != tc.code {
				t.Errorf("exit code %d, ended %v; want %d", code, ended, tc.code)
			}
		})
	}
}

func TestSessionWaitsForTheClientAlone(t *testing.T) {
	u := execIn(t, "busybox", false, "sh", "-c", "read line; sleep 5; tail -f /etc/hostname")
	if at := u.exec.WakeAt(); !at.IsZero() {
		t.Errorf("a command that reads goes on by itself at %v", at)
	}
	u.types("\n")
	if at := u.exec.WakeAt(); !at.Equal(noon().Add(5 * time.Second)) {
		t.Errorf("a command that sleeps 5 s goes on at %v", at)
	}
	u.p.Resume(noon().Add(5 * time.Second))
	if at := u.exec.WakeAt(); !at.IsZero() {
		t.Errorf("tail -f is a reason to move time to %v", at)
	}
	if u.p.State().WakeAt.IsZero() {
		t.Error("tail -f never looks at its file again")
	}
}

func TestSlowClientHoldsUpItsCommandAlone(t *testing.T) {
	p, err := Start(Spec{Image: "busybox", Command: []string{"sleep", "infinity"}, User: -1, Group: -1}, noon())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	got := 0
	exec, err := p.Exec(ExecSpec{
		Command: []string{"head", "-c", "100000", "/dev/zero"},
		Output:  func(c Chunk) { got += len(c.Data) }, Full: func() bool { return got >= 10_000 && got < 20_000 },
	}, noon())
	if err != nil {
		t.Fatal(err)
	}
	if _, ended := exec.Exited(); ended || got >= 20_000 {
		t.Fatalf("a full client got %d bytes, ended %v", got, ended)
	}
	got += 20_000
	exec.Drained(noon())
	if code, ended := exec.Exited(); !ended || code != 0 || got != 120_000 {
		t.Errorf("after the client has read: %d bytes, ended %v with %d", got-20_000, ended, code)
	}
}

func TestHangupEndsACommand(t *testing.T) {
	for name, tc := range map[string]struct {
		command string
		ends    bool
	}{
		"that sleeps":       {"sleep 100", true},
		"that reads":        {"cat", true},
		"but not one nohup": {"nohup sleep 100", false},
	} {
		t.Run(name, func(t *testing.T) {
			u := execIn(t, "busybox", true, "sh", "-c", tc.command)
			u.exec.Hangup(noon())
			if _, ended := u.exec.Exited(); ended != tc.ends {
				t.Errorf("ended %v, want %v", ended, tc.ends)
			}
		})
	}
}

func TestExecOfNoProgram(t *testing.T) {
	p, err := Start(Spec{Image: "busybox", Command: []string{"sleep", "infinity"}, User: -1, Group: -1}, noon())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	_, err = p.Exec(ExecSpec{Command: []string{"foo"}}, noon())
	const want = `OCI runtime exec failed: exec failed: unable to start container process: exec: "foo": executable file not found in $PATH: unknown`
	if err == nil || err.Error() != want {
		t.Errorf("error %v\nwant  %s", err, want)
	}
}
