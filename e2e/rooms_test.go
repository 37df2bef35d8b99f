package e2e

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kubesim-dev/kubesim/internal/overlay"
)

// roomMax is how many files a reader meets in a package. Unit: files that are no tests.
const roomMax = 25

// TestNoRoomHasTooManyFiles: a package that has more is in the table "Large rooms" of
// docs/architecture.md, with its reason and the number of files that it may have.
func TestNoRoomHasTooManyFiles(t *testing.T) {
	page := overlay.Read(t, "../docs/architecture.md")
	_, table, ok := strings.Cut(page, "### Large rooms\n")
	if !ok {
		t.Fatal(`docs/architecture.md has no table "Large rooms"`)
	}
	table, _, _ = strings.Cut(table, "\n## ")
	allowed := map[string]int{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)/` \\| ([0-9]+) \\| .").FindAllStringSubmatch(table, -1) {
		most, err := strconv.Atoi(row[2])
		if err != nil {
			t.Fatal(err)
		}
		allowed[row[1]] = most
	}
	var found []string
	for _, p := range listPackages(t) {
		n := len(p.GoFiles)
		if n <= roomMax {
			continue
		}
		found = append(found, p.folder())
		if most, ok := allowed[p.folder()]; !ok {
			t.Errorf("%s has %d files: cut it where a reader meets one idea, or give the reason in docs/architecture.md", p.folder(), n)
		} else if n > most {
			t.Errorf("%s has %d files, docs/architecture.md allows %d: put a new file into a room of its own, or correct the table", p.folder(), n, most)
		}
	}
	for folder := range allowed {
		if !slices.Contains(found, folder) {
			t.Errorf("%s has no more than %d files: take it out of the table in docs/architecture.md", folder, roomMax)
		}
	}
}
