package apiserver

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

type clockAt struct{ time.Time }

func (c clockAt) Now() time.Time { return c.Time }

func TestClientsAreWarnedOfWhatTheyWouldNotExpect(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		moved time.Duration
		err   error
		want  []string
	}{
		"nothing":            {24 * time.Hour, nil, nil},
		"time has moved far": {25 * time.Hour, nil, []string{"by 25h0m0s, to 2026-01-02T13:00:00Z"}},
		"an early answer":    {time.Hour, errors.New("deadline"), []string{"has not come to rest yet"}},
		"both":               {48 * time.Hour, errors.New("deadline"), []string{"has not come to rest yet", "by 48h0m0s"}},
	} {
		header := http.Header{}
		(&entrance{clock: clockAt{noon.Add(tc.moved)}}).warn(header, noon, tc.err)
		got := header.Values("Warning")
		if len(got) != len(tc.want) {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
			continue
		}
		for i := range got {
			if !strings.HasPrefix(got[i], `299 - "`) || !strings.Contains(got[i], tc.want[i]) {
				t.Errorf("%s: %q, want %q", name, got[i], tc.want[i])
			}
		}
	}
}
