package terminal

import (
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"what is printed stays":                  {"naïve 日本　語 – “x”\n\ta\\b", "naïve 日本　語 – “x”\n\ta\\b"},
		"an escape sequence":                     {"\x1b[2J\x1b]0;title\x07", `\x1b[2J\x1b]0;title\a`},
		"a carriage return, which hides a line":  {"all fails\rall is well", `all fails\rall is well`},
		"a backspace, a vertical tab, a NUL":     {"a\bb\vc\x00", `a\bb\vc\x00`},
		"DEL, and CSI as one character":          {"\x7f\u009b2J", `\x7f\u009b2J`},
		"bytes that are no UTF-8":                {"a\xffb\xc3(", `a\xffb\xc3(`},
		"a byte that is CSI in Latin-1":          {"\x9b2J", `\x9b2J`},
		"what turns the direction of writing":    {"a\u202eb\u2066c", `a\u202eb\u2066c`},
		"what has no width":                      {"a\u200bb\ufeff", `a\u200bb\ufeff`},
		"the ends of lines of other conventions": {"a\u2028b\u2029c\u0085", `a\u2028b\u2029c\u0085`},
		"the sign for what could not be read":    {"a\ufffdb", "a\ufffdb"},
		"a character of no plane that is in use": {"\U000e0001", `\U000e0001`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Text(tc.text); got != tc.want {
				t.Errorf("Text(%q) = %q, want %q", tc.text, got, tc.want)
			}
		})
	}
}

func TestLineHasOneLine(t *testing.T) {
	if got, want := Line("a\n"), "a"; got != want {
		t.Errorf("Line(%q) = %q, want %q", "a\n", got, want)
	}
	if got, want := Line("a\nb\tc"), `a\nb`+"\tc"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestWriterDoesNotDependOnHowItIsWrittenTo writes every text in every two parts.
func TestWriterDoesNotDependOnHowItIsWrittenTo(t *testing.T) {
	const text = "日本\x1b\xe6\x97 \xff\xf0\x9f\x98\x80\x9b\xe6\x97"
	for i := range len(text) + 1 {
		var out strings.Builder
		w := NewWriter(&out)
		for _, part := range []string{text[:i], text[i:]} {
			if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
				t.Fatalf("Write = %d, %v", n, err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if out.String() != Text(text) {
			t.Errorf("in two parts at %d: %q, want %q", i, out.String(), Text(text))
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\x1b\xff日")
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range Line(text) {
			if !shown(r, "\t") {
				t.Fatalf("Line(%q) has %U", text, r)
			}
		}
	})
}
