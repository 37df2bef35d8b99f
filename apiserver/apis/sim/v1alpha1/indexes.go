package v1alpha1

import (
	"fmt"
	"strconv"
	"strings"
)

// IndexRange is a range of indexes, both ends included.
type IndexRange struct{ First, Last int }

// ParseIndexes reads numbers and ranges such as "0,3-5,7". They may be in any
// order and overlap.
func ParseIndexes(s string) ([]IndexRange, error) {
	var all []IndexRange
	for part := range strings.SplitSeq(s, ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, err := parseIndex(first)
		to := from
		if err == nil && isRange {
			to, err = parseIndex(last)
		}
		if err != nil || to < from {
			return nil, fmt.Errorf("%q: want a number or a range, for example 0,3-5,7", part)
		}
		all = append(all, IndexRange{from, to})
	}
	return all, nil
}

func parseIndex(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 31) // completions are an int32
	return int(n), err
}

// HasIndex reports whether the valid list s, as ParseIndexes reads it, has index.
func HasIndex(s string, index int) bool {
	ranges, err := ParseIndexes(s)
	if err != nil {
		return false
	}
	for _, r := range ranges {
		if r.First <= index && index <= r.Last {
			return true
		}
	}
	return false
}
