package kubeconfig

import (
	"encoding/base64"
	"errors"
	"strings"

	"go.yaml.in/yaml/v3"
)

// listKeys are the lists of a kubeconfig.
func listKeys() []string { return []string{"clusters", "contexts", "users"} }

// kindOf is the key that holds the fields of a thing in a list.
func kindOf(list string) string { return strings.TrimSuffix(list, "s") }

// markName is the name of the extension by which kubesim knows its own entries.
const markName = "sim.kubesim.dev"

// mark is what the extension says.
type mark struct {
	// Previous is the current context of before; nil if there was none.
	Previous *string `json:"previous-context,omitempty" yaml:"previous-context"`
}

// mark is that of the context of a name; nil if it is not kubesim's, or not there.
func (d *document) mark(name string) *mark {
	l, err := d.list("contexts")
	if err != nil {
		return nil
	}
	i := l.item(name)
	if i < 0 {
		return nil
	}
	return markOf(l.seq.Content[i], "context")
}

func markOf(item *yaml.Node, kind string) *mark {
	extensions := field(field(item, kind), "extensions")
	if extensions == nil {
		return nil
	}
	for _, e := range extensions.Content {
		if value(e, "name") != markName {
			continue
		}
		m := &mark{}
		if content := field(e, "extension"); content != nil && content.Decode(m) != nil {
			return nil
		}
		return m
	}
	return nil
}

// extensions is the mark, as a kubeconfig has it.
func (m *mark) extensions() []any {
	content := map[string]any{}
	if m.Previous != nil {
		content["previous-context"] = *m.Previous
	}
	return []any{map[string]any{"name": markName, "extension": content}}
}

// put puts the entries of e in, whatever the current context is.
func (d *document) put(e Entry, before *string) error {
	old, err := load(d.text)
	if err != nil {
		return err
	}
	cluster := old.Clusters[e.Name]
	same := cluster != nil && string(cluster.CertificateAuthorityData) == string(e.CA)
	namespace := ""
	for _, key := range listKeys() {
		l, err := d.list(key)
		if err != nil {
			return err
		}
		if i := l.item(e.Name); i >= 0 && !same && markOf(l.seq.Content[i], kindOf(key)) == nil {
			return foreign(e.Name)
		}
		if i := l.item(e.Name); i >= 0 && key == "contexts" { // 'kubectl config set-context' has set it
			namespace = value(field(l.seq.Content[i], "context"), "namespace")
		}
	}
	return d.attempt(func(earlier *document) error { return d.putAll(earlier, e, before, namespace) })
}

// attempt edits at the usual places and, where these turn out to be in the middle of what
// somebody wrote, at the heads of lists.
func (d *document) attempt(edit func(earlier *document) error) error {
	earlier := *d
	err := edit(&earlier)
	if errors.Is(err, errTooClever) {
		*d = earlier
		d.atHead = true
		err = edit(&earlier)
		d.atHead = false
	}
	return err
}

func (d *document) putAll(earlier *document, e Entry, before *string, namespace string) error {
	for _, key := range listKeys() {
		thing := map[string]any{"name": e.Name, kindOf(key): d.fieldsOf(key, e, before, namespace)}
		if err := d.putItem(key, e.Name, thing); err != nil {
			return err
		}
	}
	if d.root != nil && earlier.root == nil {
		for _, pair := range [][2]string{{"apiVersion", "v1"}, {"kind", "Config"}} {
			if err := d.addKey(pair[0], pair[1]); err != nil {
				return err
			}
		}
	}
	return d.verify(earlier, e.Name, &e)
}

// fieldsOf is what an entry says.
func (d *document) fieldsOf(key string, e Entry, before *string, namespace string) map[string]any {
	encode := base64.StdEncoding.EncodeToString
	switch key {
	case "clusters":
		return map[string]any{"certificate-authority-data": encode(e.CA), "server": e.Server, "extensions": (&mark{}).extensions()}
	case "users":
		return map[string]any{"client-certificate-data": encode(e.Certificate), "client-key-data": encode(e.Key), "extensions": (&mark{}).extensions()}
	}
	context := map[string]any{"cluster": e.Name, "user": e.Name, "extensions": (&mark{Previous: before}).extensions()}
	if namespace != "" {
		context["namespace"] = namespace
	}
	return context
}

// remove takes kubesim's entries of a name away.
func (d *document) remove(name string) error {
	earlier := *d
	for _, key := range listKeys() {
		l, err := d.list(key)
		if err != nil {
			return err
		}
		i := l.item(name)
		if i < 0 || markOf(l.seq.Content[i], kindOf(key)) == nil {
			continue
		}
		if err := d.removeItem(key, name); err != nil {
			return err
		}
	}
	return d.verify(&earlier, name, nil)
}

// follow lets other entries of kubesim's that came after those of a name, which go, come
// after what was before that.
func (d *document) follow(name string, before *string) error {
	l, err := d.list("contexts")
	if err != nil || l.null || l.name == nil {
		return err
	}
	for _, item := range l.seq.Content {
		m := markOf(item, "context")
		if m == nil || m.Previous == nil || *m.Previous != name {
			continue
		}
		var thing map[string]any
		if err := item.Decode(&thing); err != nil {
			return errTooClever
		}
		context, ok := thing["context"].(map[string]any)
		if !ok {
			return errTooClever
		}
		context["extensions"] = (&mark{Previous: before}).extensions()
		earlier, other := *d, value(item, "name")
		if err := d.putItem("contexts", other, thing); err != nil {
			return err
		}
		if err := d.verify(&earlier, other, nil); err != nil {
			return err
		}
		return d.follow(name, before) // the text has changed
	}
	return nil
}

const currentKey = "current-context"

// current is the current context; ok: the file says one, if only an empty one.
func (d *document) current() (name string, ok bool) {
	key, v, _ := d.find(currentKey)
	if key == nil || v.Kind != yaml.ScalarNode {
		return "", false
	}
	return v.Value, true
}

// setCurrent says another current context, in the style of the one before; nil takes the
// key away.
func (d *document) setCurrent(name *string) error {
	return d.attempt(func(earlier *document) error { return d.trySetCurrent(earlier, name) })
}

func (d *document) trySetCurrent(earlier *document, name *string) error {
	key, v, _ := d.find(currentKey)
	var err error
	switch {
	case key == nil && name == nil:
	case key == nil:
		err = d.addKey(currentKey, d.scalar(*name, ""))
	case name == nil:
		err = d.removeCurrent(key, v)
	case v.Value == "" && v.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0:
		var colon int
		if colon, err = d.afterColon(key); err == nil {
			err = d.splice(colon, colon, " "+d.scalar(*name, ""))
		}
	default:
		at := d.offset(v)
		err = d.splice(at, d.token(at), d.scalar(*name, d.text[at:]))
	}
	if err != nil {
		return err
	}
	return d.verifyCurrent(earlier, name)
}

func (d *document) removeCurrent(key, v *yaml.Node) error {
	from, end := d.offset(key), d.token(d.offset(v))
	if d.flow() {
		to := end
		if strings.HasPrefix(d.text[to:], ", ") {
			to += 2
			return d.splice(from, to, "")
		}
		return d.splice(d.offset(v), end, `""`)
	}
	line := d.start(key.Line)
	next := d.start(key.Line + 1)
	if strings.TrimSpace(d.text[end:next]) != "" || strings.TrimSpace(d.text[line:from]) != "" || v.Line != key.Line {
		return d.splice(d.offset(v), end, `""`)
	}
	return d.splice(line, next, "")
}

// scalar is a string in the style of the scalar that like begins with.
func (d *document) scalar(s, like string) string {
	switch {
	case strings.HasPrefix(like, "'"):
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	case strings.HasPrefix(like, `"`), d.flow(), s == "":
		return inFlow(s)
	}
	var plain struct {
		V yaml.Node `yaml:"v"`
	}
	if err := yaml.Unmarshal([]byte("v: "+s), &plain); err == nil && plain.V.Style == 0 && plain.V.ShortTag() == "!!str" && plain.V.Value == s {
		return s
	}
	return inFlow(s)
}
