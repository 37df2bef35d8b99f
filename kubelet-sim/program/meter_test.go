package program

import (
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// Whatever a program makes the simulator do is accounted for in proportion to the
// size of what it works on, and gives way in the middle. These tests try all that
// there is: every builtin of every shell, every applet, every operator of
// expansions and tests, every function of awk. Something new without a row here
// fails them.

// The sizes of what the rows work on. Unit: bytes.
const (
	meterLarge = 1_000_000 // $x, /tmp/f, /tmp/l
	meterSmall = 100_000   // $y, $w: what a program may be given as an argument; $v has a tenth
)

// perStep is the most that a step may pay for. Unit: bytes. The meter's unit is
// 256; what only skips over data is cheaper.
const perStep = 1024

// meterResumes is how many Resumes are looked at; half of them may be disturbed.
const meterResumes = 5

// meterRow is a command that is repeated.
type meterRow struct {
	image, script string
	size          int // of what it works on; 0: of nothing
}

// large is a row about $x or the files, small one about $y or $w; idle is one that
// looks at nothing which could be large.
func large(script string) meterRow { return meterRow{"busybox", script, meterLarge} }
func small(script string) meterRow { return meterRow{"busybox", script, meterSmall} }
func idle(script string) meterRow  { return meterRow{"busybox", script, 0} }
func bash(script string) meterRow  { return meterRow{"debian", script, meterLarge} }
func fewer(script string) meterRow { return meterRow{"debian", script, 10_000} } // about $v

const meterSetup = `x=$(cat /tmp/f); y=$(head -c 100000 /tmp/f); w=$(cat /tmp/w); v=$(cat /tmp/v); echo ready >&2; while :; do { `

// cpuTime is what this process has used.
func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// meterRoot has the files, and the servers in /tmp/bin.
func meterRoot(t *testing.T, c *Catalog, servers []string, image string) Spec {
	t.Helper()
	root, err := c.Root(image, noon())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"/tmp/f": strings.Repeat("a", meterLarge), "/tmp/l": strings.Repeat("aaaa aaaa\n", meterLarge/10),
		"/tmp/s": ": " + strings.Repeat("a;:", meterLarge/3), "/tmp/g": strings.Repeat("b", meterLarge), "/tmp/w": strings.Repeat("a ", meterSmall/2), "/tmp/v": strings.Repeat("a ", meterSmall/20),
	} {
		if err := root.WriteFile(name, []byte(text), 0o755, noon()); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range servers {
		if err := root.WriteFile("/tmp/bin/"+name, kernel.Executable(name), 0o755, noon()); err != nil {
			t.Fatal(err)
		}
	}
	return Spec{Image: image, Root: root, User: -1, Group: -1, Hostname: "web-0", Catalog: c}
}

// meter repeats a row's command, and looks at what each Resume does.
func meter(t *testing.T, c *Catalog, servers []string, row meterRow) {
	t.Helper()
	spec := meterRoot(t, c, servers, row.image)
	shell := "sh"
	if row.image == "debian" {
		shell = "bash"
	}
	spec.Command = []string{shell, "-c", meterSetup + row.script + "\n} > /dev/null 2>&1; echo + >&2; done"}
	ready, done := false, 0
	spec.Output = func(c Chunk) {
		ready = ready || string(c.Data) == "ready\n"
		done += strings.Count(string(c.Data), "+\n")
	}
	p, err := Start(spec, noon())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s := p.State()
	for range 100 {
		if ready || s.Exited || s.WakeAt.IsZero() {
			break
		}
		p.Resume(s.WakeAt)
		s = p.State()
	}
	if !ready {
		t.Fatalf("the row did not begin: %+v", s)
	}
	done = 0
	work := 0
	var used []time.Duration
	for range meterResumes {
		if s.Exited {
			t.Fatalf("the container ended: %+v", s)
		}
		if s.WakeAt.IsZero() {
			break
		}
		before := cpuTime(t)
		p.Resume(s.WakeAt)
		used = append(used, cpuTime(t)-before)
		s = p.State()
		work += s.Work
	}
	for _, crash := range p.Crashes() {
		t.Errorf("crash: %.1000s", crash)
	}
	slices.Sort(used)
	t.Logf("%d times, %d steps, %v", done, work, used)
	if len(used) > 0 && used[len(used)/2] > resumeMax {
		t.Errorf("a Resume takes %v of processor time", used[len(used)/2])
	}
	if done*row.size/perStep > work {
		t.Errorf("%d steps for %d times %d bytes: more than %d bytes a step", work, done, row.size, perStep)
	}
}

// meterAll runs the rows of a table, which must be of all the names.
func meterAll(t *testing.T, names []string, rows map[string][]meterRow) {
	c := NewCatalog()
	for _, name := range names {
		if len(rows[name]) == 0 {
			t.Errorf("%s has no row: say how it is used on much data", name)
		}
	}
	servers := serverNames(t)
	for i, name := range slices.Sorted(maps.Keys(rows)) {
		if !slices.Contains(names, name) {
			t.Errorf("%s has a row, but there is no such thing", name)
		}
		of := rows[name]
		if testing.Short() { // the first row of every third name
			of = of[:min(1, len(of))]
			if i%3 > 0 {
				of = nil
			}
		}
		for _, row := range of {
			t.Run(name+": "+row.script[:min(len(row.script), 40)], func(t *testing.T) { meter(t, c, servers, row) })
		}
	}
}

// TestTheMeterSeesEveryExpansion tries ${x…} with each operator, on patterns that
// make a matcher go back, and what else a word may be.
func TestTheMeterSeesEveryExpansion(t *testing.T) {
	b := func(s string) []meterRow { return []meterRow{bash(s)} }
	rows := map[string][]meterRow{
		"+": b(`: ${x+"$x"}`), ":+": b(`: ${x:+$x}`), "-": b(`: ${u-$x}`), ":-": b(`: "${u:-$x}"`), "?": b(`(: ${u?$x})`), ":?": b(`(: ${u:?$x})`),
		"=": b(`: ${u=$x}; unset u`), ":=": b(`: ${u:="$x"}; unset u`),
		"#":  {bash(`: "${x#*b}"`), bash(`: "${x#*a*a*a*a*b}"`), bash(`: "${x#"$x"}"`), bash(`: "${x#*[b-z]}"`), bash(`: "${x#$x*}"`)},
		"##": {bash(`: "${x##*b}"`), bash(`: "${x##*a*a*a*b*}"`), bash(`: "${x##*?a?b}"`)},
		"%":  {bash(`: "${x%b*}"`), bash(`: "${x%b*a*a*a}"`), bash(`: "${x%[!a]*}"`)}, "%%": {bash(`: "${x%%b*}"`), bash(`: "${x%%b*a*a*a}"`)},
		"^": b(`: "${x^}"`), "^^": b(`: "${x^^a}"`), ",": b(`: "${x,}"`), ",,": b(`: "${x,,[a-z]}"`),
		"@": {bash(`: "${x@Q}"`), bash(`: "${x@U}"`), bash(`: "${x@E}"`), bash(`: "${x@A}"`)},
		// Beside those of ${x…}:
		"length": b(`: ${#x}`), "slice": b(`: ${x:5:900000}`), "indirect": b(`r=x; : ${!r}`),
		"/":     {bash(`: ${x/b/c}`), bash(`: ${x/a*a*a*b/c}`), bash(`: "${x//a/}"`), bash(`: "${x//[b-z]*/c}"`), bash(`: "${x/%b/c}"`)},
		"names": b(`: ${!x*} "$x"`), "list": {fewer(`set -- $v; : "$@" $* "${@:3}" "${*#a}" "${@/a/b}"`), fewer(`a=($v); : "${a[@]}" ${!a[@]} ${a[*]:5}`), bash(`(set -- $w; : "$@" "${@#a}"); : "$x"`)},
		"split": {bash(`set -- $x`), bash(`(IFS=a; set -- $x)`), bash(`(IFS=$x; set -- $x)`), bash(`IFS=b; set -- $x; IFS=" "`), bash(`for i in $w; do :; done`), bash(`set -- $(cat /tmp/f)`)},
		"glob":  {bash(`: *$y*`), bash(`set -- $x*`), bash(`: /*/../*/../*/../*/../*`), meterRow{"debian", `p=$(printf '%01000d' 0 | tr 0 '*'); : /usr/bin/$p"b"`, 1000}},
		"quote": {bash(`(: "$x$x$x")`), bash(`(: "$x" "$x")`), bash(`: $'a'"$x"`)}, "braces": {meterRow{"debian", `(: {1..9999}$y)`, meterSmall}, meterRow{"debian", `: {a,b}{a,b}{a,b}"$y"`, meterSmall}},
		"arithmetic": {bash(`: $((x))`), bash(`: $((${x}))`), bash(`eval ": \$((1$(printf '+%s' $w)))"`)}, "tilde": {bash(`: ~$x`), bash(`: ~/$x`)},
		"substitution": {bash(`: "$(cat /tmp/f)"`), bash(`: "$(</tmp/f)"`), bash(`: <(echo "$x")`)},
		"here":         {bash("cat <<E\n$x\nE"), bash(`cat <<< "$x"`)},
		"assignment":   {bash(`z=$x`), bash(`z+=$x; z=`), bash(`a[5]=$x`), bash(`a=("$x")`), bash(`declare -A m; m[$y]=$x`), bash(`z=$x true`), meterRow{"debian", `export z=$y; true | true`, meterSmall}},
		"case": {bash(`case $x in *a*a*a*a*b) ;; *[b-c]*) ;; $x*b) ;; esac`), bash(`case b in $x*) ;; *$x) ;; esac`),
			bash(`p=$(printf '@(%.0s' $w); case $p in $p) ;; esac`), bash(`p=$(head -c 4000 /tmp/f | sed 's/a/@(/g'); case $x in $p*b) ;; esac`),
			bash(`p=$(head -c 900 /tmp/f | sed 's/a/*(a)/g'); case $x in $p+b) ;; esac`), bash(`p=$(head -c 100000 /tmp/f | tr a '['); case $x in $p*) ;; esac`)},
		"redirect": b(`: > "/tmp/$x"`), "function": b(`f() { :; }; f "$x"`), "trace": b(`set -x; : "$x"; set +x`), "prompt": b(`: "${x@P}"`),
		"heredoc tabs": b("cat <<-E\n\t$x\nE"), "background": b(`: "$x" & wait`), "pipe": b(`echo "$x" | cat`), "select": b(`echo | select i in $w; do break; done`),
		"for": {bash(`for ((i = 0; i < 1; i++)); do : "$x"; done`)}, "time": b(`time : "$x"`), "function text": b(`eval "f() { : $x; }"; f`),
	}
	var names []string
	for op := syntax.AlternateUnset; op <= syntax.OtherParamOps; op++ {
		if op != syntax.MatchEmpty && op != syntax.ArrayExclude && op != syntax.ArrayIntersect { // zsh's
			names = append(names, op.String())
		}
	}
	names = append(names, "length", "slice", "indirect", "/", "names", "list", "split", "glob", "quote", "braces", "arithmetic", "tilde", "substitution", "here", "assignment",
		"case", "redirect", "function", "trace", "prompt", "heredoc tabs", "background", "pipe", "select", "for", "time", "function text")
	meterAll(t, names, rows)
}

// TestTheMeterSeesEveryTest tries each operator of [[ ]] and test.
func TestTheMeterSeesEveryTest(t *testing.T) {
	rows := map[string][]meterRow{}
	for op := syntax.TsExists; op <= syntax.TsRefVar; op++ {
		rows[op.String()] = []meterRow{bash("[[ " + op.String() + ` "$x" ]]`)}
	}
	for op := syntax.TsReMatch; op <= syntax.TsGtr; op++ {
		rows[op.String()] = []meterRow{bash(`[[ "$x" ` + op.String() + ` "${x}b" ]]`)}
	}
	names := slices.Collect(maps.Keys(rows))
	for _, op := range []string{"==", "!=", "=", "<", ">"} {
		rows[op] = []meterRow{bash(`[[ "$x" ` + op + ` "${x}b" ]]`)}
		names = append(names, op)
	}
	rows["=="] = append(rows["=="], bash(`[[ $x == *a*b* ]]`), bash(`[[ $x == *a*a*a*a*a*a*b ]]`), bash(`[[ $x == $x*b ]]`))
	rows["=~"] = append(rows["=~"], bash(`[[ $x =~ a*b ]]`), bash(`[[ $x =~ (a*)*b ]]`), bash(`[[ $x =~ (a|a)*c ]]`), bash(`[[ $x =~ (a?){500}a{500}b ]]`),
		bash(`[[ $x =~ (.*)(.*)(.*)(.*)(.*)b ]]`), bash(`[[ a =~ $y ]]; : "$x"`))
	slices.Sort(names)
	meterAll(t, slices.Compact(names), rows)
}

// TestTheMeterSeesEveryBuiltin tries each builtin of each shell.
func TestTheMeterSeesEveryBuiltin(t *testing.T) {
	names := builtinNames(t)
	rows := map[string][]meterRow{
		".": {large(`( . /tmp/s )`), bash(`( . /tmp/s )`)}, "source": {bash(`( source /tmp/s )`)}, "eval": {large(`eval ": $x"`), bash(`eval ": $x"`)},
		"echo": {large(`echo "$x"`), large(`echo -e "$x"`), bash(`echo -e "\\$x"`)}, "printf": {large(`printf '%s%5s' "$x"`), large(`printf %b "$x"`), large(`printf %q "$x"`), small(`printf '%s%5s%b%q' "$y" "$y" "$y"`), large(`printf "$x"`), large(`printf '%d' "$x"`), small(`printf '%c' $v "$y"`)},
		"test": {large(`test "$x" = b`), large(`(test "$x" = "${x}b")`), large(`test "$x" -eq 1`), large(`test -f "$x"`), small(`test $w`)}, "[": {large(`[ "$x" = b ]`), large(`([ "$x" = "${x}b" ])`)}, "[[": {large(`[[ $x = *b ]]`)},
		"read":    {large(`read v < /tmp/f`), large(`read -r a b c < /tmp/f`), bash(`read -a v < /tmp/f`), bash(`IFS=a read a b < /tmp/f`)},
		"getopts": {small(`getopts "$y" v "-$y"`), large(`OPTIND=1; while getopts a v "-$y"; do :; done`)}, "set": {large(`set -- $v; set -- "${x#aaaaaaaa}"`), large(`set`)},
		"shift": {small(`set -- $w; shift 5`)}, "unset": {large(`v=$x; unset v`), bash(`a=($w); unset 'a[5]'; : "$x"`)}, "mapfile": {bash(`mapfile v < /tmp/l`)}, "readarray": {bash(`readarray -t v < /tmp/l`)},
		"let": {bash(`let "v=$x"`)}, "trap": {large(`trap ": $x" USR2; kill -USR2 $$`)}, "alias": {large(`alias v="$x"; alias`)}, "local": {large(`f() { local v="$x"; }; f`)},
		"return": {large(`f() { return 0 "$x"; }; f`)}, "break": {large(`for i in 1; do break 1 "$x"; done`)}, "continue": {large(`for i in 1; do continue 1 "$x"; done`)},
		"export": {large(`export v="$y"; export; : "$x"`)}, "readonly": {large(`(readonly v="$x")`)}, "declare": {bash(`declare v="$x"`), bash(`declare -p`)}, "typeset": {bash(`typeset v="$x"`)},
		"pushd": {bash(`pushd / ; dirs; popd; : "$x"`)}, "command": {large(`command : "$x"`), large(`PATH=$(printf ':%.0s' $w); command -v nosuch; PATH=/bin:/usr/bin; : "$x"`)},
		"type": {large(`type "$x"`), small(`PATH=$(printf ':%.0s' $w); type nosuch; PATH=/bin:/usr/bin`)}, "wait": {small(`wait $w`)}, "kill": {small(`kill $w`)},
		"exec": {large(`(exec 3< /tmp/f; cat <&3)`), large(`(exec "$x")`)}, "hash": {large(`hash "$x"`)},
	}
	for _, name := range names {
		if rows[name] == nil {
			rows[name] = []meterRow{bash("( " + name + ` "$x" ) < /dev/null`)}
		}
	}
	meterAll(t, names, rows)
}
