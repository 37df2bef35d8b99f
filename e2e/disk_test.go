package e2e

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Full and read-only disks are small file systems in a user and mount namespace
// of their own (unshare -rm), which needs no root where the kernel allows it.

// inNamespace returns what runs a shell script in a namespace of its own.
func inNamespace(t *testing.T, h home, script string) *exec.Cmd {
	t.Helper()
	if out, err := exec.Command("unshare", "-rm", "sh", "-c", "mount -t tmpfs none /mnt").CombinedOutput(); err != nil {
		t.Skipf("this machine gives no user and mount namespace: unshare -rm: %v: %s", err, out)
	}
	return h.command(t.Context(), "unshare", "-rm", "sh", "-euc", script)
}

func TestAReadOnlyDataDirectoryIsRefused(t *testing.T) {
	for name, tc := range map[string]struct{ script, says string }{
		"the folder":          {"mount --bind cluster cluster; mount -o remount,bind,ro cluster", `storage: .*/cluster/kubesim\.db: the file cannot be written: read-only file system: make it writable, or use another --data-dir$`},
		"the file":            {"mount --bind cluster/kubesim.db cluster/kubesim.db; mount -o remount,bind,ro cluster/kubesim.db", `storage: .*/cluster/kubesim\.db: the file cannot be written: read-only file system: make it writable, or use another --data-dir$`},
		"a folder without it": {"rm -r cluster; mkdir cluster; mount --bind cluster cluster; mount -o remount,bind,ro cluster", `storage: .*/cluster/kubesim\.db: the file cannot be written: read-only file system: make it writable, or use another --data-dir$`},
		"where it is to be":   {"rm -r cluster; mount --bind . .; mount -o remount,bind,ro .; cd $PWD", `data directory .*/cluster: read-only file system: choose another with --data-dir$`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := filledHome(t, true)
			before := read(t, h.store())
			refuses(t, inNamespace(t, h, tc.script+"; exec kubesim "+strings.Join(serveHere, " ")), "^kubesim: "+tc.says)
			if strings.HasPrefix(tc.script, "mount") && string(before) != string(read(t, h.store())) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestAFullDiskAtTheStartIsRefused(t *testing.T) {
	for name, tc := range map[string]struct{ script, says string }{
		"a new cluster": {"mkdir cluster; mount -t tmpfs -o size=8k none cluster",
			`storage: .*/cluster/kubesim\.db: the disk is full: no space left on device: free some space and start again; what was acknowledged is safe$`},
		"a cluster that there is": {"mkdir cluster; mount -t tmpfs -o size=8m none cluster; kubesim serve --data-dir cluster --listen 127.0.0.1:0 --nodes 0 --clock manual >line & server=$!; " +
			"until test -s line; do sleep 0.1; done; kill -INT $server; wait $server; cat /dev/zero 2>/dev/null >cluster/filler || true",
			`.*: no space left on device: free some space and start again`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			refuses(t, inNamespace(t, h, tc.script+"; exec kubesim "+strings.Join(serveHere, " ")), "^kubesim: "+tc.says)
		})
	}
}

// TestAFullDiskLosesNothingAcknowledged fills the disk under a running server.
// The write that finds it full is refused with the reason, the server ends, and
// when there is space again, everything acknowledged is there.
func TestAFullDiskLosesNothingAcknowledged(t *testing.T) {
	h := newHome(t)
	serve := "kubesim " + strings.Join(serveHere, " ") + " --kubeconfig kubeconfig"
	cmd := inNamespace(t, h, "mkdir cluster; mount -t tmpfs -o size=12m none cluster; head -c 4194304 /dev/zero >cluster/filler; "+
		"status=0; "+serve+" 2>said || status=$?; echo status $status; rm cluster/filler; exec "+serve)
	s, err := startProcess(cmd)
	if err != nil {
		t.Fatal(err)
	}
	client := clientOf(t, s)
	const full = `the disk is full: no space left on device: free some space and start again; what was acknowledged is safe$`
	acked := 0
	for {
		cm := word(acked)
		cm.BinaryData = map[string][]byte{"ballast": make([]byte, 300<<10)}
		_, err := client.CoreV1().ConfigMaps(metav1.NamespaceDefault).Create(t.Context(), cm, createOptions)
		if err != nil {
			if !regexp.MustCompile(full).MatchString(err.Error()) {
				t.Errorf("the write on a full disk was told: %v", err)
			}
			break
		}
		acked++
	}
	if line, err := s.stdout.ReadString('\n'); err != nil || line != "status 1\n" {
		t.Fatalf("the server ended with %q (%v), want status 1", line, err)
	}
	mustSay(t, string(read(t, filepath.Join(h.dir, "said"))), `^kubesim: a commit failed and the store takes no more writes: storage: .*/cluster/kubesim\.db: `+full)
	line, err := s.stdout.ReadString('\n')
	if err != nil {
		t.Fatalf("with space again: %v; stderr:\n%s", err, s.stderr)
	}
	if s.kubeconfig, err = kubeconfigOf(line); err != nil {
		t.Fatal(err)
	}
	if err := missing(t.Context(), clientOf(t, s), acked); err != nil || acked == 0 {
		t.Errorf("of %d acknowledged objects: %v", acked, err)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}
