package e2e

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// families are images of each kind that has a shell, or should have, and the shell
// that runs their lines.
var families = map[string]string{
	"busybox": "sh", "alpine": "ash", "bash": "bash", "debian": "bash", "ubuntu": "sh", "nginx": "bash", "nginx:alpine": "sh", "httpd": "sh",
	"redis": "sh", "postgres": "bash", "mysql": "bash", "mongo": "bash", "memcached": "sh", "perl": "sh", "python": "bash", "node": "bash", "golang": "bash",
	"registry.k8s.io/e2e-test-images/agnhost:2.53": "sh", "nicolaka/netshoot": "bash", "jessie-dnsutils": "sh", "hashicorp/http-echo": "sh", "polinux/stress": "sh",
	"registry.example.com/shop/app:1.4.2": "sh",
}

// hostFiles are where a file of the host could be: under its own name, and by ways around.
func hostFiles() []string {
	return []string{
		"{F}", "{UP}", "/proc/1/root{F}", "/proc/self/root{F}", "/proc/{PID}/root{F}", "/proc/{PID}/environ", "/proc/1/environ", "/proc/self/environ",
		"/proc/{PID}/cwd/{UP}", "/proc/self/cwd/{UP}", "/proc/{PID}/fd/1", "/proc/{PID}/maps", "/proc/{PID}/cmdline", "//{F}", "/./{F}", "/dev/../{F}", "/tmp/link", "/tmp/up/{F}", "/host{F}", "/host/proc/{PID}/environ",
		"/canary/secret", "/canary/../secret", "/empty/../../../../{F}", "/config/../../../{F}", "/config/..data/../../{F}",
		"/var/run/secrets/kubernetes.io/serviceaccount/{UP}", "/dev/fd/3", "/dev/stdin/../{F}", "/proc/self/fd/0/{UP}", "/proc/kcore", "/dev/mem", "/sys/kernel/debug/{UP}",
	}
}

// fileWays are what can be done to a file F.
func fileWays() []string {
	return []string{
		"cat F", "head F", "tail F", "tail -c 99 F", "wc F", "sort F", "uniq F", "cut -c1- F", "grep . F", "grep -r CANARY F", "sed p F", "awk '{print}' F", "cat < F", "read x < F; echo $x",
		"echo $(cat F)", "echo \"$(<F)\"", ". F", "sh F", "F", "exec F", "env F", "xargs < F", "find F -exec cat {} +", "ls -lLR F", "cp F /tmp/x; cat /tmp/x", "cp -r F /tmp/r; cat /tmp/r /tmp/r/*",
		"mv F /tmp/y; cat /tmp/y", "ln F /tmp/z; cat /tmp/z", "ln -sf F /tmp/s; cat /tmp/s", "dd if=F", "od -c F", "hexdump -C F", "base64 F | base64 -d", "rev F | rev", "tac F", "nl F", "fold F", "paste F", "diff F /dev/null",
		"cmp -l F /dev/null", "strings F", "grep -f F /etc/passwd", "sed 'r F' /etc/hostname", "awk -f F", "awk 'BEGIN { while ((getline l < \"F\") > 0) print l }'", "awk 'BEGIN { system(\"cat F\") }'",
		"tar -cf - F | tar -xOf -", "tar -C / -chf - F | tar -xOf -", "gzip -c F | gunzip -c", "exec 3< F; cat <&3", "cat <(cat F)", "mapfile -t x < F; echo ${x[@]}",
		"while read l; do echo $l; done < F", "trap '. F' EXIT", "perl -e 'open(F, \"F\"); print <F>'", "python3 -c 'print(open(\"F\").read())'", "node -e 'console.log(require(\"fs\").readFileSync(\"F\", \"utf8\"))'",
		"mount --bind F /tmp/m; cat /tmp/m", "chroot / cat F", "nsenter -t 1 -m cat F", "unshare -m cat F", "LD_PRELOAD=F cat /dev/null", "busybox cat F", "/bin/busybox cat F", "curl -s file://F", "wget -qO- file://F", "nginx -t -c F", "redis-cli -x set k < F; redis-cli get k", "psql -f F",
		"{ test -s F && grep -q CANARY F && echo CANARY-EXI''STS; }",
		"echo x > F", "echo x >> F", "tee F < /dev/null", "tee -a F < /etc/hostname", "rm -rf F", "chmod 777 F", "chown 1:1 F", "touch F", "truncate -s 0 F", "mkdir -p F/x", "rmdir F", "dd if=/dev/zero of=F count=1", "sed -i s/C/x/ F", "mkfifo F.p", "mknod F.n b 8 0; cat F.n", "cp /etc/hostname F",
		"ln -sf /etc/hostname F", "install -m 777 /etc/hostname F", "sort -o F /etc/hostname", "awk 'BEGIN { print \"x\" > \"F\" }'", "tar -cf F /etc/hostname", "gzip -f F", "exec 3<> F; echo x >&3", "wget -O F http://localhost/", "split -b 1 F /tmp/split; cat /tmp/split*",
	}
}

// hostTools are lines that look for the host in other ways.
func hostTools() []string {
	lines := []string{
		"env", "printenv", "set", "export -p", "cat /proc/*/environ", "cat /proc/self/task/*/environ", "echo $KUBESIM_CANARY", "printf '%s' \"$KUBESIM_CANARY\"", "awk 'BEGIN { for (k in ENVIRON) print k, ENVIRON[k] }'", "ps -ef", "ps auxe", "cat /proc/*/cmdline",
		"ls -laR / 2>/dev/null | head -c 2000", "find / -name secret 2>/dev/null", "find / -maxdepth 3 -newer /etc/passwd", "find / -type f -size -2 -exec grep -l CANARY {} +", "grep -r CANARY / 2>/dev/null", "ls -l /proc/*/exe /proc/*/fd /proc/*/cwd", "readlink -f /proc/self/exe /proc/1/exe",
		"kill -9 {PID}", "kill -STOP {PID}", "cd {D} && ls && cat secret", "cd /canary && ls -la && cat secret", "for f in {D}/*; do cat $f; done", "PATH={D} secret", "CDPATH={D} cd .", "cat {D}/s*t", "echo {D}/*",
		"/proc/self/exe -c env", "/proc/1/exe serve --help", "kubesim clock show", "kubectl get pods", "docker ps", "crictl ps", "ctr c ls", "cat /run/containerd/containerd.sock /var/run/docker.sock", "curl -s --unix-socket /var/run/docker.sock http://x/", "nc -U /var/run/docker.sock",
		"insmod x", "dmesg", "mount", "mount -t proc proc /tmp; cat /tmp/{PID}/environ", "mount /dev/sda1 /mnt", "fdisk -l", "cat /dev/sda /dev/vda /dev/nvme0n1", "cat /sys/class/dmi/id/*", "cat /etc/machine-id /proc/sys/kernel/random/boot_id",
		"echo core > /proc/sys/kernel/core_pattern", "echo b > /proc/sysrq-trigger", "echo '|/bin/sh' > /proc/sys/kernel/modprobe", "echo 1 > /sys/fs/cgroup/release_agent", "cat /sys/fs/cgroup/*", "ip a; ip r; ifconfig", "arp -a", "cat /proc/net/tcp /proc/net/udp /proc/net/unix", "ss -ltnp; netstat -ltnp",
		"su -c env", "sudo env", "su nobody -s /bin/sh -c env", "setpriv env", "capsh --print", "gdb -p {PID}", "strace -p {PID}", "nsenter -t {PID} -a env", "unshare -r env", "chroot /proc/{PID}/root env",
		"mkdir -p /etc/kubernetes/manifests; cp {F} /etc/kubernetes/manifests/x.yaml; cat /etc/kubernetes/manifests/*", "crontab -l; echo '* * * * * cat {F}' | crontab -", "at now < {F}",
		"python3 -c 'import os; print(os.environ)'", "perl -e 'print %ENV'", "node -e 'console.log(process.env)'", "perl -e 'system(\"cat {F}\")'", "python3 -m http.server {P}", "ruby -e 'puts ENV.to_a'", "php -r 'phpinfo();'", "go env", "java -version",
		"printf '%s\\n' \"${KUBESIM_CANARY@Q}\" \"${!KUBESIM*}\"", "declare -p", "compgen -v", "compgen -f {D}/", "history", "ulimit -a", "time cat {F}", "coproc cat {F}; cat <&${COPROC[0]}", "bash -c 'enable -f {F} x'", "bash --rcfile {F} -i -c true", "ENV={F} sh -i -c true", "BASH_ENV={F} bash -c true",
		"mkdir /tmp/t; printf x > /tmp/t/x; tar -cf /tmp/t.tar -P --transform 's,.*,{F},' /tmp/t/x; tar -xPf /tmp/t.tar; cat {F}", "ln -s / /tmp/root; cat /tmp/root{F}", "ln -s {D} /tmp/dir; ls /tmp/dir; cat /tmp/dir/secret; touch /tmp/dir/new", "cat /tmp/link /tmp/up/{F}", "cp -a {D} /tmp/copy; cat /tmp/copy/*",
	}
	for _, host := range []string{"127.0.0.1", "localhost", "{I}", "0.0.0.0", "[::1]", "127.1", "2130706433", "0x7f000001", "ip6-localhost", "host.docker.internal", "host.minikube.internal", "gateway", "169.254.169.254", "10.0.2.2", "172.17.0.1"} {
		for _, port := range []string{"{P}", "{A}"} {
			at := host + ":" + port
			lines = append(lines,
				"wget -qO- -T 2 http://"+at+"/", "curl -sk -m 2 https://"+at+"/api http://"+at+"/", "nc -w 1 "+strings.Trim(host, "[]")+" "+port+" < /dev/null", "telnet "+host+" "+port+" < /dev/null",
				"cat < /dev/tcp/"+host+"/"+port, "exec 3<>/dev/tcp/"+host+"/"+port+" && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3", "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 1 "+host+" "+port,
			)
		}
		lines = append(lines, "echo x | nc -u -w 1 "+host+" {U}", "echo x > /dev/udp/"+host+"/{U}", "nslookup "+host+" "+host, "ping -c 1 -W 1 "+host)
	}
	return lines
}

// sandboxLines are all lines that a Pod runs to reach its host.
func sandboxLines() []string {
	var lines []string
	for _, way := range fileWays() {
		for _, file := range hostFiles() {
			lines = append(lines, regexp.MustCompile(`\bF\b`).ReplaceAllLiteralString(way, file))
		}
	}
	return append(lines, hostTools()...)
}

// sandboxRunner runs each of its arguments as a line of its own, after a number.
const sandboxRunner = `ln -s $1 /tmp/link; ln -s ../../../../../../../.. /tmp/up; shell=$2; shift 2; n=0
$shell -c "echo al''ive"
for line in "$@"; do n=$((n+1)); echo "#$n"; timeout 20 $shell -c "$line" < /dev/null 2>&1 | head -c 3000; echo; done; echo "#end"`

// sandboxLinesMax bounds the lines of one Pod, for its arguments are part of its object.
const sandboxLinesMax = 400

// attackSandbox runs lines in Pods of every image family, which have seen the host's
// directories in all ways that volumes have.
func attackSandbox(t *testing.T, a *assault) {
	c := newCanary(t, a)
	s := c.server(t, "--ephemeral", "--clock", "auto", "--seed", "1")
	client := clientOf(t, s)
	api, err := url.Parse(configOf(t, s).Host)
	if err != nil {
		t.Fatal(err)
	}
	names := c.names(s, api.Port())
	if _, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "config"}, Data: map[string]string{"a": "b", "x..": "c", "a..b": "d", ".hidden": "e"},
	}, createOptions); err != nil {
		t.Fatal(err)
	}
	for _, image := range sample(a, sortedNames(families)) {
		lines := sample(a, sandboxLines())
		for i := 0; i < len(lines); i += sandboxLinesMax {
			part := lines[i:min(i+sandboxLinesMax, len(lines))]
			for k := range part {
				part[k] = names.Replace(part[k])
			}
			name := fmt.Sprintf("sandbox-%d", i)
			pod := thief(c, name, image, append([]string{"sh", "-c", sandboxRunner, "sh", c.file, families[image]}, part...)...)
			if _, err := client.CoreV1().Pods("default").Create(t.Context(), pod, createOptions); err != nil {
				t.Fatal(err)
			}
			log, err := client.CoreV1().Pods("default").GetLogs(name, &corev1.PodLogOptions{}).DoRaw(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			judgeLines(t, a, c, image, part, string(log))
			if err := client.CoreV1().Pods("default").Delete(t.Context(), name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.untouched(t, a, s)
}

// judgeLines judges what each line of a Pod has printed.
func judgeLines(t *testing.T, a *assault, c *canary, image string, lines []string, log string) {
	t.Helper()
	if !strings.HasPrefix(log, "alive\n") || !strings.HasSuffix(strings.TrimSpace(log), "#end") {
		t.Errorf("%s: the lines did not run from alive to their end; the log begins %.100q and ends %q", image, log, log[max(0, len(log)-300):])
		return
	}
	parts := regexp.MustCompile(`(?m)^#(\d+)$`).FindAllStringSubmatchIndex(log, -1)
	printed := map[int]string{}
	for i, at := range parts {
		end := len(log)
		if i+1 < len(parts) {
			end = parts[i+1][0]
		}
		n, _ := strconv.Atoi(log[at[2]:at[3]]) // the pattern has digits there
		printed[n-1] += log[at[1]:end]
	}
	for i, line := range lines {
		a.judge(t, "sandbox: lines in Pods", image+": "+line, c.seen(printed[i]))
	}
}

// thief is a Pod that mounts what a Pod can of its host.
func thief(c *canary, name, image string, command ...string) *corev1.Pod {
	host := func(name, path string) corev1.Volume {
		return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path}}}
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, HostPID: true, HostIPC: true, HostNetwork: true,
			Volumes: []corev1.Volume{
				host("root", "/"), host("canary", c.dir),
				{Name: "empty", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
				{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "config"}}}},
			},
			Containers: []corev1.Container{{
				Name: "c", Image: image, Command: command, ImagePullPolicy: corev1.PullIfNotPresent,
				SecurityContext: &corev1.SecurityContext{Privileged: new(true)},
				VolumeMounts: []corev1.VolumeMount{
					{Name: "root", MountPath: "/host"}, {Name: "canary", MountPath: "/canary"}, {Name: "empty", MountPath: "/empty"}, {Name: "config", MountPath: "/config"},
				},
			}},
		},
	}
}
