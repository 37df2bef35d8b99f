package manifest

import (
	"os"
	"path/filepath"
	"testing"
)

// TestAFileHasABound: also a device, which says of itself that it is empty.
func TestAFileHasABound(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("four"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		limit int64
		want  string
	}{
		file:        {4, ""},
		"/dev/zero": {4, "more than 4 bytes: split it into several files"},
	} {
		got := ""
		if _, err := readUpTo(name, tc.limit); err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s: error %q, want %q", name, got, tc.want)
		}
	}
}
