package job

import (
	"slices"
	"strconv"
	"strings"
)

// interval is a run of completion indexes, both ends included.
type interval struct {
	First, Last int
}

// orderedIntervals is a set of completion indexes: disjoint, ascending, and
// with a gap between any two. Its text is what status.completedIndexes and
// status.failedIndexes hold.
type orderedIntervals []interval

// parseIndexes reads text such as "1,3-5" and drops what is not below
// completions. Parts that are not numbers are skipped, as upstream does.
// Source: parseIndexesFromString, k8s.io/kubernetes pkg/controller/job v1.37.2.
func parseIndexes(text string, completions int) orderedIntervals {
	var out orderedIntervals
	if text == "" {
		return nil
	}
	for part := range strings.SplitSeq(text, ",") {
		firstText, lastText, isRange := strings.Cut(part, "-")
		first, err := strconv.Atoi(firstText)
		if err != nil {
			continue
		}
		if first >= completions {
			break
		}
		last := first
		if isRange {
			if last, err = strconv.Atoi(lastText); err != nil {
				continue
			}
			last = min(last, completions-1)
		}
		if n := len(out); n > 0 && out[n-1].Last == first-1 {
			out[n-1].Last = last
		} else {
			out = append(out, interval{first, last})
		}
	}
	return out
}

// withIndexes returns oi with further indexes, given in any order.
func (oi orderedIntervals) withIndexes(indexes []int) orderedIntervals {
	if len(indexes) == 0 {
		return oi
	}
	more := make(orderedIntervals, 0, len(indexes))
	for _, ix := range slices.Sorted(slices.Values(indexes)) {
		more = more.extend(interval{ix, ix})
	}
	return oi.merge(more)
}

// merge returns the union.
func (oi orderedIntervals) merge(other orderedIntervals) orderedIntervals {
	var out orderedIntervals
	i, j := 0, 0
	for i < len(oi) || j < len(other) {
		if j == len(other) || i < len(oi) && oi[i].First < other[j].First {
			out = out.extend(oi[i])
			i++
		} else {
			out = out.extend(other[j])
			j++
		}
	}
	return out
}

// extend appends an interval that begins nowhere before the last one does.
func (oi orderedIntervals) extend(next interval) orderedIntervals {
	n := len(oi)
	if n == 0 || next.First > oi[n-1].Last+1 {
		return append(oi, next)
	}
	oi[n-1].Last = max(oi[n-1].Last, next.Last)
	return oi
}

// total returns how many indexes there are.
func (oi orderedIntervals) total() int {
	n := 0
	for _, iv := range oi {
		n += iv.Last - iv.First + 1
	}
	return n
}

// has reports whether ix is one of the indexes.
func (oi orderedIntervals) has(ix int) bool {
	at, found := slices.BinarySearchFunc(oi, ix, func(iv interval, ix int) int {
		switch {
		case iv.Last < ix:
			return -1
		case iv.First > ix:
			return 1
		}
		return 0
	})
	return found && at < len(oi)
}

// String writes two indexes in a row with a comma and more with a dash, as
// upstream does: "1,2,4-6".
func (oi orderedIntervals) String() string {
	var b strings.Builder
	for i, iv := range oi {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(iv.First))
		if iv.Last > iv.First {
			if iv.Last == iv.First+1 {
				b.WriteByte(',')
			} else {
				b.WriteByte('-')
			}
			b.WriteString(strconv.Itoa(iv.Last))
		}
	}
	return b.String()
}
