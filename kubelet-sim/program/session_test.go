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

func TestInteractiveShell(t *testing.T) {
	for name, tc := range map[string]struct {
		image string
		keys  []string
		want  string // what stands on the screen
	}{
		"ash keeps its state": {"busybox", []string{"cd /usr\r", "x=1; echo $x\r"}, "/ # cd /usr\r\n/usr # x=1; echo $x\r\n1\r\n/usr # "},
		"ash at home":         {"alpine", []string{"cd\r"}, "/ # cd\r\n~ # "},
		"bash of Debian":      {"nginx", []string{"cd /etc\r"}, "root@web-0:/# cd /etc\r\nroot@web-0:/etc# "},
		"a command over lines": {"busybox", []string{"for i in 1 2; do\r", "echo $i\r", "done\r"},
			"/ # for i in 1 2; do\r\n> echo $i\r\n> done\r\n1\r\n2\r\n/ # "},
		"arrow up brings a line back":    {"busybox", []string{"echo a\r", "\x1b[A\r"}, "/ # echo a\r\na\r\n/ # echo a\r\na\r\n/ # "},
		"^C gives a new line":            {"busybox", []string{"oops\x03", "echo $?\r"}, "/ # oops^C\r\n/ # echo $?\r\n130\r\n/ # "},
		"^C ends the command":            {"busybox", []string{"sleep 100; echo no\r", "\x03", "echo $?\r"}, "/ # sleep 100; echo no\r\n^C\r\n/ # echo $?\r\n130\r\n/ # "},
		"^C ends a pipeline":             {"busybox", []string{"sleep 100 | cat\r", "\x03"}, "/ # sleep 100 | cat\r\n^C\r\n/ # "},
		"^C ends a loop":                 {"busybox", []string{"while true; do sleep 1; done\r", "\x03"}, "/ # while true; do sleep 1; done\r\n^C\r\n/ # "},
		"a job in the background stays":  {"busybox", []string{"sleep 100 &\r", "\x03", "jobs\r"}, "/ # sleep 100 &\r\n[1] 3\r\n/ # ^C\r\n/ # jobs\r\n[1]+  Running                    sleep 100\r\n/ # "},
		"^D ends the shell":              {"busybox", []string{"\x04"}, "/ # \r\n"},
		"a program reads what is typed":  {"busybox", []string{"cat\r", "a\r", "\x04"}, "/ # cat\r\na\r\na\r\n/ # "},
		"a password is not shown":        {"busybox", []string{"stty -echo; read x; stty echo; echo got $x\r", "secret\r"}, "/ # stty -echo; read x; stty echo; echo got $x\r\ngot secret\r\n/ # "},
		"PS1 is the user's":              {"busybox", []string{"PS1='\\h> '\r"}, "/ # PS1='\\h> '\r\nweb-0> "},
		"lines that were pasted are two": {"busybox", []string{"read x\rhello\recho $x\r"}, "/ # read x\r\n/ # echo $x\r\nhello\r\n/ # "},
	} {
		t.Run(name, func(t *testing.T) {
			shell := "sh"
			if tc.image == "nginx" {
				shell = "bash"
			}
			u := execIn(t, tc.image, true, shell)
			for _, keys := range tc.keys {
				u.types(keys)
			}
			u.sees(tc.want)
			for _, crash := range u.p.Crashes() {
				t.Error(crash)
			}
		})
	}
}

func TestWindowSize(t *testing.T) {
	u := execIn(t, "busybox", true, "sh", "-c", "trap 'stty size' WINCH; while true; do sleep 1; done")
	u.exec.Resize(120, 40, u.now)
	u.now = u.now.Add(time.Second)
	u.p.Resume(u.now)
	u.sees("40 120\r\n")
}

// TestATerminalWithoutASizeHas80Columns: kubectl attach of a client without a terminal of
// a size sends 1 1, then 0 0.
func TestATerminalWithoutASizeHas80Columns(t *testing.T) {
	for name, tc := range map[string]struct {
		image, shell, prompt string
		sizes                [][2]int
	}{
		"nobody has told one":                {"busybox", "sh", "/ # ", nil},
		"0 0":                                {"busybox", "sh", "/ # ", [][2]int{{0, 0}}},
		"1 1, as kubectl attach":             {"busybox", "sh", "/ # ", [][2]int{{1, 1}}},
		"1 1 and 0 0":                        {"busybox", "sh", "/ # ", [][2]int{{1, 1}, {0, 0}}},
		"a width beyond every terminal":      {"busybox", "sh", "/ # ", [][2]int{{65535, 24}}},
		"80 24":                              {"busybox", "sh", "/ # ", [][2]int{{80, 24}}},
		"bash, which takes 0 alone for none": {"bash", "bash", "web-0:/# ", [][2]int{{0, 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			u := execIn(t, tc.image, true, tc.shell)
			for _, size := range tc.sizes {
				u.exec.Resize(size[0], size[1], u.now)
			}
			u.types("echo abc\r")
			text := u.seen.String()
			if want := "echo abc\r\nabc\r\n"; !strings.Contains(text, want) {
				t.Errorf("on the screen: %q\nwant %q in it", text, want)
			}
		})
	}
}
