package kubeconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// byteOrderMark may begin a file; yaml does not count it.
const byteOrderMark = "\ufeff"

// document is the text of a kubeconfig, with where its parts are. An edit changes the text
// and parses it again.
type document struct {
	mark0 string // a byte order mark, or nothing
	text  string
	// starts are the offsets of the lines.
	starts []int
	// root is the mapping; nil in a file without one, such as an empty file.
	root *yaml.Node
	// eol ends the lines of this file.
	eol string
	// atHead: new things go to the heads of lists, see attempt.
	atHead bool
}

// errNoKubeconfig begins the refusal of a file.
var errNoKubeconfig = errors.New("it is no kubeconfig, and was left alone")

func noKubeconfig(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errNoKubeconfig}, args...)...)
}

// parse refuses what is no kubeconfig.
func parse(text []byte) (*document, error) {
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return nil, noKubeconfig("it is no text in UTF-8")
	}
	d := &document{eol: "\n"}
	d.text = string(text)
	if rest, ok := strings.CutPrefix(d.text, byteOrderMark); ok {
		d.mark0, d.text = byteOrderMark, rest
	}
	if at := strings.IndexByte(d.text, '\n'); at > 0 && d.text[at-1] == '\r' {
		d.eol = "\r\n"
	}
	if err := d.read(); err != nil {
		return nil, err
	}
	return d, d.check()
}

// read finds the parts of the text.
func (d *document) read() error {
	d.starts, d.root = lines(d.text), nil
	decoder := yaml.NewDecoder(strings.NewReader(d.text))
	var first, second yaml.Node
	if err := decoder.Decode(&first); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return noKubeconfig("%w", err)
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return noKubeconfig("it holds several YAML documents")
	}
	switch root := first.Content[0]; {
	case root.Kind == yaml.MappingNode:
		d.root = root
	case root.Kind == yaml.ScalarNode && root.Tag == "!!null" && root.Value == "":
	default:
		return noKubeconfig("want a mapping")
	}
	return nil
}

// check holds the file to what client-go reads, and to be meant as a kubeconfig: client-go
// reads any mapping without a kind as an empty one.
func (d *document) check() error {
	if _, err := load(d.text); err != nil {
		return noKubeconfig("%w", err)
	}
	if d.root == nil {
		return nil
	}
	known := false
	seen := map[string]bool{}
	for i := 0; i < len(d.root.Content); i += 2 {
		key := d.root.Content[i].Value
		if seen[key] {
			return noKubeconfig("it has %q twice", key)
		}
		seen[key] = true
	}
	for _, key := range []string{"kind", "clusters", "contexts", "users", "current-context"} {
		known = known || seen[key]
	}
	if !known && len(seen) > 0 {
		return noKubeconfig("want kind: Config")
	}
	return nil
}

// bytes is the whole file.
func (d *document) bytes() []byte { return []byte(d.mark0 + d.text) }

// splice replaces text[from:to].
func (d *document) splice(from, to int, with string) error {
	d.text = d.text[:from] + with + d.text[to:]
	return d.read()
}

// lines returns the offsets at which lines begin, by YAML's line breaks.
func lines(text string) []int {
	starts := []int{0}
	for i, r := range text {
		switch r {
		case '\r':
			if strings.HasPrefix(text[i:], "\r\n") {
				continue
			}
		case '\n', '\u0085', '\u2028', '\u2029':
		default:
			continue
		}
		starts = append(starts, i+utf8.RuneLen(r))
	}
	return starts
}

// offset is where a node begins.
func (d *document) offset(n *yaml.Node) int {
	at := d.start(n.Line)
	for range n.Column - 1 {
		_, size := utf8.DecodeRuneInString(d.text[at:])
		at += size
	}
	return at
}

// start is where a line begins, counted from 1; that behind the last is the end.
func (d *document) start(line int) int {
	if line > len(d.starts) {
		return len(d.text)
	}
	return d.starts[line-1]
}

// flow reports whether the document is in flow style, as JSON is.
func (d *document) flow() bool { return d.root != nil && d.root.Style&yaml.FlowStyle != 0 }

// find returns a key of the root and its value; nil if it is not there. next is the
// line of the key that follows.
func (d *document) find(name string) (key, value *yaml.Node, next int) {
	if d.root == nil {
		return nil, nil, 0
	}
	for i := 0; i < len(d.root.Content); i += 2 {
		if d.root.Content[i].Value != name {
			continue
		}
		next = len(d.starts) + 1
		if i+2 < len(d.root.Content) {
			next = d.root.Content[i+2].Line
		}
		return d.root.Content[i], d.root.Content[i+1], next
	}
	return nil, nil, 0
}

// errTooClever refuses a file that is valid, but written in a way that text cannot be put
// into.
var errTooClever = errors.New("kubesim cannot edit it without changing what others wrote, and left it alone: name another file with --kubeconfig or $KUBECONFIG")

// token is where the scalar at an offset ends: the rest of its line, without a comment.
func (d *document) token(at int) int {
	rest := d.text[at:]
	if end := strings.IndexAny(rest, "\r\n\u0085\u2028\u2029"); end >= 0 {
		rest = rest[:end]
	}
	if rest == "" {
		return at
	}
	switch quote := rest[0]; quote {
	case '"', '\'':
		for i := 1; i < len(rest); i++ {
			switch {
			case quote == '"' && rest[i] == '\\', quote == '\'' && strings.HasPrefix(rest[i:], "''"):
				i++
			case rest[i] == quote:
				return at + i + 1
			}
		}
		return at + len(rest)
	}
	if d.flow() {
		if end := strings.IndexAny(rest, ",}]"); end >= 0 {
			rest = rest[:end]
		}
	}
	if end := strings.Index(rest, " #"); end >= 0 {
		rest = rest[:end]
	}
	if strings.HasPrefix(rest, "#") {
		return at
	}
	return at + len(strings.TrimRight(rest, " \t"))
}

// afterColon is the offset behind the colon of a key.
func (d *document) afterColon(key *yaml.Node) (int, error) {
	at := d.offset(key)
	if at < len(d.text) && strings.IndexByte(`"'`, d.text[at]) >= 0 {
		at = d.token(at)
	} else {
		at += len(key.Value)
	}
	rest := d.text[min(at, len(d.text)):]
	colon := len(rest) - len(strings.TrimLeft(rest, " \t"))
	if colon == len(rest) || rest[colon] != ':' {
		return 0, errTooClever
	}
	return at + colon + 1, nil
}
