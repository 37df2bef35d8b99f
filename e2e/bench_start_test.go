package e2e

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkStart starts the binary that `make build` makes, on an empty data
// directory, until it says that every node is Ready, and reports that time, its
// memory once it has been idle for a second, and its size.
func BenchmarkStart(b *testing.B) {
	binary, err := filepath.Abs(filepath.Join("..", "bin", "kubesim"))
	if err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(binary)
	if err != nil {
		b.Skip("no bin/kubesim: 'make build' makes it")
	}
	var ready time.Duration
	var rss float64
	for range b.N {
		started := time.Now()
		server := exec.CommandContext(b.Context(), binary, "serve", "--listen", "127.0.0.1:0", "--data-dir", b.TempDir())
		out, err := server.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := server.Start(); err != nil {
			b.Fatal(err)
		}
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			b.Fatalf("the server did not start: %v", err)
		}
		ready += time.Since(started)
		time.Sleep(time.Second)
		rss = residentMiB(b, server.Process.Pid)
		if err := server.Process.Signal(syscall.SIGINT); err != nil {
			b.Fatal(err)
		}
		if err := server.Wait(); err != nil {
			b.Fatalf("the server did not end well: %v", err)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ready.Seconds()*1000/float64(b.N), "ms-to-Ready")
	b.ReportMetric(rss, "MiB-idle")
	b.ReportMetric(float64(info.Size())/1e6, "MB-binary")
}

// residentMiB is a process's resident memory, or 0 where there is no /proc.
func residentMiB(b *testing.B, pid int) float64 {
	b.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kib); n == 1 {
			return kib / 1024
		}
	}
	return 0
}
