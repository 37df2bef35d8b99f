package kubeconfig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

func entry(name string) Entry {
	return Entry{Name: name, Server: "https://127.0.0.1:6443", CA: []byte("ca"), Certificate: []byte("certificate"), Key: []byte("key")}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// two is a kubeconfig that people have edited.
const two = `# mine; do not touch
apiVersion: v1
kind: Config
clusters:
- cluster: {server: "https://a.example:6443"}
  name: a
- name: 'b'   # the second
  cluster:
    server: https://b.example
    made-up: yes
contexts:
  - name: a
    context:
      cluster: a
      user: a
  # - name: c
current-context: "a" # most of the time
preferences: {}

users:
- name: a
  user:
    token: |-
      # not a comment
      t
`

func TestMergeAndRemove(t *testing.T) {
	path := write(t, two)
	if err := Merge(t.Context(), path, entry("kubesim")); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if config.CurrentContext != "kubesim" || config.Clusters["kubesim"].Server != "https://127.0.0.1:6443" || config.Contexts["kubesim"].AuthInfo != "kubesim" {
		t.Errorf("after the merge:\n%s", read(t, path))
	}
	merged := read(t, path)
	for line := range strings.Lines(two) {
		if !strings.Contains(merged, line) && !strings.HasPrefix(line, "current-context") {
			t.Errorf("line %q is lost", line)
		}
	}
	if !strings.Contains(merged, "current-context: \"kubesim\" # most of the time\n") {
		t.Errorf("the current context lost its style:\n%s", merged)
	}
	if err := Merge(t.Context(), path, entry("kubesim")); err != nil || read(t, path) != merged {
		t.Errorf("the second merge: %v\n%s", err, read(t, path))
	}
	if err := Remove(t.Context(), path, "kubesim"); err != nil || read(t, path) != two {
		t.Errorf("after the removal: %v\n%s", err, read(t, path))
	}
	if err := Remove(t.Context(), path, "kubesim"); err != nil || read(t, path) != two {
		t.Errorf("after a removal of nothing: %v\n%s", err, read(t, path))
	}
}

func TestANewFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dir", "config")
	if err := Merge(t.Context(), path, entry("kubesim")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("its mode: %v, %v", info.Mode(), err)
	}
	if _, err := clientcmd.BuildConfigFromFlags("", path); err != nil {
		t.Error(err)
	}
	if text := read(t, path); !strings.Contains(text, "kind: Config\n") {
		t.Errorf("it is no kubeconfig for other programs:\n%s", text)
	}
	if err := Remove(t.Context(), path, "kubesim"); err != nil {
		t.Error(err)
	}
	config, err := clientcmd.LoadFromFile(path)
	if err != nil || len(config.Clusters) > 0 || config.CurrentContext != "" {
		t.Errorf("after the removal: %v\n%s", err, read(t, path))
	}
	if err := Merge(t.Context(), path, entry("kubesim")); err != nil {
		t.Errorf("into lists that have become empty: %v\n%s", err, read(t, path))
	}
}

// TestWhatIsNoKubeconfigIsLeftAlone also holds what is one, but not ours to change.
func TestWhatIsNoKubeconfigIsLeftAlone(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"another kind":       {"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n", "no kubeconfig"},
		"values of a chart":  {"image: nginx\nreplicas: 3\n", "want kind: Config"},
		"binary":             {"\x7fELF\x00\x01", "no text"},
		"not UTF-8":          {"clusters: [\xff]", "no text"},
		"broken YAML":        {"clusters:\n- {name: a\nusers: ]", "no kubeconfig"},
		"a list":             {"- a\n- b\n", "want a mapping"},
		"a word":             {"hello\n", "want a mapping"},
		"several documents":  {"kind: Config\n---\nkind: Config\n", "several YAML documents"},
		"a key twice":        {"clusters: []\nclusters: []\n", "twice"},
		"clusters no list":   {"kind: Config\nclusters: {a: b}\n", "no kubeconfig"},
		"a name twice":       {"clusters:\n- {name: a, cluster: {server: x}}\n- {name: a, cluster: {server: y}}\n", "no kubeconfig"},
		"somebody's kubesim": {"kind: Config\nclusters:\n- {name: kubesim, cluster: {server: https://elsewhere}}\n", "did not write"},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, tc.text)
			err := Merge(t.Context(), path, entry("kubesim"))
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), "kubeconfig "+path) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if read(t, path) != tc.text {
				t.Errorf("it was changed:\n%s", read(t, path))
			}
			left, _ := os.ReadDir(filepath.Dir(path))
			if len(left) != 1 {
				t.Errorf("beside it: %v", left)
			}
		})
	}
}

func TestOddFilesAreEdited(t *testing.T) {
	for name, text := range map[string]string{
		"JSON":                `{"kind":"Config","apiVersion":"v1","clusters":[{"name":"a","cluster":{"server":"https://a"}}],"users":[],"contexts":[{"name":"a","context":{"cluster":"a","user":"a"}}],"current-context":"a"}`,
		"JSON on lines":       "{\n  \"clusters\": [\n    {\"name\": \"a\", \"cluster\": {}}\n  ],\n  \"contexts\": [],\n  \"users\": [],\n  \"current-context\": \"\"\n}\n",
		"CRLF":                strings.ReplaceAll(two, "\n", "\r\n"),
		"a byte order mark":   byteOrderMark + two,
		"no last line break":  strings.TrimSuffix(two, "\n"),
		"kubectl's empty":     "apiVersion: v1\nclusters: null\ncontexts: null\ncurrent-context: \"\"\nkind: Config\npreferences: {}\nusers: null\n",
		"flow lists":          "kind: Config\nclusters: [{name: a, cluster: {server: x}}] # c\ncontexts: [{name: a, context: {}}]\nusers: [{name: a, user: {}}]\ncurrent-context: ''\n",
		"a document's ends":   "---\n" + two + "...\n",
		"an anchor":           "kind: Config\nclusters:\n- &a\n  name: a\n  cluster: &s {server: x}\n- name: b\n  cluster: *s\ncontexts:\n-\n  name: a\n  context: {}\nusers:\n- # one\n  name: a\n  user: {}\ncurrent-context: a\n",
		"kept blank lines":    "kind: Config\nclusters:\n- {name: a, cluster: {server: x}}\ncontexts:\n- {name: a, context: {}}\ncurrent-context: a\nusers:\n- name: a\n  user:\n    token: |+\n      t\n\n\n",
		"indented":            "  kind: Config\n  clusters:\n  - {name: a, cluster: {}}\n  contexts:\n    - {name: a, context: {}}\n  users:\n    - {name: a, user: {}}\n  current-context: a\n",
		"quoted keys":         "\"kind\": Config\n'clusters' : null # none\n\"contexts\":\n- {name: it's mine, context: {}}\nusers: null\ncurrent-context: 'it''s mine'\n",
		"the name in between": "kind: Config\nclusters:\n- {name: kubesim-a, cluster: {}}\n- {name: kubesim2, cluster: {}}\ncontexts:\n- {name: kubesim-a, context: {}}\nusers:\n- {name: kubesim-a, user: {}}\ncurrent-context: kubesim-a\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, text)
			for range 2 {
				if err := Merge(t.Context(), path, entry("kubesim")); err != nil {
					t.Fatal(err)
				}
				if config, err := clientcmd.LoadFromFile(path); err != nil || config.CurrentContext != "kubesim" {
					t.Errorf("%v: %s", err, read(t, path))
				}
				next := entry("kubesim")
				next.Certificate = []byte("another certificate")
				if err := Merge(t.Context(), path, next); err != nil {
					t.Fatal(err)
				}
				merged := read(t, path)
				if err := Remove(t.Context(), path, "kubesim"); err != nil {
					t.Fatal(err)
				}
				if got := read(t, path); got != text {
					t.Errorf("after merge and removal:\n%s\nwant:\n%s\nmerged:\n%s", got, text, merged)
				}
			}
		})
	}
}

// TestTheCurrentContextOfBefore: clusters come and go in any order.
func TestTheCurrentContextOfBefore(t *testing.T) {
	path := write(t, two)
	current := func() string {
		t.Helper()
		config, err := clientcmd.LoadFromFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return config.CurrentContext
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"kubesim", "kubesim-a", "kubesim-b"} {
		must(Merge(t.Context(), path, entry(name)))
	}
	must(Remove(t.Context(), path, "kubesim-a"))
	if got := current(); got != "kubesim-b" {
		t.Errorf("the current one stays: got %s", got)
	}
	must(Remove(t.Context(), path, "kubesim"))
	must(Remove(t.Context(), path, "kubesim-b"))
	if got := read(t, path); got != two {
		t.Errorf("got\n%s", got)
	}
	must(Merge(t.Context(), path, entry("kubesim")))
	text := strings.Replace(read(t, path), "  - name: a\n", "  - name: other\n", 1)
	must(os.WriteFile(path, []byte(text), 0o600))
	must(Remove(t.Context(), path, "kubesim"))
	if got := current(); got != "" {
		t.Errorf("the one of before is gone: got %q", got)
	}
}

// TestANamespaceStays: kubectl config set-context --current --namespace is a user's word.
func TestANamespaceStays(t *testing.T) {
	path := write(t, "")
	if err := Merge(t.Context(), path, entry("kubesim")); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	config.Contexts["kubesim"].Namespace = "dev"
	if err := clientcmd.WriteToFile(*config, path); err != nil { // as kubectl does
		t.Fatal(err)
	}
	if err := Merge(t.Context(), path, entry("kubesim")); err != nil {
		t.Fatal(err)
	}
	if config, err = clientcmd.LoadFromFile(path); err != nil || config.Contexts["kubesim"].Namespace != "dev" {
		t.Errorf("%v\n%s", err, read(t, path))
	}
}

func TestModeAndSymlinkStay(t *testing.T) {
	path := write(t, two)
	link := filepath.Join(t.TempDir(), "link")
	if err := errors.Join(os.Chmod(path, 0o640), os.Symlink(path, link)); err != nil {
		t.Fatal(err)
	}
	if err := Merge(t.Context(), link, entry("kubesim")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(link)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", info.Mode(), err)
	}
	if info, err = os.Stat(path); err != nil || info.Mode() != 0o640 {
		t.Errorf("the mode became %v, %v", info.Mode(), err)
	}
	if err := Merge(t.Context(), t.TempDir(), entry("kubesim")); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a folder: %v", err)
	}
}

func TestSeveralFiles(t *testing.T) {
	first, second := write(t, "kind: Config\ncurrent-context: a\n"), write(t, two)
	missing := filepath.Join(t.TempDir(), "missing")
	t.Setenv("KUBECONFIG", strings.Join([]string{missing, first, second}, string(filepath.ListSeparator)))
	path, err := MergeDefault(t.Context(), entry("kubesim"))
	if err != nil || path != first {
		t.Fatalf("it went to %s, %v", path, err)
	}
	if name, ours := Current(); name != "kubesim" || !ours {
		t.Errorf("the current context is %s, ours: %v", name, ours)
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("a file was made that nobody needs")
	}
	if read(t, second) != two {
		t.Error("the other file was changed")
	}
	if was, err := RemoveDefault(t.Context(), "kubesim"); err != nil || !was {
		t.Fatal(err)
	}
	if name, ours := Current(); name != "a" || ours {
		t.Errorf("the current context is %s, ours: %v", name, ours)
	}
}

// TestALockIsWaitedFor: kubectl's lock is named, a dead kubesim's is taken over.
func TestALockIsWaitedFor(t *testing.T) {
	path := write(t, two)
	lock := path + ".lock"
	if err := os.WriteFile(lock, nil, 0); err != nil { // as client-go does
		t.Fatal(err)
	}
	err := Merge(t.Context(), path, entry("kubesim"))
	if err == nil || !strings.Contains(err.Error(), lock+" is there: another program, for example kubectl") {
		t.Errorf("kubectl's lock: %v", err)
	}
	dead := exec.Command("true")
	if err := errors.Join(os.Remove(lock), dead.Run(), os.WriteFile(lock, []byte(strconv.Itoa(dead.Process.Pid)), 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := Merge(t.Context(), path, entry("kubesim")); err != nil {
		t.Errorf("a dead process's lock: %v", err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("beside it: %v", left)
	}
}

// TestManyAtOnce: nothing is lost, whoever writes; kubectl's own way among them.
func TestManyAtOnce(t *testing.T) {
	path := write(t, two)
	done := make(chan error)
	const each = 8
	for i := range each {
		go func() { done <- Merge(t.Context(), path, entry(fmt.Sprintf("kubesim-%d", i))) }()
	}
	for range each {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	config, err := clientcmd.LoadFromFile(path)
	if err != nil || len(config.Clusters) != 2+each {
		t.Errorf("%v: %v", err, slices.Sorted(maps.Keys(config.Clusters)))
	}
	for i := range each {
		if err := Remove(t.Context(), path, fmt.Sprintf("kubesim-%d", i)); err != nil {
			t.Error(err)
		}
	}
	if read(t, path) != two {
		t.Errorf("got\n%s", read(t, path))
	}
}

// childFile is the variable that makes the test binary a process that writes into a file
// until it is killed.
const childFile = "KUBECONFIG_TEST_CHILD"

func TestMain(m *testing.M) {
	path := os.Getenv(childFile)
	if path == "" {
		os.Exit(m.Run())
	}
	for i := 0; ; i++ {
		e := entry("kubesim")
		e.Key = []byte(strconv.Itoa(i))
		if err := errors.Join(Merge(context.Background(), path, e), Remove(context.Background(), path, "kubesim")); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Print(".")
	}
}

// TestAKilledWriterLosesNothing kills a process at some moment, again and again.
func TestAKilledWriterLosesNothing(t *testing.T) {
	path := write(t, two)
	seen := map[bool]bool{}
	for i := range 20 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childFile+"="+path)
		out, err := child.StdoutPipe()
		if err == nil {
			err = child.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		// It writes until it has said so several times, and goes on until it is dead.
		if _, err := io.ReadFull(out, make([]byte, 1+i%3)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i) * 300 * time.Microsecond)
		_ = child.Process.Kill()
		_ = child.Wait()
		config, err := clientcmd.LoadFromFile(path)
		if err != nil || config.Clusters["a"] == nil || config.Clusters["b"] == nil || config.AuthInfos["a"].Token != "# not a comment\nt" {
			t.Fatalf("%v\n%s", err, read(t, path))
		}
		seen[config.Clusters["kubesim"] != nil] = true
	}
	if len(seen) < 2 {
		t.Log("every kill came in the same half")
	}
	if err := errors.Join(Merge(t.Context(), path, entry("kubesim")), Remove(t.Context(), path, "kubesim")); err != nil || read(t, path) != two {
		t.Errorf("at the end: %v\n%s", err, read(t, path))
	}
}
