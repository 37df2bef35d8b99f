package program

import (
	"testing"
	"time"
)

func TestTar(t *testing.T) {
	for name, tc := range map[string]struct {
		image, script string
		stdout        string
		stderr        string
		code          int32
	}{
		"a tree goes through a pipe": {
			image:  "busybox",
			script: `mkdir -p a/b; echo x > a/b/f; ln -s f a/b/l; chmod 750 a/b/f; mkdir to; tar cf - a | tar xmf - -C to; cat to/a/b/l; stat -c %a to/a/b/f`,
			stdout: "x\n750\n",
		},
		"kubectl cp's way in": {
			image:  "busybox",
			script: `echo x > f; tar cf - f > t.tar; tar -xmf - -C /tmp < t.tar; cat /tmp/f`,
			stdout: "x\n",
		},
		"an absolute name loses its slash": {
			image:  "busybox",
			script: `tar cf - /etc/hostname | tar tf -`,
			stdout: "etc/hostname\n", stderr: "tar: removing leading '/' from member names\n",
		},
		"a compressed archive is recognized": {
			image:  "alpine",
			script: `echo x > f; tar -czf t.tgz f; rm f; tar xf t.tgz; tar -tzvf t.tgz; cat f`,
			stdout: "-rw-r--r-- root/root         2 2025-01-01 12:00:00 f\nx\n",
		},
		"directories are left out and taken off": {
			image:  "busybox",
			script: `mkdir -p a/b a/c; touch a/b/f a/c/g; tar cf t.tar --exclude=c a; mkdir to; tar -xf t.tar --strip-components=1 -C to; find to`,
			stdout: "to\nto/b\nto/b/f\n",
		},
		"a file that is not there": {
			image: "busybox", script: `tar cf - nope > /dev/null`, code: 1,
			stderr: "tar: nope: No such file or directory\ntar: error exit delayed from previous errors\n",
		},
		"a file that is not there, with GNU tar": {
			image: "debian", script: `tar cf - nope > /dev/null`, code: 2,
			stderr: "tar: nope: Cannot stat: No such file or directory\ntar: Exiting with failure status due to previous errors\n",
		},
		"no directory to unpack in": {
			image: "busybox", script: `tar xf - -C /nope < /dev/null`, code: 1,
			stderr: "tar: can't change directory to '/nope': No such file or directory\n",
		},
		"a member that would leave the directory": {
			image: "busybox", script: `cd /tmp; touch ../f; tar cf t.tar ../f; mkdir d; tar xf t.tar -C d; ls d`, code: 0,
			stderr: "tar: name with '..' encountered: '../f'\ntar: error exit delayed from previous errors\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			spec := Spec{Image: tc.image, Command: []string{"sh", "-c", tc.script}, WorkingDir: "/work", User: -1, Group: -1}
			got := runFor(t, spec, time.Hour)
			if got.err != nil || got.code != tc.code || got.stdout != tc.stdout || got.stderr != tc.stderr {
				t.Errorf("code %d, error %v\nstdout %q\nwant   %q\nstderr %q\nwant   %q", got.code, got.err, got.stdout, tc.stdout, got.stderr, tc.stderr)
			}
		})
	}
}
