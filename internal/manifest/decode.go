package manifest

import (
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/json"
)

// Decode reads the document into a struct with JSON's tags. A field that the struct
// does not have, or a value of a wrong type, is an error with file, line and field.
func (m Document) Decode(into any) error {
	data, err := m.Object.MarshalJSON()
	if err != nil {
		return fmt.Errorf("%s: %w", m.At(""), err)
	}
	unknown, err := json.UnmarshalStrict(data, into)
	if err != nil {
		if lines := m.wrongType(err); len(lines) > 0 {
			return errors.New(lines[0])
		}
		return fmt.Errorf("%s: %w", m.At(""), err)
	}
	var lines []string
	for _, one := range unknown {
		lines = append(lines, fmt.Sprintf("%s: %s", m.At(quoted(one.Error())), one))
	}
	if len(lines) > 0 {
		return errors.New(strings.Join(lines, "\n"))
	}
	return nil
}
