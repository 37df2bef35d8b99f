package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// The faults of disks and files, as the user of a server meets them: one line
// that says what to do, exit status 1, and no data harmed. Two servers on one
// file, and the port, are in testdata/script/serve-errors.txtar.

// recovers is how a line about a damaged file ends.
const recovers = `the file is damaged: restore a snapshot with 'kubesim snapshot restore NAME --data-dir DIR', or move the file away to start empty$`

// home is a data directory, "cluster", in a folder of its own.
type home struct {
	dir string
	env []string
}

func newHome(t *testing.T) home {
	dir := t.TempDir()
	return home{dir: dir, env: append(os.Environ(), "HOME="+dir, "TMPDIR="+dir)}
}

func (h home) store() string { return filepath.Join(h.dir, "cluster", "kubesim.db") }

// command is a command in the home, killed with the test.
func (h home) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = h.dir, h.env
	return cmd
}

func (h home) start(t *testing.T) *server {
	t.Helper()
	s, err := startServer(h.dir, h.env, "--data-dir", "cluster", "--nodes", "0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill) // unless it has ended
	return s
}

// refuses runs a command that is to end with status 1 and one line that matches.
func refuses(t *testing.T, cmd *exec.Cmd, pattern string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// A server that does not refuse is ended, with another status.
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timeout := time.AfterFunc(startMax, func() { _ = cmd.Process.Kill() })
	defer timeout.Stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || stdout.Len() > 0 {
		t.Errorf("%v, stdout %q; want exit status 1 and no stdout", err, stdout.String())
	}
	mustSay(t, stderr.String(), pattern)
}

func mustSay(t *testing.T, stderr, pattern string) {
	t.Helper()
	if strings.Count(stderr, "\n") != 1 || !regexp.MustCompile(pattern).MatchString(strings.TrimSpace(stderr)) {
		t.Errorf("stderr is\n%s\nwant one line that matches %s", stderr, pattern)
	}
}

var serveHere = []string{"serve", "--data-dir", "cluster", "--listen", "127.0.0.1:0", "--nodes", "0"}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// words are what the tests write and expect back.
const words = 40

func word(i int) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("word-%02d", i)},
		Data:       map[string]string{"word": strings.Repeat(fmt.Sprintf("%d ", i), 100)},
	}
}

// missing says which of the first n words are not as they were written.
func missing(ctx context.Context, c kubernetes.Interface, n int) error {
	list, err := c.CoreV1().ConfigMaps(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	has := map[string]string{}
	for _, cm := range list.Items {
		has[cm.Name] = cm.Data["word"]
	}
	for i := range n {
		if w := word(i); has[w.Name] != w.Data["word"] {
			err = errors.Join(err, fmt.Errorf("%s is %q", w.Name, has[w.Name]))
		}
	}
	return err
}

// filledHome has a data directory with all words, closed or, as after a crash,
// not.
func filledHome(t *testing.T, closed bool) home {
	t.Helper()
	h := newHome(t)
	s := h.start(t)
	client := clientOf(t, s)
	for i := range words {
		if _, err := client.CoreV1().ConfigMaps(metav1.NamespaceDefault).Create(t.Context(), word(i), createOptions); err != nil {
			t.Fatal(err)
		}
	}
	if !closed {
		s.kill()
	} else if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	return h
}

// TestAFileThatIsNotSoundIsRefusedAndNotChanged also holds kubesim check to it.
func TestAFileThatIsNotSoundIsRefusedAndNotChanged(t *testing.T) {
	sound := read(t, filledHome(t, true).store())
	half := len(bytes.TrimRight(sound, "\x00")) / 2
	for name, tc := range map[string]struct {
		content []byte
		says    string
	}{
		"truncated":                    {sound[:half], `it has \d+ pages of \d+: ` + recovers},
		"truncated to one page":        {sound[:os.Getpagesize()], `it has 1 pages of \d+: ` + recovers},
		"a text":                       {[]byte("this is not a database"), `of its 2 meta pages 0 are valid: ` + recovers},
		"another program's file":       {bytes.Repeat([]byte("\x7fELF"), 1<<16), `of its 2 meta pages 0 are valid: ` + recovers},
		"another program's bbolt file": {foreignFile(t), `it is a bbolt file, but not kubesim's: ` + recovers},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			if err := os.Mkdir(filepath.Dir(h.store()), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(h.store(), tc.content, 0o600); err != nil {
				t.Fatal(err)
			}
			refuses(t, h.command(t.Context(), "kubesim", serveHere...), `^kubesim: storage: .*/cluster/kubesim\.db: `+tc.says)
			if !bytes.Equal(read(t, h.store()), tc.content) {
				t.Error("the file was changed")
			}
			if out, err := h.command(t.Context(), "kubesim", "check", "cluster").CombinedOutput(); err == nil {
				t.Errorf("kubesim check finds nothing wrong: %s", out)
			}
		})
	}
}

func foreignFile(t *testing.T) []byte {
	path := filepath.Join(t.TempDir(), "foreign.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("members"))
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return read(t, path)
}

func TestADataDirectoryThatIsAFileIsRefused(t *testing.T) {
	h := newHome(t)
	if err := os.WriteFile(filepath.Join(h.dir, "cluster"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refuses(t, h.command(t.Context(), "kubesim", serveHere...), `^kubesim: data directory .*/cluster: not a directory: choose another with --data-dir$`)
}

// flips is how many single bits are flipped, each in a file of its own.
var flips = often(24, 12)

// TestAFlippedBitIsFoundOrHarmless flips bits all over the file, every other one
// where bbolt says what a page is. The server refuses the file, or what it
// serves is right.
func TestAFlippedBitIsFoundOrHarmless(t *testing.T) {
	const seed = 1
	random := rand.New(rand.NewSource(seed))
	sound := map[bool][]byte{true: read(t, filledHome(t, true).store()), false: read(t, filledHome(t, false).store())}
	flip := func(closed bool, at, bit int, check func(t *testing.T, refused bool)) {
		t.Run(fmt.Sprintf("bit %d of byte %d, closed %t, seed %d", bit, at, closed, seed), func(t *testing.T) {
			damaged := bytes.Clone(sound[closed])
			damaged[at] ^= 1 << bit
			check(t, serveDamaged(t, damaged))
		})
	}
	for i := range flips {
		closed := i%4 < 2
		at := random.Intn(len(bytes.TrimRight(sound[closed], "\x00")))
		if i%2 == 1 {
			at = at/os.Getpagesize()*os.Getpagesize() + random.Intn(64)
		}
		flip(closed, at, random.Intn(8), func(*testing.T, bool) {})
	}
	// Where random bits fall depends on the file, which is not the same in each run.
	// These two keep the test from calling everything found, or everything harmless.
	const pastTheMeta = 100 // in page 0, whose header and meta take 80 bytes
	flip(true, pastTheMeta, 0, func(t *testing.T, refused bool) {
		if refused {
			t.Error("a server refuses a file for a bit that bbolt does not use")
		}
	})
	const leaf, offsetOfFlags = 1, 8
	flip(true, rootPage(t, sound[true])*os.Getpagesize()+offsetOfFlags, leaf, func(t *testing.T, refused bool) {
		if !refused {
			t.Error("a server serves a file whose root page is no leaf")
		}
	})
}

// rootPage returns the number of the page that holds the root bucket.
func rootPage(t *testing.T, file []byte) int {
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	var root int
	err = db.View(func(tx *bbolt.Tx) error {
		root = int(tx.Cursor().Bucket().Root())
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return root
}

// serveDamaged reports whether a server refuses the file.
func serveDamaged(t *testing.T, damaged []byte) bool {
	h := newHome(t)
	if err := errors.Join(os.Mkdir(filepath.Dir(h.store()), 0o700), os.WriteFile(h.store(), damaged, 0o600)); err != nil {
		t.Fatal(err)
	}
	s, err := startServer(h.dir, h.env, "--data-dir", "cluster", "--nodes", "0")
	if err == nil {
		if err := missing(t.Context(), clientOf(t, s), words); err != nil {
			t.Errorf("the server serves other than was written: %v", err)
		}
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		return false
	}
	refuses(t, h.command(t.Context(), "kubesim", serveHere...), `^kubesim: storage: .*/cluster/kubesim\.db: (.*`+recovers+`|.*the file was written by a newer kubesim: )`)
	if !bytes.Equal(read(t, h.store()), damaged) {
		t.Error("the file was changed")
	}
	return true
}

// TestDamageUnderARunningServerEndsIt truncates and overwrites the file that a
// server has mapped into its memory.
func TestDamageUnderARunningServerEndsIt(t *testing.T) {
	page := int64(os.Getpagesize())
	for name, damage := range map[string]func(path string) error{
		"truncated": func(path string) error { return os.Truncate(path, 4*page) },
		"overwritten": func(path string) error {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err == nil {
				_, err = f.WriteAt(make([]byte, 100*page), 2*page)
				err = errors.Join(err, f.Close())
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := filledHome(t, true)
			s := h.start(t)
			client := clientOf(t, s)
			if err := damage(h.store()); err != nil {
				t.Fatal(err)
			}
			// The server may end before it answers; an answer tells the reason.
			err := missing(t.Context(), client, words)
			var answer apierrors.APIStatus
			if err == nil || errors.As(err, &answer) && !regexp.MustCompile(recovers).MatchString(err.Error()) {
				t.Errorf("the request that met the damage was told: %v", err)
			}
			mustEnd(t, s, `^kubesim: storage: .*/cluster/kubesim\.db: .*`+recovers)
		})
	}
}

// mustEnd waits for a server that is to end by itself, with status 1.
func mustEnd(t *testing.T, s *server, pattern string) {
	t.Helper()
	err := s.cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("the server ended with %v, want exit status 1", err)
	}
	mustSay(t, s.stderr.String(), pattern)
}
