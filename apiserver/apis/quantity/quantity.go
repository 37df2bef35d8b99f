// Package quantity finds quantities that no computer can hold, before they are
// decoded: "1e999999999" is eleven bytes to send and 400 MB to compare with
// another, and k8s.io/apimachinery computes it when an object is read or judged.
//
// Invariant: what Check passes costs no more to compute with than its length says.
package quantity

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// digitsMax bounds the exponent of a quantity, and lengthMax its length. Units: decimal
// digits and bytes. The largest quantity that any resource has a use for is some 10^18.
const (
	digitsMax = 3
	lengthMax = 300
)

// Check refuses a body, of a request or a file, with a quantity that is too large to
// compute with.
func Check(contentType string, body []byte) error {
	if !suspicious(body) {
		return nil
	}
	if strings.Contains(contentType, "protobuf") {
		return checkProtobuf(body)
	}
	if !json.Valid(body) {
		asJSON, err := yaml.YAMLToJSON(body)
		if err != nil {
			return nil //nolint:nilerror // decoding it says what is wrong
		}
		body = asJSON
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil //nolint:nilerror // as above
	}
	return check(value)
}

// suspicious reports whether a body may have such a quantity. Most have none.
func suspicious(body []byte) bool {
	run := 0 // how many digits are behind
	for i, c := range body {
		switch {
		case c >= '0' && c <= '9' || c == '.':
			if run++; run > lengthMax {
				return true
			}
			continue
		case (c == 'e' || c == 'E') && run > 0 && longExponent(body[i+1:]):
			return true
		}
		run = 0
	}
	return false
}

func longExponent(rest []byte) bool {
	if len(rest) > 0 && (rest[0] == '+' || rest[0] == '-') {
		rest = rest[1:]
	}
	n := 0
	for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
		n++
	}
	return n > digitsMax
}

// number is all of a string that is a quantity, as far as its size goes.
var number = regexp.MustCompile(`^[+-]?[0-9.]+([eE][+-]?([0-9]+)|[a-zA-Z]{0,2})$`)

func checkString(s string) error {
	m := number.FindStringSubmatch(s)
	switch {
	case m == nil:
	case len(s) > lengthMax:
		return fmt.Errorf("the quantity %.20s… has %d characters; want %d at most", s, len(s), lengthMax)
	case len(strings.TrimLeft(m[2], "0")) > digitsMax:
		return fmt.Errorf("the quantity %s has an exponent of more than %d digits", s, digitsMax)
	}
	return nil
}

// freeText are fields whose strings are no quantities, whatever they look like.
func freeText(key string) bool {
	switch key {
	case "name", "namespace", "generateName", "hostname", "subdomain", "key", "uid", "resourceVersion",
		"labels", "annotations", "matchLabels", "nodeSelector", "data", "stringData", "binaryData", "command", "args", "values", "parameters", "volumeAttributes", "message", "note":
		return true
	}
	return false
}

func check(value any) error {
	switch v := value.(type) {
	case string:
		return checkString(v)
	case json.Number:
		return checkString(v.String())
	case []any:
		for _, item := range v {
			if err := check(item); err != nil {
				return err
			}
		}
	case map[string]any:
		return checkObject(v)
	}
	return nil
}

func checkObject(object map[string]any) error {
	_, named := object["name"]
	path, _ := object["path"].(string) // of an operation of a JSON patch
	for _, key := range slices.Sorted(maps.Keys(object)) {
		item := object[key]
		if freeText(key) || key == "value" && (named || freePath(path)) {
			continue
		}
		if err := check(item); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

// freePath reports whether a JSON pointer leads into text, such as that of a label or of
// an environment variable.
func freePath(path string) bool {
	for _, key := range strings.Split(path, "/") {
		if freeText(key) || key == "env" {
			return true
		}
	}
	return false
}

// checkProtobuf looks for messages whose first field is such a string and which have no
// other: that is how a quantity is encoded. What stands before it is the message's length.
func checkProtobuf(body []byte) error {
	for i := 1; i+2 < len(body); i++ {
		const firstString = 0x0a
		if body[i] != firstString {
			continue
		}
		long, n := uvarint(body[i+1:])
		start := i + 1 + n
		if n == 0 || long > len(body)-start || n == 1 && long < 126 && int(body[i-1]) != long+2 {
			continue
		}
		if err := checkString(string(body[start : start+min(long, lengthMax+1)])); err != nil {
			return err
		}
	}
	return nil
}

// uvarint reads a length of up to three bytes; n is 0 for none.
func uvarint(b []byte) (value, n int) {
	for i := range min(3, len(b)) {
		value |= int(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return value, i + 1
		}
	}
	return 0, 0
}
