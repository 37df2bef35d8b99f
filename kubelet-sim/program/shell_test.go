package program

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// want is a run of which only what a case is about is compared.
func want(stdout, stderr string, code int32, took time.Duration) run {
	return run{stdout: stdout, stderr: stderr, code: code, took: took}
}

func diffRun(t *testing.T, want, got run) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(run{}), cmpopts.EquateErrors()); diff != "" {
		t.Errorf("run (-want +got):\n%s", diff)
	}
}

func TestShellScript(t *testing.T) {
	const s = time.Second
	for name, tc := range map[string]struct {
		script string
		want   run
	}{
		"a script prints, sleeps and exits":           {"echo start; sleep 30; exit 3", want("start\n", "", 3, 30*s)},
		"sleep adds its arguments":                    {"sleep 1 0.5 1m", want("", "", 0, 61500*time.Millisecond)},
		"commands of a pipe run at one time":          {"(sleep 2; echo a) | (sleep 3; cat)", want("a\n", "", 0, 3*s)},
		"head ends yes":                               {"yes | head -n 2", want("y\ny\n", "", 0, 0)},
		"a reader waits for each line":                {"for i in 1 2; do echo $i; done | while read x; do sleep 1; echo $x; done", want("1\n2\n", "", 0, 2*s)},
		"wait waits for a job":                        {"sleep 5 & sleep 2; wait; echo $?", want("0\n", "", 0, 5*s)},
		"wait gives the exit code of its job":         {"(sleep 1; exit 7) & wait $!; echo $?", want("7\n", "", 0, s)},
		"jobs run beside the script":                  {"for i in 3 1 2; do (sleep $i; echo $i) & done; wait", want("1\n2\n3\n", "", 0, 3*s)},
		"a script that ends leaves its jobs":          {"sleep 100 & echo done", want("done\n", "", 0, 0)},
		"a substitution waits for its output":         {"x=$(sleep 2; echo a); echo $x", want("a\n", "", 0, 2*s)},
		"date is the virtual time":                    {"date -u +%T; sleep 90; date -u +%T", want("12:00:00\n12:01:30\n", "", 0, 90*s)},
		"SECONDS of timeout":                          {"timeout 3 sleep 10; echo $?; date +%s", want("143\n1735732803\n", "Terminated\n", 0, 3*s)},
		"an odd index fails":                          {"JOB_COMPLETION_INDEX=3; if [ $(expr ${JOB_COMPLETION_INDEX} % 2) -ne 0 ]; then exit 1; else exit 0; fi", want("", "", 1, 0)},
		"a marker file is found with [[ -r":           {"touch /tmp/foo; if [[ -r /tmp/foo ]]; then exit 42; else exit 1; fi", want("", "", 42, 0)},
		"an exit code wraps at 256":                   {"exit 257", want("", "", 1, 0)},
		"output to process 1's descriptor is the log": {"(echo a > /proc/1/fd/1; echo b > /dev/stderr)", want("a\n", "b\n", 0, 0)},
		"an unknown command is 127":                   {"foo", want("", "sh: foo: not found\n", 127, 0)},
		"a fork bomb runs out of processes":           {"f() { f | f & }; f; sleep 1; echo survived", want("survived\n", "", 0, 0)},
		"deep recursion is a fault":                   {"f() { f; }; f", want("", "", 139, 0)},
		"a here-document expands":                     {"x=1; cat <<E\n$x $((x+1))\nE", want("1 2\n", "", 0, 0)},
		"process substitution is a pipe":              {"bash_is_not_here=1; cat <(echo a)", want("a\n", "", 0, 0)},
		"kill ends a job":                             {"sleep 100 & kill $!; wait $!; echo $?", want("143\n", "", 0, 0)},
		"a trap runs after the command it interrupts": {"trap 'echo got; exit 9' USR1; (sleep 1; kill -USR1 1) & sleep 5; echo no", want("got\n", "", 9, 5*s)},
		"a trap interrupts wait":                      {"trap 'echo got; exit 9' USR1; (sleep 1; kill -USR1 1) & sleep 5 & wait; echo no", want("got\n", "", 9, s)},
		"awk in a pipe, as in runtime.go":             {"printf 'a\\nb\\n' | wc -l | awk {'print $1'}", want("2\n", "", 0, 0)},
		"a backslash quotes in a value":               {`x=a\ b; y=a\\b; echo "$x" "$y"`, want("a b a\\b\n", "", 0, 0)},
		"fields may be empty":                         {`IFS=:; x=a::b:; set -- $x; echo $# "[$2]"; IFS=' :'; x=' a : b '; set -- $x; echo $# "[$2]"`, want("3 []\n2 [b]\n", "", 0, 0)},
		"read takes empty fields":                     {`echo a::c | { IFS=: read x y z; echo "$x[$y]$z"; }; echo a:b:c: | { IFS=: read x y; echo "$y"; }; echo 'a\ b c' | { read x y; echo "$x"; }`, want("a[]c\nb:c:\na b\n", "", 0, 0)},
		"a quoted pattern is text":                    {`x='a*b*c' p='a*'; echo "${x#"a*"}" "${x#"$p"}" "${x##$p}."; case ab in "$p") echo no;; *) echo yes;; esac`, want("b*c b*c .\nyes\n", "", 0, 0)},
		"a word in place of a parameter has quotes":   {`set -- "a  b" c; for i in ${1+"$@"}; do echo "[$i]"; done; echo "${u:-'x'}"`, want("[a  b]\n[c]\n'x'\n", "", 0, 0)},
		"a suffix may go over lines":                  {`x=$(printf 'a.b\nc.d'); echo "${x%.*}"`, want("a.b\nc\n", "", 0, 0)},
		"an argument may be too long":                 {`x=$(head -c 200000 /dev/zero | tr '\0' a); cat "$x" | head -c 40; echo $?; echo "$x" | wc -c`, want("0\n200001\n", "sh: cat: Argument list too long\n", 0, 20*time.Millisecond)},
		"brace sequences are bash's":                  {"for i in {1..3}; do echo $i; done", want("{1..3}\n", "", 0, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			got := runFor(t, busyboxSh(tc.script), time.Hour)
			if name == "a fork bomb runs out of processes" {
				got.stderr, got.took = "", 0
			}
			diffRun(t, tc.want, got)
		})
	}
}

func TestReadOnlyRoot(t *testing.T) {
	spec := busyboxSh("echo test > /file; sleep 1")
	spec.Command = []string{"/bin/sh", "-c", "echo test > /file; sleep 1"}
	spec.ReadOnlyRoot = true
	diffRun(t, want("", "/bin/sh: can't create /file: Read-only file system\n", 0, time.Second), runFor(t, spec, time.Hour))
}

func TestBashScript(t *testing.T) {
	for name, tc := range map[string]struct {
		script string
		want   run
	}{
		"an array":                {`a=(x "y z"); a+=(w); echo ${#a[@]} "${a[1]}" ${a[@]:1}; unset 'a[0]'; echo ${!a[@]}`, want("3 y z y z w\n1 2\n", "", 0, 0)},
		"an associative array":    {`declare -A m; m[a]=1; m[b]=2; echo ${m[b]} ${!m[@]}`, want("2 a b\n", "", 0, 0)},
		"a brace sequence":        {`echo {1..5}; for ((i=0;i<3;i++)); do echo -n $i; done; echo`, want("1 2 3 4 5\n012\n", "", 0, 0)},
		"a regular expression":    {`[[ ab12 =~ ([a-z]+)([0-9]+) ]] && echo ${BASH_REMATCH[2]}`, want("12\n", "", 0, 0)},
		"a command that is not":   {`foo`, want("", "bash: line 1: foo: command not found\n", 127, 0)},
		"an unbound variable":     {`set -u; echo $foo`, want("", "bash: line 1: foo: unbound variable\n", 127, 0)},
		"pipefail":                {`set -o pipefail; false | true; echo $? ${PIPESTATUS[0]}`, want("1 1\n", "", 0, 0)},
		"a huge brace sequence":   {`echo {1..1000000000} > /dev/null; echo no`, run{code: 1}},
		"an anchored replacement": {`x=foo.c; echo ${x/%c/o} ${x/#f/g} ${x//o/0}`, want("foo.o goo.c f00.c\n", "", 0, 0)},
		"keys in order":           {`declare -A m; for i in e d c b a; do m[$i]=1; done; echo "${!m[@]}"`, want("a b c d e\n", "", 0, 0)},
		"elements are counted":    {`a=(1 2); ((a[1] += 5, a[0]++)); echo "${a[@]}"; export E=1; ((E++)); env | grep ^E=`, want("2 7\nE=2\n", "", 0, 0)},
		"groups without an end":   {`p=$(printf '@(%.0s' {1..200}); case $p in $p) echo same;; esac`, want("same\n", "", 0, 0)},
		"a here-string":           {`read a b <<< "x y"; echo $b`, want("y\n", "", 0, 0)},
		"RANDOM within its range": {`for i in 1 2 3 4 5; do ((RANDOM < 32768)) || echo bad; done`, want("", "", 0, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			spec := Spec{Image: "bash:5", Command: []string{"bash", "-c", tc.script}, User: -1, Group: -1}
			got := runFor(t, spec, time.Hour)
			if name == "a huge brace sequence" {
				got.stderr = ""
			}
			diffRun(t, tc.want, got)
		})
	}
}
