package program

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestNothingReachesTheHost gives every way of reading, writing and running
// the name of a host file and looks for its contents and for changes.
func TestNothingReachesTheHost(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	const mark = "host-secret-7c1f"
	if err := os.WriteFile(secret, []byte(mark+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBESIM_HOST_MARK", mark)
	hostname, _ := os.Hostname()
	// A server of the host, which no program reaches.
	dialled := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case dialled <- r.UserAgent():
		default:
		}
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	_, port, _ := strings.Cut(host, ":")
	up := strings.Repeat("../", 20) + secret[1:]
	var scripts []string
	for _, file := range []string{secret, up, "/proc/1/root" + secret, "/proc/self/cwd/" + up, "/tmp/link"} {
		for _, way := range []string{
			"cat F", "head F", "tail F", "tail -n1 F", "wc F", "sort F", "uniq F", "cut -c1- F", "grep . F", "sed p F", "awk '{print}' F", "tee F </dev/null; cat F",
			"cat < F", "read x < F; echo $x", "echo $(<F)", "echo $(cat F)", ". F", "sh F", "F", "exec F", "env F", "xargs -a F", "find F", "ls -l F", "stat F", "cp F /tmp/x; cat /tmp/x",
			"mv F /tmp/y; cat /tmp/y", "ln F /tmp/z; cat /tmp/z", "ln -s F /tmp/s; cat /tmp/s", "dd if=F", "od -c F", "hexdump -C F", "base64 F", "md5sum F", "rev F", "tac F", "nl F", "fold F",
			"paste F", "diff F /dev/null", "cmp F /dev/null", "readlink -f F", "grep -f F /etc/passwd", "sed -f F /etc/passwd", "sed 'r F' /etc/hostname", "awk -f F",
			"awk 'BEGIN { while ((getline l < \"F\") > 0) print l }'", "awk 'BEGIN { system(\"cat F\") }'", "awk 'BEGIN { \"cat F\" | getline l; print l }'", "awk 'BEGIN { print \"x\" > \"F\" }'",
			"echo x > F", "echo x >> F", "rm -f F", "chmod 777 F", "touch F", "truncate -s 0 F", "mkdir F", "rmdir F", "dd if=/dev/zero of=F count=1", "sed -i s/h/x/ F", "xargs < F", "cat <(cat F)",
			"mktemp -p F", "cd " + dir + "; ls; cat secret", "for f in " + dir + "/*; do cat $f; done", "trap F EXIT", "source F", "exec 3< F; cat <&3", "exec 3<> F; echo x >&3",
			"LD_PRELOAD=F cat F", "LD_LIBRARY_PATH=" + dir + " F", "enable -f F x; x", "/lib64/ld-linux-x86-64.so.2 F", "exec -a x F", "command F", "hash -p F x; x", "PATH=" + dir + " secret",
			"python3 -c 'print(open(\"F\").read())'", "perl -e 'open(F, \"F\"); print <F>'", "mount --bind F /tmp/m; cat /tmp/m", "chroot " + dir + " /secret", "nsenter -t 1 -m cat F",
			"tar -C / -cf - F | tar -xOf -", "mkdir /tmp/t; tar -cf /tmp/t.tar /tmp/link; cd /tmp/t; tar -xf /tmp/t.tar; cat tmp/link", "cat /proc/self/fd/3 3< F", "cat /dev/fd/3 3< F",
		} {
			scripts = append(scripts, "ln -s "+secret+" /tmp/link; "+strings.ReplaceAll(way, "F", file))
		}
	}
	scripts = append(scripts,
		"env", "printenv", "set", "export", "cat /proc/self/environ /proc/1/environ", "awk 'BEGIN { for (k in ENVIRON) print k, ENVIRON[k] }'", "echo $KUBESIM_HOST_MARK", "hostname",
		"cat /proc/*/cmdline", "ls -lR /proc", "ls -laR /", "echo ~nobody ~daemon ~"+filepath.Base(os.Getenv("HOME")), "cat /etc/hostname /etc/hosts /etc/passwd", "ps", "kill -9 -1", "kill -9 "+itoa(os.Getppid()),
		"/proc/self/exe", "/proc/1/exe -c env", "cat /proc/self/maps /proc/self/mem /proc/kcore /sys/kernel/* /dev/mem", "ls -l /proc/*/fd /proc/*/exe /proc/*/cwd",
		"bash -c 'cat < /dev/tcp/127.0.0.1/"+port+"'", "bash -c 'exec 3<>/dev/tcp/localhost/"+port+" && printf \"GET / HTTP/1.0\\r\\n\\r\\n\" >&3 && cat <&3'",
		"python3 -c 'import ctypes; ctypes.CDLL(None).system(b\"env\")'", "perl -e 'system(\"env\")'", "node -e 'require(\"child_process\").execSync(\"env\")'",
		"/usr/bin/env", "/bin/bash -c id", "busybox wget http://127.0.0.1/", "nc 127.0.0.1 22", "nslookup localhost", "curl http://169.254.169.254/",
		"wget -qO- http://"+host, "curl -s http://"+host, "nc -w 1 127.0.0.1 "+port+" < /dev/null", "telnet 127.0.0.1 "+port+" < /dev/null", "wget -qO- http://localhost:"+port,
		"awk 'BEGIN { \"cat /etc/hostname; env\" | getline x; print x; system(\"env\") }'", "ping -c1 127.0.0.1", "httpd -p "+port+" -h /; wget -qO- localhost:"+port+secret,
	)
	for _, image := range []string{"busybox", "debian"} {
		for _, script := range scripts {
			spec := Spec{Image: image, Command: []string{"sh", "-c", script}, User: -1, Group: -1, Hostname: "web-0"}
			got := runFor(t, spec, time.Minute)
			if out := got.stdout + got.stderr; strings.Contains(out, mark) && !strings.Contains(script, mark) || hostname != "" && len(hostname) > 4 && strings.Contains(out, hostname) {
				t.Errorf("%s: %s: the host shows: %q", image, script, out)
			}
		}
	}
	select {
	case who := <-dialled:
		t.Errorf("%q reached a server of the host", who)
	default:
	}
	data, err := os.ReadFile(secret)
	if err != nil || string(data) != mark+"\n" {
		t.Errorf("the host's file is now %q, %v", data, err)
	}
	if in, err := os.Stat(secret); err != nil || in.Mode().Perm() != 0o755 {
		t.Errorf("the host's file has mode %v, %v", in.Mode(), err)
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("the host's directory has %d files", len(list))
	}
}

// heapMax is far more than any container may hold (kernel.memoryMax), with its
// garbage. Unit: bytes.
const heapMax = 1 << 30

// heap is how much memory the process has taken for Go's heap.
func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

// TestAGreedyProgramIsBounded runs programs that would take all of a host's
// time or memory. Each Resume must return, and virtual time must pass.
func TestAGreedyProgramIsBounded(t *testing.T) {
	for name, script := range map[string]string{
		"a loop":                       "while :; do :; done",
		"an arithmetic loop":           "while true; do x=$((x+1)); done",
		"endless output":               "yes",
		"endless output to a file":     "yes > /tmp/f",
		"endless awk":                  "awk 'BEGIN { while (1) x++ }'",
		"endless awk without a body":   "awk 'BEGIN { for (;;); }'",
		"awk that doubles a string":    "awk 'BEGIN { s = \"x\"; while (1) s = s s }'",
		"awk that doubles in one go":   "awk 'BEGIN { s = \"xxxxxxxx\"; " + strings.Repeat("s = s s s s; ", 200) + "}'",
		"awk without a variable":       "awk 'function f(s) { return f(s s) } BEGIN { f(\"x\") }'",
		"awk that fills an array":      "awk 'BEGIN { while (1) a[i++] = \"some text\" i }'",
		"awk with long keys":           "awk 'BEGIN { s = \"x\"; while (1) { s = s s; a[s] = s } }'",
		"awk that replaces":            "awk 'BEGIN { s = \"xxxxxxxx\"; while (1) gsub(/x/, s, s) }'",
		"awk that pads":                "awk 'BEGIN { while (1) s = s sprintf(\"%1000000000d\", 1) }'",
		"awk with many fields":         "awk 'BEGIN { while (1) $(++i * 1000) = \"x\" }'",
		"awk of an endless record":     "awk '{ print length }' RS=x /dev/zero",
		"awk that keeps for a pipe":    "awk 'BEGIN { while (1) print \"xxxxxxxxxxxxxxxxxxxxxxxx\" | \"cat\" }'",
		"awk that recurses":            "awk 'function f(n) { return f(n + 1) } BEGIN { f(1) }'",
		"awk that is nested":           "awk \"BEGIN { x = $(yes '(' | head -n 20000 | tr -d '\\n') }\"",
		"awk's big pattern":            "awk 'BEGIN { while (1) { s = s \"(a|b)*\"; x = \"ab\" ~ s } }'",
		"awk that forks":               "awk 'BEGIN { while (1) system(\"awk \\x27BEGIN { while (1) system(0) }\\x27\") }'",
		"endless sed":                  "echo a | sed ':a; s/a/aa/; ba'",
		"endless growth":               "x=aaaaaaaaaa; while :; do x=$x$x; done",
		"a huge brace expansion":       "bash -c 'echo {1..1000000000}'",
		"nested brace expansions":      "bash -c 'echo {1..10000}{1..10000}{1..10000}'",
		"a loop over braces":           "bash -c 'for i in {1..1000000000}; do :; done'",
		"a huge array":                 "bash -c 'a=(); while :; do a+=(some text); done'",
		"elements one by one":          "bash -c 'while :; do a[i++]=x; done'",
		"elements from the end":        "bash -c 'i=100000; while :; do a[i--]=x; done'",
		"elements by name":             "bash -c 'declare -A a; while :; do a[k$((i++))]=x; done'",
		"reading a huge array":         "bash -c 'a=({1..20000}); while :; do x=${a[5]} y=${#a[@]}; done'",
		"many empty variables":         "while :; do i=$((i+1)); eval v$i=; done",
		"many exported names":          "bash -c 'while :; do i=$((i+1)); declare -x v$i; done'",
		"many functions":               "while :; do i=$((i+1)); eval \"f$i() { :; }\"; done",
		"many aliases":                 "while :; do i=$((i+1)); alias a$i=x; done",
		"a stack of directories":       "bash -c 'while :; do pushd /; done' > /dev/null",
		"many variables and children":  "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); eval v$i=x; done; while :; do (:); done",
		"many variables and programs":  "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); eval export v$i=x; done; while :; do env > /dev/null; done",
		"a function that recurses":     "f() { f; }; f",
		"a substitution that recurses": "f() { echo $(f); }; f",
		"a deep arithmetic recursion":  "x=x+1; echo $((x))",
		"a fork bomb":                  "f() { f | f & }; f; wait",
		"a fork bomb of shells":        "sh -c 'while :; do sh -c \"sleep 100\" & done'",
		"a script that calls itself":   "echo 'sh /tmp/s' > /tmp/s; sh /tmp/s",
		"eval that calls itself":       "x='eval \"$x\"'; eval \"$x\"",
		"all of a zero device":         "cat /dev/zero > /tmp/f",
		"tail of a zero device":        "tail /dev/zero",
		"sort of endless lines":        "yes | sort",
		"many files":                   "i=0; while :; do echo > /tmp/$i; i=$((i+1)); done",
		"deep directories":             "while mkdir d && cd d; do :; done",
		"a huge width":                 "printf '%1000000000d' 1; printf '%.1000000000f' 1",
		"a huge file":                  "truncate -s 1000000000000 /tmp/f; dd if=/dev/zero of=/tmp/g bs=1G count=100",
		"a long sequence":              "for i in $(seq 1 1000000000); do :; done",
		"an endless substitution":      "x=$(yes)",
		"an endless here-document":     "while :; do cat <<E\n$(yes | head -c 100000)\nE\ndone",
		"links that point in a ring":   "ln -s /tmp/b /tmp/a; ln -s /tmp/a /tmp/b; cat /tmp/a; while [ ! -e /tmp/a ]; do :; done",
		"a big pattern":                "x=$(head -c 100000 /dev/zero | tr '\\0' a); while :; do case $x in *a*a*a*a*b) ;; esac; done",
		"many variables in one word":   "x=$(head -c 1000000 /dev/zero | tr '\\0' a); while :; do y=$x$x$x$x$x$x$x$x; done",
		"growth by replacement":        "x=$(head -c 1000000 /dev/zero | tr '\\0' a); while :; do y=${x//a/$x}; done",
		"a nested script":              "sh -c \"$(yes '(' | head -n 60000 | tr -d '\\n')\"",
		"a nested expression":          "echo $(( $(yes '(' | head -n 30000 | tr -d '\\n') 1 ))",
		"a test of many parentheses":   "test $(yes '(' | head -n 5000)",
		"an expr of many parentheses":  "expr $(yes '(' | head -n 5000)",
		"traps that call themselves":   "trap 'kill -USR1 $$' USR1; kill -USR1 $$; while :; do :; done",
		"find that runs find":          "find / -exec find / -exec find / \\; \\;",
	} {
		t.Run(name, func(t *testing.T) {
			spec := busyboxSh(script)
			if strings.HasPrefix(script, "bash ") {
				spec.Image = "debian"
			}
			spec.Hostname = "web-0"
			bytes := 0
			spec.Output = func(c Chunk) { bytes += len(c.Data) }
			p, err := Start(spec, noon())
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			longest, most := time.Duration(0), uint64(0)
			n := resumes
			if testing.Short() {
				n = min(n, 3)
			}
			for range n {
				s := p.State()
				if s.Exited || s.WakeAt.IsZero() {
					break
				}
				start := cpuTime(t)
				p.Resume(s.WakeAt)
				longest = max(longest, cpuTime(t)-start)
				most = max(most, heap())
			}
			for _, crash := range p.Crashes() {
				t.Errorf("crash: %.2000s", crash)
			}
			if longest > greedyResumeMax {
				t.Errorf("one Resume took %v", longest)
			}
			if most > heapMax {
				t.Errorf("the heap grew to %d MiB", most>>20)
			}
			t.Logf("longest Resume %v, %d bytes", longest, bytes)
		})
	}
}
