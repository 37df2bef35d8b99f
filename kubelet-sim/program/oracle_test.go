package program

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// oracleScripts are run by the real busybox too. They touch no file.
func oracleScripts() []string {
	return strings.Split(strings.TrimSpace(oracleText), "\n")
}

// TestBehavesAsBusybox compares with the busybox of the machine. Run it with
// KUBESIM_ORACLE=1 where busybox 1.35 or later is installed.
func TestBehavesAsBusybox(t *testing.T) {
	if os.Getenv("KUBESIM_ORACLE") == "" {
		t.Skip("KUBESIM_ORACLE is not set")
	}
	real, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("no busybox on PATH")
	}
	for _, script := range oracleScripts() {
		t.Run(script, func(t *testing.T) {
			var out, errs bytes.Buffer
			cmd := exec.Command(real, "sh", "-c", script)
			cmd.Stdout, cmd.Stderr, cmd.Dir = &out, &errs, t.TempDir()
			cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=/root"}
			want := int32(0)
			var exit *exec.ExitError
			if err := cmd.Run(); errors.As(err, &exit) {
				want = int32(exit.ExitCode())
			}
			spec := busyboxSh(script)
			spec.WorkingDir = "/tmp"
			got := runFor(t, spec, time.Hour)
			cut := func(s string) string {
				if i := strings.Index(s, "BusyBox v"); i >= 0 {
					return s[:i]
				}
				return s
			}
			if got.stdout != out.String() || cut(got.stderr) != cut(errs.String()) || got.code != want {
				t.Errorf("got  %d %q %q\nwant %d %q %q", got.code, got.stdout, cut(got.stderr), want, out.String(), cut(errs.String()))
			}
		})
	}
}

const oracleText = `
echo a b; echo -n c; echo -e 'x\ty\n'; printf '%s-%d|%5.2f|%x\n' a 5 3.14159 255
i=0; while [ $i -lt 3 ]; do echo $i; i=$((i+1)); done
for i in $(seq 1 3); do echo "item $i"; done
for f in a b c; do [ $f = b ] && continue; echo $f; done; echo done
case hello in h*) echo yes;; *) echo no;; esac
x=hello; echo ${x#he} ${x%lo} ${#x} ${x:-d} ${y:-d} ${x/l/L} ${x:1:3}
f() { echo "in $1"; return 3; }; f a; echo $?
(exit 4); echo $?; { false; }; echo $?; ! true; echo $?
set -e; false; echo never
set -e; false || true; if false; then :; fi; echo ok
set -eu; echo ${a:-x}; echo $b
echo "a b  c" | awk '{print $2}'
printf 'a:1\nb:2\n' | awk -F: '{s+=$2} END {print s, NR}'
awk 'BEGIN { for (i=0;i<3;i++) printf "%d ", i; while (j<2) j++; print j }'
printf '3\n1\n2\n' | sort; printf '3\n10\n2\n' | sort -n; printf 'b 2\na 1\n' | sort -k2 -r
printf 'a\na\nb\n' | uniq -c; printf 'a\na\nb\n' | uniq -d
echo a,b,c | cut -d, -f2; echo abcdef | cut -c2-4; echo a,b,c | cut -d, -f1,3
echo hello | tr a-z A-Z; echo hello | tr -d l; echo aabbcc | tr -s b
printf 'one\ntwo\nthree\n' | grep t; printf 'one\ntwo\n' | grep -c o; printf 'one\ntwo\n' | grep -v one; echo x | grep y; echo $?
printf 'one\ntwo\nthree\n' | grep -n -E 't(w|h)'; printf 'foo bar\n' | grep -o 'b.r'
printf 'one\ntwo\nthree\n' | head -n 2; printf 'one\ntwo\nthree\n' | tail -n 1; printf 'one\ntwo\nthree\n' | head -1
printf 'one\ntwo\n' | wc -l; printf 'one two\n' | wc; printf 'abc' | wc -c
echo hello world | sed 's/o/0/g'; printf 'a\nb\nc\n' | sed -n 2p; printf 'a\nb\n' | sed 1d; echo abc | sed -e 's/\(a\)\(b\)/\2\1/'
printf 'a\nb\nc\n' | sed '/b/s/$/!/'; printf 'a\nb\nc\n' | sed '2,3d'; printf 'a\nb\n' | sed '$a end'; printf 'a\nb\n' | sed 2q
expr 1 + 2; expr 7 % 2; expr 2 \* 3; expr length abc; expr abc : 'a\(.*\)'; expr 0; echo $?
expr 1 + a; expr 1 / 0; expr
seq 3; seq 2 4; seq 1 2 7; seq -s, 3; seq 3 -1 1; seq -w 8 10
echo aGVsbG8= | base64 -d; echo; echo hello | base64; echo hello | md5sum; echo hello | sha256sum
basename /a/b.txt .txt; dirname /a/b.txt; dirname a; basename /
test 1 -eq 1 && echo eq; test a = b || echo ne; [ -z "" ] && echo empty; [ 1 -lt 2 -a 2 -lt 3 ] && echo both; [ ! -e /nonexist ] && echo gone
[ 1 -eq a ]; echo $?
[ 1 -eq 1; echo $?
echo one > f; cat f; echo two >> f; cat f; wc -l < f; cat nofile; echo $?
mkdir -p a/b/c; touch a/x a/b/y; find a; find a -type f; find a -name y; ls a; rm -r a; ls a
mkdir d; mkdir d; rmdir d; rmdir d; touch f; rm f; rm f; rm -f f
echo a > x; cp x y; mv y z; cat z; ls; cp nofile b; mv nofile b; ln -s x l; readlink l; cat l
cat <<EOF2; echo after
foo; echo $?; /bin/nofoo; echo $?; cd /nodir; echo $?
echo x > /nodir/file; echo $?; cat < /nofile; echo $?
x=$(echo a; echo b); echo "$x"; echo $x
echo "$(( 3 * (2 + 1) )) $(( 7 / 2 )) $(( 1 << 4 )) $(( 5 > 3 ))"
trap 'echo bye' EXIT; echo hi; exit 3
trap 'echo term' TERM; kill -TERM $$; echo after
sh -c 'echo $0 $1' a b; sh -c 'exit 7'; echo $?
echo a | while read x; do echo "got $x"; done; printf 'a b c\n' | { read x y; echo "$x|$y"; }
yes | head -n 2; seq 1 100000 | tail -n 1
true && echo a || echo b; false && echo a || echo b
echo $1 $# "$@"; set -- x y z; echo $# $2; shift; echo $1
IFS=:; for p in a:b:c; do echo $p; done; x=a:b; for p in $x; do echo $p; done
x=5; x=$((x+1)); echo $x; : ${z:=def}; echo $z; unset x; echo "[$x]"
readonly r=1; r=2; echo no
local x; echo no
export A=1; sh -c 'echo $A'; B=2 sh -c 'echo $B'; echo "[$B]"
printf '%s\n' a b c; printf '%d\n' abc; printf '%05d|%-5s|%c\n' 42 ab xyz; printf 'no newline'; echo
echo {1..3} "a"{b,c}; echo ~root; echo \$HOME '$HOME'
type cd; command -v echo; type nosuch
eval 'echo $((1+1))'; eval "x=3; echo \$x"
kill -0 99999; kill -l 15; wait 99999; echo $?
if [ -n "x" ]; then echo a; elif true; then echo b; else echo c; fi; until true; do :; done; echo $?
while true; do break; done; for i in 1 2; do for j in 1 2; do [ $j = 2 ] && continue 2; echo $i$j; done; done
getopts ab: o -a; echo $o; echo a b | xargs echo; printf '1 2 3' | xargs -n1 echo n; echo x | xargs -I{} echo {}-{}
printf 'a b\nc d\n' | while read -r a b; do echo "$b $a"; done; echo -e 'a\nb' | rev; printf '1\n2\n' | tac; echo abc | fold -w2
date -u -d @0; date -u -d '2025-01-02 03:04:05' +%s; date -u -d @86400 '+%Y-%m-%d %H:%M:%S %j %a %b %e'; date -d foo
echo hi | tee out; cat out; env -i A=1 env; env | grep -c PATH; printenv HOME; printenv NOPE; echo $?
dd if=/dev/zero bs=4 count=2 2>/dev/null | od -An -tx1; echo abc | od -c; printf 'ab' | hexdump -C
sleep x; sleep; cut -f; head -n x; tr; grep; cat -Z
echo a >&2; echo b 2>&1; { echo c; echo d >&2; } 2>/dev/null; ls /nodir 2>&1
diff /dev/null /dev/null; echo $?; chmod 600 nofile; stat -c %a /dev/null; id -u; [ -d /tmp ] && echo dir; echo "a'b"
x="a b"; set -x; echo "$x" c; y=1; : done
nosuch | cat; echo $?; false | true; echo $?; set -o pipefail; false | true; echo $?
exec 3>f3; echo to3 >&3; exec 3>&-; cat f3; exec 4<f3; read l <&4; echo "r $l"
f() { local a=1; g; echo $a; }; g() { a=2; }; f; echo "[$a]"; echo $((a=5)) $a
timeout 0.1 sleep 3; echo $?; usleep 10; nproc >/dev/null; echo ok
cat /etc/shadow-none; ls -a | head -n 2; touch 'a b'; ls; for f in *; do echo "<$f>"; done; echo *.none
printf 'a b c\nd e f\n' | awk '{ print $2, NF, NR; $2="X"; print; NF=2; print $0 }'
printf 'a:b\nc:d\n' | awk -F: -v x=5 '{ s = s $1; n[$2]++ } END { print s, x, length(n); for (k in n) print k, n[k] }'
awk 'BEGIN { s = "hello world"; gsub(/o/, "[&]", s); print s; sub(/h/, "\\&", s); print s; print gsub(/x*/, "-", s), s }'
awk 'BEGIN { print substr("hello", 2, 3), substr("hello", 0), substr("hello", -1, 3), index("hello", "l"), length("hello"), toupper("abc"), tolower("ABC"), match("foobar", /o+/), RSTART, RLENGTH }'
awk 'BEGIN { n = split("a,b,c", a, ","); print n, a[1], a[3]; n = split("  a b ", b); print n, b[1]; n = split("", c); print n; n = split("abc", d, ""); print n, d[2] }'
awk 'BEGIN { printf "%d|%5d|%-5d|%05d|%x|%o|%c|%c|%s|%10s|%-10s|%.2f|%e|%g|%%\n", 3.7, 42, 42, 42, 255, 8, 65, "xyz", "s", "r", "l", 3.14159, 12345.678, 0.0001 }'
awk 'function f(n) { return n < 2 ? 1 : n * f(n-1) } BEGIN { print f(10); print f(5) + f(3) }'
awk 'function fill(a, n,  i) { for (i = 1; i <= n; i++) a[i] = i*i } BEGIN { fill(x, 4); for (i = 1; i <= 4; i++) printf "%d ", x[i]; print "" }'
printf '1\n2\n3\n4\n5\n' | awk '/2/,/4/ { print "r", $0 } NR==5'
printf 'one\ntwo\nthree\n' | awk 'NR==2 { next } { print } END { print NR, $0 }'
printf 'one\ntwo\nthree\n' | awk '{ if ($0 ~ /^t/) print "t:", $0; else print "o:", $0 }'
awk 'BEGIN { while (i < 3) { i++; if (i == 2) continue; print i }; do { j++ } while (j < 5); print j; for (;;) { if (++k > 3) break }; print k }'
awk 'BEGIN { exit 3 } END { print "end" }'; echo $?
printf 'x\n' | awk '{ exit 4 } END { print "end" }'; echo $?
awk 'BEGIN { a["x"]=1; a["y"]=2; delete a["x"]; if ("x" in a) print "yes"; else print "no"; if (("y") in a) print "y"; m[1,2]=3; if ((1,2) in m) print "m"; for (k in m) { split(k, p, SUBSEP); print p[1], p[2] } }'
awk 'BEGIN { "echo hi there" | getline x; print x; while (("printf \"1\\n2\\n\"" | getline y) > 0) print "y", y; print system("exit 3") }'
printf 'l1\nl2\nl3\n' | awk 'NR==1 { getline; print "got", $0; getline z; print z, NR }'
printf 'b\na\nc\n' | awk '{ print | "sort" } END { close("sort"); print "done" }'
awk 'BEGIN { print "x" > "f1"; print "y" >> "f1"; close("f1"); while ((getline l < "f1") > 0) print "r", l; print (getline l < "nofile") }'
printf 'a b\n' > in1; awk '{ print FILENAME, FNR, $1 }' in1 in1; awk '{ print v, $1 }' v=7 in1 v=8 in1
printf 'k=v;x=y\n' | awk 'BEGIN { FS="[=;]"; OFS="-" } { $1=$1; print; print $4 }'
printf 'a\n\nb\nc\n\n\nd\n' | awk 'BEGIN { RS="" } { print NR ": " $1 "," $2 }'
printf 'a,b;c,d' | awk 'BEGIN { RS=";"; FS="," } { print $2 }'
awk 'BEGIN { print length() ; print length; x["a"]; print length(x) }' </dev/null
awk 'BEGIN { print 1 > "/dev/stderr"; print "a" "b" > "/dev/stdout" }'
echo 'a b c d' | awk '{ print $NF, $(NF-1); $7="x"; print; print NF }'
echo '3 apples' | awk '{ print $1 + 4, $2 + 1, $1 == 3, $1 == "3", $1 < 10 }'
awk 'BEGIN { x = "A"; print x ~ "a", x ~ /A/, "a.c" ~ /a\.c/, "abc" ~ "a.c", "x{2}" ~ /x{2}/, "xx" ~ /^x{2}$/, "a]b" ~ /[]]/, "tab\t" ~ /\t/ }'
awk "BEGIN { print \"it's\", \"tab\\there\", \"nl\\nx\", \"q\\\"q\" }"
awk '{' </dev/null 2>/dev/null; echo $?
awk 'BEGIN { print nosuch(1) }' 2>/dev/null; echo $?
awk 'BEGIN { printf "%s %s\n", "only" ; printf "%d%%\n", 50; printf("%s\n", "paren") }'
awk 'BEGIN { if (!(3 in a)) print "no"; print a[3] == "", 3 in a }'
awk 'BEGIN { x; if (x == 0 && x == "") print "both" }'
printf '1 2\n3 4\n' | awk '{ s += $1; t += $2 } END { print s/NR, t/NR }'
printf 'a 1\nb 2\na 3\n' | awk '{ c[$1] += $2 } END { for (k in c) print k, c[k] | "sort" }'
awk 'BEGIN { print -1 " " -1; print 2 -1; print "a" > "o"; print 1==1.0, "1"==1, "a"<"b" }'
awk 'BEGIN{while("echo a b"|getline){print $2};print NR}'
df() { printf 'Filesystem Size\n/dev/x 10G\n'; }; df | awk 'NR>1{gsub("G","",$2);print $2*2}'
printf 'a b\n' > in1; awk 'BEGIN { getline; print "got " $0 }' < in1; printf 'q w\n' | awk '{ $0 = "new line here"; print $2, NF }'
awk 'function g(a) { a["k"] = 1 } BEGIN { g(z); print z["k"]; print length(z) }'
awk 'BEGIN { printf "%5.1f|%-8s|%+d|% d|%03d\n", 2.345, "ab", 5, 5, -5 }'
awk 'BEGIN { print index("abc", ""); print substr("abc", 2, -1) "|"; print tolower(123) }'
`
