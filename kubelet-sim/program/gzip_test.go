package program

import (
	"testing"
	"time"
)

// The rows of debian say what gzip 1.12 and coreutils 9.1 say; TestBehavesAsBusybox
// compares the others with a real busybox.
func TestGzipSplitAndLink(t *testing.T) {
	for name, tc := range map[string]struct {
		image, script  string
		stdout, stderr string
		code           int32
	}{
		"a backup is packed and found again": {
			image: "alpine", script: `echo data > dump; gzip dump; ls; zcat dump.gz; gunzip -k dump.gz; ls; cat dump`,
			stdout: "dump.gz\ndata\ndump\ndump.gz\ndata\n",
		},
		"what was packed keeps its mode": {
			image: "debian", script: `echo x > f; chmod 600 f; gzip -f f; stat -c %a f.gz; gzip -d f.gz; stat -c %a f`, stdout: "600\n600\n",
		},
		"tar unpacks what gzip has packed": {
			image: "busybox", script: `echo x > f; tar cf - f | gzip > t.tgz; rm f; tar xzf t.tgz; cat f; gunzip t.tgz; ls`, stdout: "x\nf\nt.tar\n",
		},
		"GNU's words for a file that is not there": {
			image: "debian", script: `gunzip nofile`, code: 1, stderr: "gzip: nofile.gz: No such file or directory\n",
		},
		"GNU's words for a file that is not packed": {
			image: "debian", script: `echo x > g; gunzip g; echo $?; echo x > h.gz; zcat h.gz; echo $?; printf x | gunzip`, stdout: "2\n1\n", code: 1,
			stderr: "gzip: g: unknown suffix -- ignored\n\ngzip: h.gz: not in gzip format\n\ngzip: stdin: unexpected end of file\n",
		},
		"GNU's words for a file that is there": {
			image: "debian", script: `touch f f.gz; gzip f`, code: 2, stderr: "gzip: f.gz already exists;\tnot overwritten\n",
		},
		"pieces are numbered": {
			image: "debian", script: `seq 5 | split -l 2 -d - part; ls; cat part02; split -b 3 part00 b; cat baa`, stdout: "part00\npart01\npart02\n5\n1\n2",
		},
		"GNU's words for what cannot be split": {
			image: "debian", script: `split -l 0 /dev/null; split -b x; seq 30 | split -l 1 -a 1`, code: 1,
			stderr: "split: invalid number of lines: '0': Numerical result out of range\nsplit: invalid number of bytes: 'x'\nsplit: output file suffixes exhausted\n",
		},
		"GNU's words for a link": {
			image: "debian", script: `touch a b; link a b`, code: 1, stderr: "link: cannot create link 'b' to 'a': File exists\n",
		},
		"what nobody has written is not found": {
			image: "busybox", script: `mkfifo p`, code: 127, stderr: "sh: mkfifo: not found\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			spec := Spec{Image: tc.image, Command: []string{"sh", "-c", tc.script}, WorkingDir: "/work", User: -1, Group: -1}
			got := runFor(t, spec, time.Hour)
			if got.err != nil || got.code != tc.code || got.stdout != tc.stdout || got.stderr != tc.stderr {
				t.Errorf("got  %d %q %q %v\nwant %d %q %q", got.code, got.stdout, got.stderr, got.err, tc.code, tc.stdout, tc.stderr)
			}
		})
	}
}
