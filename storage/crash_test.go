package storage

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"k8s.io/apiserver/pkg/apis/example"
	"k8s.io/apiserver/pkg/storage"
)

// The tests below run this test binary again as another process; these
// variables tell it what to be there.
const (
	envRole = "KUBESIM_STORAGE_TEST_ROLE"
	envPath = "KUBESIM_STORAGE_TEST_PATH"
)

func TestMain(m *testing.M) {
	switch os.Getenv(envRole) {
	case "":
		os.Exit(m.Run())
	case "writer":
		writeUntilKilled(os.Getenv(envPath))
	case "writer on a full disk":
		signal.Ignore(syscall.SIGXFSZ)
		limit := syscall.Rlimit{Cur: 2 * growBytes, Max: 2 * growBytes}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			fmt.Println("error", err)
			os.Exit(3)
		}
		writeUntilKilled(os.Getenv(envPath))
	}
}

// writeUntilKilled prints "acked KEY REVISION" after each write that the store
// acknowledged, and "error TEXT" for the first that it did not.
func writeUntilKilled(path string) {
	t := &testing.B{}
	db, err := Open(Config{Path: path, Now: newClock().now})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(3)
	}
	s := podStore(t, db, testCodec(t), nil)
	lines, first := make(chan string), db.Revision()
	for client := range 8 {
		go func() {
			for i := 0; ; i++ {
				out := &example.Pod{}
				key := fmt.Sprintf("/pods/c%d-%d/p%d", first, client, i)
				p := pod(key)
				p.Annotations = map[string]string{"pad": strings.Repeat("x", 4<<10)}
				if err := s.Create(context.Background(), key, p, out, 0); err != nil {
					lines <- "error " + err.Error()
					return
				}
				lines <- "acked " + key + " " + out.ResourceVersion
			}
		}()
	}
	for line := range lines {
		fmt.Println(line)
		if strings.HasPrefix(line, "error") {
			err := s.Get(context.Background(), "/pods/c1-0/p0", storage.GetOptions{}, &example.Pod{})
			fmt.Println("reads", err)
			os.Exit(3)
		}
	}
}

// pod returns an example Pod named by its key.
func pod(key string) *example.Pod {
	p := &example.Pod{}
	p.Name = filepath.Base(key)
	p.Namespace = filepath.Base(filepath.Dir(key))
	return p
}

// child starts this test binary in a role.
func child(t *testing.T, role, path string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^$")
	cmd.Env = append(os.Environ(), envRole+"="+role, envPath+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// mustHold checks that the file is sound and has every acknowledged write.
func mustHold(t *testing.T, path string, acked map[string]string) {
	t.Helper()
	db, err := Open(Config{Path: path, Now: newClock().now})
	if err != nil {
		t.Fatal(err)
	}
	defer closeDB(t, db)
	if err := db.Check(t.Context()); err != nil {
		t.Error(err)
	}
	s := podStore(t, db, testCodec(t), nil)
	for key, rv := range acked {
		got := &example.Pod{}
		if err := s.Get(t.Context(), key, storage.GetOptions{ResourceVersion: rv}, got); err != nil {
			t.Errorf("an acknowledged write is lost: %v", err)
		} else if got.ResourceVersion != rv {
			t.Errorf("%s has revision %s, acknowledged was %s", key, got.ResourceVersion, rv)
		}
	}
}

func TestNothingAcknowledgedIsLostWhenTheProcessIsKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubesim.db")
	acked := map[string]string{}
	for kill := range 5 {
		// Each child starts on what those before it left, and gets further.
		cmd, lines := child(t, "writer", path)
		for n := 0; n < 50+97*kill && lines.Scan(); n++ {
			f := strings.Fields(lines.Text())
			if len(f) != 3 || f[0] != "acked" {
				t.Fatalf("child says %q", lines.Text())
			}
			acked[f[1]] = f[2]
		}
		if kill == 0 {
			_, err := Open(Config{Path: path, Now: newClock().now})
			if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "stop that process") {
				t.Errorf("opening a file that another process has open: %v", err)
			}
		}
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait()
		if kill%2 == 0 { // else the next child starts on the crashed file
			mustHold(t, path, acked)
		}
	}
}

func TestAFullDiskIsAClearErrorAndLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubesim.db")
	cmd, lines := child(t, "writer on a full disk", path)
	acked := map[string]string{}
	var failed, reads string
	for lines.Scan() {
		switch f := strings.Fields(lines.Text()); f[0] {
		case "acked":
			acked[f[1]] = f[2]
		case "error":
			failed = lines.Text()
		case "reads":
			reads = lines.Text()
		}
	}
	_ = cmd.Wait()
	if !strings.Contains(failed, ErrDiskFull.Error()) || !strings.Contains(failed, "free some space") {
		t.Errorf("the write on a full disk says %q", failed)
	}
	if len(acked) == 0 || reads != "reads <nil>" {
		t.Errorf("%d writes before the disk was full; reading after it: %q", len(acked), reads)
	}
	mustHold(t, path, acked)
}

// filled makes a file of n Pods, closed or, as after a crash, only copied.
func filled(t *testing.T, n int, closed bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubesim.db")
	db := openDB(t, setup{path: path})
	s := podStore(t, db, testCodec(t), nil)
	for i := range n {
		key := fmt.Sprintf("/pods/ns/p%d", i)
		if err := s.Create(WithoutWait(t.Context()), key, pod(key), nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if closed {
		closeDB(t, db)
		return path
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	crashed := path + ".crashed"
	if err := os.WriteFile(crashed, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return crashed
}

func TestOpenExplainsWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	truncate := func(path string, n int64) string {
		if err := os.Truncate(path, n); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, tc := range map[string]struct {
		path string
		want error
		says string
	}{
		"a newer format":            {newerFormat(t), ErrNewerFormat, "use that kubesim"},
		"a text file":               {write("text", []byte(strings.Repeat("hello ", 9000))), ErrCorrupt, "restore a snapshot"},
		"another program's bbolt":   {foreign(t), ErrCorrupt, "not kubesim's"},
		"an empty file":             {write("empty", nil), ErrCorrupt, "restore a snapshot"},
		"no valid meta page":        {zeroed(t, 0, 2), ErrCorrupt, "of its 2 meta pages 0 are valid"},
		"one valid meta page":       {zeroed(t, 1, 1), ErrCorrupt, "of its 2 meta pages 1 are valid"},
		"a few bytes":               {write("short", []byte("x")), ErrCorrupt, "restore a snapshot"},
		"a closed file, truncated":  {truncate(filled(t, 500, true), 20<<10), ErrCorrupt, "restore a snapshot"},
		"a crashed file, truncated": {truncate(filled(t, 500, false), 20<<10), ErrCorrupt, "restore a snapshot"},
		"no directory":              {filepath.Join(dir, "none", "kubesim.db"), os.ErrNotExist, "create its directory"},
	} {
		t.Run(name, func(t *testing.T) {
			before, _ := os.ReadFile(tc.path)
			db, err := Open(Config{Path: tc.path, Now: newClock().now})
			if err == nil {
				closeDB(t, db)
			}
			if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), tc.path) {
				t.Errorf("got %v; want %q, with %q and the path", err, tc.want, tc.says)
			}
			if after, _ := os.ReadFile(tc.path); string(before) != string(after) {
				t.Error("Open changed the file")
			}
		})
	}
}

func newerFormat(t *testing.T) string {
	path := filled(t, 1, true)
	withBolt(t, path, func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(bucketMeta)).Put([]byte(metaFormat), beUint64(formatVersion+1))
	})
	return path
}

func foreign(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "foreign.db")
	withBolt(t, path, func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("key"))
		return err
	})
	return path
}

// zeroed is a file without some of its pages.
func zeroed(t *testing.T, page, pages int) string {
	path := filled(t, 10, true)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	size := os.Getpagesize()
	clear(b[page*size : (page+pages)*size])
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func withBolt(t *testing.T, path string, f func(*bbolt.Tx) error) {
	t.Helper()
	b, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err == nil {
		err = errors.Join(b.Update(f), b.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestAFlippedBitNeverGivesWrongData flips one bit at a time. It may go
// unnoticed where nothing is stored; else it has to be an error, not a panic and
// not another object.
func TestAFlippedBitNeverGivesWrongData(t *testing.T) {
	flips := 200
	if testing.Short() {
		flips = 20
	}
	for _, closed := range []bool{true, false} {
		path := filled(t, 200, closed)
		sound, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		used := len(bytes.TrimRight(sound, "\x00"))
		const seed = 1
		random := rand.New(rand.NewSource(seed))
		noticed := 0
		for i := range flips {
			path := path + strconv.Itoa(i) // where bbolt panics it leaves the file locked
			at, bit := random.Intn(used), random.Intn(8)
			if i%2 == 1 { // where bbolt says what a page is
				at = at/os.Getpagesize()*os.Getpagesize() + random.Intn(64)
			}
			b := append([]byte(nil), sound...)
			b[at] ^= 1 << bit
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if readDamaged(t, path, fmt.Sprintf("closed %t, seed %d, bit %d of byte %d", closed, seed, bit, at)) {
				noticed++
			}
		}
		if noticed == 0 {
			t.Error("no damage was noticed")
		}
	}
}

// readDamaged reads all of a damaged file and reports whether that, or Check,
// noticed.
func readDamaged(t *testing.T, path, what string) (noticed bool) {
	t.Helper()
	db, err := Open(Config{Path: path, Now: newClock().now})
	if err != nil {
		if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewerFormat) {
			t.Errorf("%s: Open: %v", what, err)
		}
		return true
	}
	s := podStoreOrNil(t, db)
	for i := range 200 {
		if s == nil {
			break
		}
		key, got := fmt.Sprintf("/pods/ns/p%d", i), &example.Pod{}
		err := s.Get(t.Context(), key, storage.GetOptions{}, got)
		if storage.IsNotFound(err) {
			t.Errorf("%s: %s is gone", what, key)
		}
		if err == nil && (got.Name != pod(key).Name || got.ResourceVersion != strconv.Itoa(i+2)) {
			t.Errorf("%s: %s is %s at revision %s", what, key, got.Name, got.ResourceVersion)
		}
	}
	err = db.Check(t.Context())
	if err != nil && !errors.Is(err, ErrCorrupt) {
		t.Errorf("%s: Check: %v", what, err)
	}
	_ = db.Close() // it may fail: it writes to a damaged file
	return s == nil || err != nil
}
