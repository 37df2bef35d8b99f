// Package manifest reads files of Kubernetes objects.
//
// Invariant: an object knows its file and the line of each of its fields, so that
// whatever is wrong with it, here or later, is told with the place to look at.
package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	k8syaml "sigs.k8s.io/yaml"
)

// Document is one object of a file, as a user wrote it.
type Document struct {
	// File is the name of the file.
	File string
	// Object is what the document says.
	Object *unstructured.Unstructured
	// node is the document, which knows its lines.
	node *yaml.Node
}

// FileMax bounds a file: parsed, it takes many times its size. Unit: bytes.
const FileMax = 256 << 20

// Read reads the objects of a YAML or JSON file. Errors name file and line.
func Read(file string) ([]Document, error) {
	data, err := readUpTo(file, FileMax)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, bare(err))
	}
	return Parse(file, data)
}

// readUpTo reads a file, which may be a device or a pipe, of at most limit bytes.
func readUpTo(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("more than %d bytes: split it into several files", limit)
	}
	return data, err
}

// Parse reads what is in a file.
func Parse(file string, data []byte) ([]Document, error) {
	var all []Document
	for _, document := range documents(data) {
		m := Document{File: file, node: &yaml.Node{}}
		if err := yaml.Unmarshal(document, m.node); err != nil {
			return nil, m.syntaxError(err)
		}
		if m.node.Kind == 0 || m.node.Content[0].Tag == "!!null" {
			continue // nothing but comments
		}
		if m.root().Kind != yaml.MappingNode {
			return nil, fmt.Errorf("%s: want an object, with apiVersion and kind", m.At(""))
		}
		object := map[string]any{}
		if err := k8syaml.UnmarshalStrict(document, &object); err != nil {
			return nil, m.syntaxError(err)
		}
		m.Object = &unstructured.Unstructured{Object: object}
		if m.Object.GetKind() == "" || m.Object.GetAPIVersion() == "" {
			return nil, fmt.Errorf("%s: apiVersion or kind is missing: is it a manifest?", m.At(""))
		}
		all = append(all, m)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: there is no object in it", file)
	}
	return all, nil
}

// documents takes a file apart at its lines ---. Before each part come as many empty
// lines as the file has there, so that parsers count lines as the user does.
func documents(data []byte) [][]byte {
	var all [][]byte
	var one []byte
	n := 0
	for line := range bytes.Lines(data) {
		n++
		if separator.Match(bytes.TrimRight(line, "\r\n")) {
			all = append(all, one)
			one = bytes.Repeat([]byte("\n"), n)
			continue
		}
		one = append(one, line...)
	}
	return append(all, one)
}

// separator is what parts documents.
var separator = regexp.MustCompile(`^---\s*(#.*)?$`)

var yamlLine = regexp.MustCompile(`(?s)^.*?line (\d+): (.*)$`)

// syntaxError says where the file is no YAML.
func (m Document) syntaxError(err error) error {
	if at := yamlLine.FindStringSubmatch(err.Error()); at != nil {
		return fmt.Errorf("%s:%s: %s", m.File, at[1], strings.TrimSpace(at[2]))
	}
	return fmt.Errorf("%s: %w", m.File, err)
}

// Refused says what the API server has to object, a line for each field, with file
// and line.
func (m Document) Refused(err error) error {
	lines := slices.Concat(m.invalid(err), m.wrongType(err), m.notInSchema(err))
	if strict := strictError.FindStringSubmatch(err.Error()); strict != nil {
		for one := range strings.SplitSeq(strict[1], ", ") {
			lines = append(lines, fmt.Sprintf("%s: %s", m.At(quoted(one)), one))
		}
	}
	if len(lines) == 0 {
		return fmt.Errorf("%s: %w", m.At(""), err)
	}
	return fmt.Errorf("%s %q is not valid:\n%s", m.Object.GetKind(), m.Object.GetName(), strings.Join(lines, "\n"))
}

// strictError matches what the API server says of fields that it does not know, or
// that are there twice.
var strictError = regexp.MustCompile(`strict decoding error: (.*)$`)

// invalid returns a line for each field that is not valid.
func (m Document) invalid(err error) []string {
	var status apierrors.APIStatus
	if !apierrors.IsInvalid(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	var lines []string
	for _, cause := range status.Status().Details.Causes {
		lines = append(lines, fmt.Sprintf("%s: %s: %s", m.At(cause.Field), cause.Field, cause.Message))
	}
	return lines
}

// schemaError matches what the API server says of a field of what is applied.
var schemaError = regexp.MustCompile(`(?m)(?:^ *|: )\.(\S+): (field not declared in schema|expected .*)$`)

// notInSchema returns a line for each field that an applied object must not have so.
func (m Document) notInSchema(err error) []string {
	var lines []string
	if !strings.Contains(err.Error(), "failed to create typed patch object") {
		return nil
	}
	for _, said := range schemaError.FindAllStringSubmatch(err.Error(), -1) {
		text := strings.Replace(said[2], "field not declared in schema", "there is no such field", 1)
		lines = append(lines, fmt.Sprintf("%s: %s: %s", m.At(said[1]), said[1], text))
	}
	return lines
}

// wrongField matches what the API server says of a value of a wrong type. It does not
// say which item of a list the value is in.
var wrongField = regexp.MustCompile(`cannot unmarshal (\w+) into Go struct field \w+\.([\w.]+) of type (\S+)$`)

// wrongType returns a line for the value that has a wrong type, if one has.
func (m Document) wrongType(err error) []string {
	said := wrongField.FindStringSubmatch(err.Error())
	if said == nil {
		return nil
	}
	line := m.At("")
	for _, node := range descend(m.root(), strings.Split(said[2], ".")) {
		if kinds()[said[1]][node.Tag] {
			line = fmt.Sprintf("%s:%d", m.File, node.Line)
			break
		}
	}
	return []string{fmt.Sprintf("%s: %s: want %s, not %s", line, said[2], said[3], said[1])}
}

// kinds are the tags in YAML of what JSON's decoder calls a value.
func kinds() map[string]map[string]bool {
	return map[string]map[string]bool{
		"string": {"!!str": true, "!!timestamp": true}, "number": {"!!int": true, "!!float": true}, "bool": {"!!bool": true},
		"array": {"!!seq": true}, "object": {"!!map": true},
	}
}

// descend returns what has the names of path in node, in all items of lists.
func descend(node *yaml.Node, path []string) []*yaml.Node {
	if node.Kind == yaml.SequenceNode && len(path) > 0 {
		var all []*yaml.Node
		for _, item := range node.Content {
			all = append(all, descend(item, path)...)
		}
		return all
	}
	if len(path) == 0 {
		return []*yaml.Node{node}
	}
	if _, value := child(node, path[0]); value != nil {
		return descend(value, path[1:])
	}
	return nil
}

// quoted returns what is between the first quotes in s.
func quoted(s string) string {
	_, s, _ = strings.Cut(s, `"`)
	s, _, _ = strings.Cut(s, `"`)
	return s
}

// root is the object itself.
func (m Document) root() *yaml.Node {
	if m.node.Kind == yaml.DocumentNode {
		return m.node.Content[0]
	}
	return m.node
}

// At returns file and line of a field, such as spec.attempts[0].steps; of what it
// would be in if it is not there, of the object if it is empty.
func (m Document) At(field string) string {
	node := m.root()
	line := node.Line
	for _, part := range fieldParts.FindAllString(field, -1) {
		var key *yaml.Node
		if key, node = child(node, part); node == nil {
			break
		}
		line = key.Line
	}
	return m.File + ":" + strconv.Itoa(line)
}

var fieldParts = regexp.MustCompile(`\[[^\]]*\]|[^.\[]+`)

// child returns what part, a name or an index in brackets, is in node, and where
// it begins; nil if there is none.
func child(node *yaml.Node, part string) (key, value *yaml.Node) {
	name := strings.Trim(part, "[]")
	switch node.Kind {
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(node.Content) {
			return node.Content[i], node.Content[i]
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == name {
				return node.Content[i], node.Content[i+1]
			}
		}
	case yaml.AliasNode:
		return child(node.Alias, part)
	}
	return nil, nil
}

// bare drops the operation and path of a path error, which the message has named
// already.
func bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
