package kubeconfig

import (
	"encoding/json"
	"strings"

	"go.yaml.in/yaml/v3"
)

// list is one of a kubeconfig's lists of named things.
type list struct {
	key string
	// next is the line of the root's next key.
	next       int
	name, seq  *yaml.Node
	flow, null bool
}

func (d *document) list(key string) (list, error) {
	l := list{key: key}
	l.name, l.seq, l.next = d.find(key)
	switch {
	case l.name == nil:
	case l.seq.Kind == yaml.ScalarNode && l.seq.Tag == "!!null":
		l.null = true
	case l.seq.Kind == yaml.SequenceNode:
		l.flow = l.seq.Style&yaml.FlowStyle != 0
		l.null = len(l.seq.Content) == 0
	default:
		return l, errTooClever
	}
	return l, nil
}

// item is the index of the thing of a name; -1 for none.
func (l list) item(name string) int {
	if l.name == nil || l.null {
		return -1
	}
	for i, item := range l.seq.Content {
		if value(item, "name") == name {
			return i
		}
	}
	return -1
}

// value is a string in a mapping.
func value(n *yaml.Node, key string) string {
	if v := field(n, key); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return ""
}

func field(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// putItem adds a thing to a list, or puts it in the place of one of its name.
func (d *document) putItem(key, name string, thing any) error {
	l, err := d.list(key)
	if err != nil {
		return err
	}
	switch i := l.item(name); {
	case d.root == nil || l.name == nil:
		return d.newList(key, thing)
	case i >= 0 && l.flow:
		from, to, err := d.flowItem(l, i)
		if err != nil {
			return err
		}
		return d.splice(from, to, inFlow(thing))
	case i >= 0:
		from, to, err := d.blockItem(l, i)
		if err != nil {
			return err
		}
		return d.splice(from, to, d.inBlock(thing, l.seq.Column-1, d.text[from:to]))
	case l.null && !d.flow():
		return d.firstItem(l, thing)
	case l.flow:
		return d.addInFlow(l, thing)
	default:
		return d.addInBlock(l, thing)
	}
}

// newList adds a list to the root.
func (d *document) newList(key string, thing any) error {
	if d.flow() {
		return d.addKey(key, "["+inFlow(thing)+"]")
	}
	return d.addKey(key, d.eol+strings.TrimSuffix(d.inBlock(thing, d.indent(), d.eol), d.eol))
}

// indent is how far the root's keys are indented.
func (d *document) indent() int {
	if d.root == nil {
		return 0
	}
	return d.root.Column - 1
}

// addKey adds a key to the root: behind the last, or in flow style before the first.
func (d *document) addKey(key, value string) error {
	if d.flow() {
		at := d.offset(d.root) + 1
		text := inFlow(key) + ": " + value
		if len(d.root.Content) > 0 {
			text += ", "
		}
		return d.splice(at, at, text)
	}
	at := len(d.text)
	if d.root != nil && d.atHead {
		at = d.start(d.root.Line)
	} else if d.root != nil {
		at = d.contentEnd(d.root.Line, len(d.starts)+1, d.root.Column)
	}
	if d.root == nil || at == len(d.text) {
		if d.text != "" && !strings.HasSuffix(d.text, d.eol) {
			d.text += d.eol
		}
		at = len(d.text)
	}
	if !strings.HasPrefix(value, d.eol) {
		value = " " + value
	}
	return d.splice(at, at, strings.Repeat(" ", d.indent())+key+":"+value+d.eol)
}

// firstItem turns a list without things into one with a thing.
func (d *document) firstItem(l list, thing any) error {
	colon, err := d.afterColon(l.name)
	if err != nil {
		return err
	}
	rest := d.text[colon:]
	line := strings.IndexAny(rest, "\r\n")
	if line < 0 {
		line = len(rest)
	}
	said := strings.TrimLeft(rest[:line], " \t")
	comment := strings.TrimLeft(said, " \t")
	for _, empty := range []string{"null", "~", "[]", "[ ]", "Null", "NULL"} {
		if after, ok := strings.CutPrefix(said, empty); ok {
			comment = strings.TrimLeft(after, " \t")
		}
	}
	if comment != "" {
		if !strings.HasPrefix(comment, "#") {
			return errTooClever
		}
		comment = " " + comment
	}
	to := colon + line
	return d.splice(colon, to, comment+d.eol+d.inBlock(thing, d.indent(), ""))
}

// addInFlow adds a thing at the head of a list.
func (d *document) addInFlow(l list, thing any) error {
	at := d.offset(l.seq) + 1
	text := inFlow(thing)
	if len(l.seq.Content) > 0 {
		text += ", "
	}
	return d.splice(at, at, text)
}

// addInBlock adds a thing behind the last of a list.
func (d *document) addInBlock(l list, thing any) error {
	if d.atHead {
		first, err := d.dash(l.seq.Content[0].Line, l.seq.Line, l.seq.Column)
		if err != nil {
			return err
		}
		at := d.start(first)
		return d.splice(at, at, d.inBlock(thing, l.seq.Column-1, d.eol))
	}
	at := d.contentEnd(l.seq.Line, l.next, l.seq.Column)
	if ended := endsLine(d.text[:at]); !ended {
		return d.splice(at, at, d.eol+d.inBlock(thing, l.seq.Column-1, ""))
	}
	return d.splice(at, at, d.inBlock(thing, l.seq.Column-1, d.eol))
}

// removeItem takes the thing of a name away.
func (d *document) removeItem(key, name string) error {
	l, err := d.list(key)
	if err != nil {
		return err
	}
	i := l.item(name)
	if i < 0 {
		return nil
	}
	if l.flow {
		return d.removeInFlow(l, i)
	}
	from, to, err := d.blockItem(l, i)
	if err != nil {
		return err
	}
	if !endsLine(d.text[from:to]) { // so it is the end of the file, which had no line break
		kept := strings.TrimSuffix(d.text[:from], "\n")
		from = len(strings.TrimSuffix(kept, "\r"))
	}
	if len(l.seq.Content) > 1 {
		return d.splice(from, to, "")
	}
	colon, err := d.afterColon(l.name)
	if err != nil {
		return err
	}
	// "null" is what kubectl says of a list that has become empty.
	d.text = d.text[:from] + d.text[to:]
	return d.splice(colon, colon, " null")
}

func (d *document) removeInFlow(l list, i int) error {
	from, to, err := d.flowItem(l, i)
	if err != nil {
		return err
	}
	rest := d.text[to:]
	if after := strings.TrimLeft(rest, " \t"); strings.HasPrefix(after, ",") {
		to += len(rest) - len(after) + 1
		if strings.HasPrefix(d.text[to:], " ") {
			to++
		}
	} else if i > 0 {
		from = strings.LastIndexByte(d.text[:from], ',')
	}
	return d.splice(max(from, 0), to, "")
}

// flowItem is where a thing that kubesim wrote in flow style, as JSON, is.
func (d *document) flowItem(l list, i int) (from, to int, err error) {
	from = d.offset(l.seq.Content[i])
	decoder := json.NewDecoder(strings.NewReader(d.text[from:]))
	var thing map[string]any
	if err := decoder.Decode(&thing); err != nil {
		return 0, 0, errTooClever
	}
	return from, from + int(decoder.InputOffset()), nil
}

// blockItem is where the lines of a thing are, without what follows them: a comment there
// belongs to somebody else.
func (d *document) blockItem(l list, i int) (from, to int, err error) {
	column := l.seq.Column
	first, err := d.dash(l.seq.Content[i].Line, l.seq.Line, column)
	if err != nil {
		return 0, 0, err
	}
	next := l.next
	if i+1 < len(l.seq.Content) {
		if next, err = d.dash(l.seq.Content[i+1].Line, first+1, column); err != nil {
			return 0, 0, err
		}
	}
	return d.start(first), d.contentEnd(first, next, column), nil
}

// dash is the line of the dash that begins the thing in a line.
func (d *document) dash(line, least, column int) (int, error) {
	for ; line >= least; line-- {
		text := d.text[d.start(line):d.start(line+1)]
		if len(text) >= column && text[column-1] == '-' && strings.TrimSpace(text[:column-1]) == "" {
			return line, nil
		}
	}
	return 0, errTooClever
}

// contentEnd is where the last line of lines first to next-1 ends that is neither empty nor
// the end of the document, nor a comment that is indented less than what lies in column.
func (d *document) contentEnd(first, next, column int) int {
	for ; next > first+1; next-- {
		line := d.text[d.start(next-1):d.start(next)]
		body := strings.TrimLeft(line, " \t")
		comment := strings.HasPrefix(body, "#") && len(line)-len(body) < column
		if strings.TrimSpace(body) != "" && !comment && strings.TrimSpace(line) != "..." {
			break
		}
	}
	return d.start(next)
}

func endsLine(text string) bool {
	return strings.HasSuffix(text, "\n") || strings.HasSuffix(text, "\r")
}

// inFlow is JSON, which is YAML.
func inFlow(thing any) string {
	text, err := json.Marshal(thing)
	if err != nil {
		panic(err) // it consists of strings and maps
	}
	return string(text)
}

// inBlock is a thing of a list, whose dashes are indented. It ends as like does.
func (d *document) inBlock(thing any, indent int, like string) string {
	var text strings.Builder
	e := yaml.NewEncoder(&text)
	e.SetIndent(2)
	if err := e.Encode(thing); err != nil {
		panic(err) // it consists of strings and maps
	}
	var out strings.Builder
	for i, line := range strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n") {
		lead := "  "
		if i == 0 {
			lead = "- "
		} else {
			out.WriteString(d.eol)
		}
		if line != "" {
			out.WriteString(strings.Repeat(" ", indent) + lead + line)
		}
	}
	if endsLine(like) {
		out.WriteString(d.eol)
	}
	return out.String()
}
