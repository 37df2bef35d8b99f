package kubeconfig

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// randomText draws a kubeconfig as people, scripts and programs write them.
func randomText(t *rapid.T) string {
	pick := func(what string, of ...string) string { return rapid.SampledFrom(of).Draw(t, what) }
	comment := func(indent string) string {
		return pick("comment", "", "", "", "\n", indent+"# a comment: {[\n", "# at the left\n", "    # far: right\n")
	}
	scalar := func(s string) string {
		return pick("style", s, `"`+s+`"`, "'"+s+"'")
	}
	things := func(kind string, least int) string {
		if least == 0 && rapid.IntRange(0, 5).Draw(t, "empty") == 0 {
			return " null" + pick("after null", "", " # none") + "\n"
		}
		if rapid.IntRange(0, 5).Draw(t, "flow") == 0 {
			return ` [{name: ` + scalar("a") + `, ` + kind + `: {server: "https://a"}}]` + "\n"
		}
		var b strings.Builder
		b.WriteString(pick("after the key", "", " # why", "  ") + "\n")
		indent := pick("indent", "", "  ", "    ")
		for i := range rapid.IntRange(1, 4).Draw(t, "things") {
			b.WriteString(comment(indent))
			name := fmt.Sprintf("%s%d", pick("name", "a", "kubesim-", "kind-x@"), i)
			body := []string{"name: " + scalar(name) + pick("end", "", " # it"), kind + ":" + pick("body",
				" {server: 'https://x', unknown: [1, 0x10, ~]}",
				"\n"+indent+"    server: https://x\n"+indent+"    namespace: n",
				"\n"+indent+"    tokenFile: |\n"+indent+"      - x\n"+indent+"      # y",
				"\n"+indent+"    token: >-\n"+indent+"      x\n\n"+indent+"      y",
				"\n"+indent+"    username: \"two\n"+indent+"      lines\"")}
			if rapid.Bool().Draw(t, "turned") {
				body[0], body[1] = body[1], body[0]
			}
			b.WriteString(indent + pick("dash", "- ", "-\n"+indent+"  ") + body[0] + "\n" + indent + "  " + body[1] + "\n")
		}
		b.WriteString(comment(indent))
		return b.String()
	}
	parts := []string{
		"apiVersion: v1\n", "kind: Config\n", "clusters:" + things("cluster", 0), "contexts:" + things("context", 1), "users:" + things("user", 0),
		"current-context: " + scalar("a0") + pick("after current", "", " # now") + "\n",
		pick("preferences", "", "preferences: {}\n", "preferences:\n  colors: true\n"), pick("unknown", "", "made-up:\n- name: kubesim\n  x: y\n"),
	}
	text := pick("head", "", "# head\n", "---\n", "\n\n") + strings.Join(rapid.Permutation(parts).Draw(t, "parts"), "")
	text += pick("tail", "", "\n", "# tail\n", "...\n")
	if rapid.IntRange(0, 3).Draw(t, "cut") == 0 {
		text = strings.TrimSuffix(text, "\n")
	}
	if rapid.IntRange(0, 3).Draw(t, "crlf") == 0 {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return text
}

// TestNothingForeignChanges: whatever the file, put and remove leave all that others wrote,
// byte for byte, and what is put in is what clients read.
func TestNothingForeignChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := randomText(t)
		d, err := parse([]byte(text))
		if err != nil {
			t.Skip("client-go does not read it either: ", err)
		}
		names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"kubesim", "kubesim-b", "kubesim-c"}), 1, 3, rapid.ID[string]).Draw(t, "names")
		current, _ := d.current()
		for _, name := range names {
			e := entry(name)
			e.Key = []byte(rapid.String().Draw(t, "key"))
			if err := d.put(e, &current); err != nil {
				t.Fatalf("%v:\n%s\nof\n%s", err, d.text, text)
			}
			if err := d.setCurrent(&name); err != nil {
				t.Fatalf("current: %v:\n%s\nof\n%s", err, d.text, text)
			}
		}
		merged := d.text
		for _, name := range rapid.Permutation(names).Draw(t, "order") {
			if err := d.remove(name); err != nil {
				t.Fatalf("%v:\n%s\nof\n%s", err, d.text, merged)
			}
		}
		if err := d.setCurrent(&current); err != nil {
			t.Fatalf("back: %v:\n%s", err, d.text)
		}
		if got := string(d.bytes()); got != text {
			t.Fatalf("got\n%q\nwant\n%q\nmerged\n%s", got, text, merged)
		}
	})
}
