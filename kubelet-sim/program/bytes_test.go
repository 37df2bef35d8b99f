package program

import (
	"testing"
	"time"
)

// TestScriptsAreBytes: a command line, a script and what it reads need not be UTF-8.
func TestScriptsAreBytes(t *testing.T) {
	for name, tc := range map[string]struct{ script, stdout string }{
		"a word":                       {"echo a\xffb", "a\xffb\n"},
		"in single quotes":             {"echo 'a\xffb'", "a\xffb\n"},
		"in double quotes":             {"x=1; echo \"a\xff$x\xfe\"", "a\xff1\xfe\n"},
		"the beginning of a letter":    {"echo '\xc3'", "\xc3\n"},
		"a letter of Latin-1":          {"echo caf\xe9", "caf\xe9\n"},
		"a comment":                    {"echo a # \xff", "a\n"},
		"an assignment":                {"x=a\xff; echo $x", "a\xff\n"},
		"a default":                    {"echo ${x:-\xff}", "\xff\n"},
		"a here-document":              {"cat <<E\na\xff\nE", "a\xff\n"},
		"a here-document, and its end": {"cat <<\xff\na\n\xff", "a\n"},
		"a here-document without end":  {"cat <<\xff\na", "a\n"},
		"a substitution":               {"echo $(echo \xff)", "\xff\n"},
		"an array is none of ash's":    {"set -- \xff b; echo $1", "\xff\n"},
		"a pattern of case":            {"case \xff in \xff) echo yes;; esac", "yes\n"},
		"a prefix":                     {"x=\xffa; echo ${x#\xff}", "a\n"},
		"a replacement":                {"x=a\xffb; echo ${x/\xff/-}", "a-b\n"},
		"a comparison":                 {"[ \xff = \xff ] && echo same; [ \xff = \xfe ] || echo other", "same\nother\n"},
		"a part of a value":            {"x=a\xffb; echo ${x:1:1} ${#x}", "\xff 3\n"},
		"a quoted byte in a pattern":   {"x=a\xffb; echo ${x/$'\\377'/-} ${x#*$'\\xff'}", "a-b b\n"},
		"a byte is no other":           {"x=a\xfeb; echo ${x/$'\\377'/-}; case \xfe in \xff) echo no;; esac", "a\xfeb\n"},
		"a value of a command":         {"x=$(printf 'a\\377b'); y=$(printf '\\377'); echo ${x//$y/-}", "a-b\n"},
		"the field separator":          {"IFS=\xff; x=a\xffb; set -- $x; echo $2", "b\n"},
		"a trailing part":              {"x=\xff\xfe; x=${x%?}; echo $x", "\xff\n"},
		"an assigned default":          {": ${x:=\xff}; echo $x", "\xff\n"},
		"a function's name":            {"f\xff() { echo $1; }; f\xff a", "a\n"},
		"arguments of a script":        {"sh -c 'echo $1; shift; echo ${1#?}' sh \xff \xfea", "\xff\na\n"},
		"a here-document, as it is":    {"cat <<'E'\na\xff\nE", "a\xff\n"},
		"a bracket":                    {"x=\xfea; echo ${x#[\xfd\xfe]}", "a\n"},
		"a regular expression":         {"[[ a\xffb =~ a(.)b ]] && echo yes", "yes\n"},
		"a byte in such an expression": {"[[ a\xffb =~ ^a\xff ]] && echo yes", "yes\n"},
		"eval":                         {"eval 'echo \xff'", "\xff\n"},
		"a function":                   {"f() { echo \xff$1; }; f \xfe", "\xff\xfe\n"},
		"a file's name":                {"cd /tmp; echo a > \xff; cat \xff; echo \xff*", "a\n\xff\n"},
		"a script in a file":           {"printf 'echo \\377' > /tmp/s; sh /tmp/s; . /tmp/s", "\xff\n\xff\n"},
		"a script on standard input":   {"printf 'echo \\377' | sh", "\xff\n"},
		"read":                         {"printf 'a\\377\\n' | while read x; do echo \"$x\"; done", "a\xff\n"},
		"the environment":              {"X=\xff sh -c 'echo $X'; X=\xff env | grep -a X=", "\xff\nX=\xff\n"},
		"printf":                       {"printf '%s\\n' \xff", "\xff\n"},
		"grep":                         {"printf 'a\\377b\\nc\\n' | grep -a 'a\xffb'", "a\xffb\n"},
		"grep of a fixed text":         {"printf 'a\\377b\\nc\\n' | grep -aF \xff", "a\xffb\n"},
		"sed":                          {"printf 'a\\377b\\n' | sed 's/\xff/-/'; echo a | sed 's/a/\xff/'", "a-b\n\xff\n"},
		"awk":                          {"echo a | awk '{ print $1 \"\xff\" }'; printf 'a\\377\\n' | awk '/a\xff/ { print \"yes\" }'", "a\xff\nyes\n"},
		"tr":                           {"printf '\\377' | tr '\\377' a", "a"},
		"expr":                         {"expr a\xffb : 'a\xff'", "2\n"},
		"find":                         {"mkdir /tmp/d; touch /tmp/d/\xff; find /tmp/d -name '\xff'", "/tmp/d/\xff\n"},
		"xargs":                        {"printf '\\377' | xargs echo", "\xff\n"},
		"a character that stands for a byte within the shell": {"echo '\U0010ff41' | wc -c; echo \U0010ffff", "5\n\U0010ffff\n"},
		"letters of UTF-8 stay letters":                       {"x=äöü; echo ${x#ä}", "öü\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got := runFor(t, busyboxSh(tc.script), time.Hour)
			if got.stdout != tc.stdout || got.stderr != "" || got.code != 0 {
				t.Errorf("stdout %q, stderr %q, exit code %d; want %q", got.stdout, got.stderr, got.code, tc.stdout)
			}
		})
	}
}

// TestABadScriptOfBytesIsToldInItsOwnWords: the error has the script's bytes.
func TestABadScriptOfBytesIsToldInItsOwnWords(t *testing.T) {
	for script, want := range map[string]string{
		"echo \xff)": "sh: syntax error: unexpected \")\"\n",
		"'\xff":      "sh: syntax error: unterminated quoted string\n",
		"\xff":       "sh: \xff: not found\n",
	} {
		if got := runFor(t, busyboxSh(script), time.Hour); got.stderr != want {
			t.Errorf("%q: stderr %q, want %q", script, got.stderr, want)
		}
	}
}
