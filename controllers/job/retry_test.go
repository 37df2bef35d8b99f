package job

import (
	"errors"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

func TestHowLongAJobThatFailsWaits(t *testing.T) {
	changed := errors.New("it has changed")
	for name, tc := range map[string]struct {
		n    int
		err  error
		want time.Duration
	}{
		"at first":                              {1, errors.New("refused"), time.Second},
		"then the double":                       {3, errors.New("refused"), 4 * time.Second},
		"at most a minute":                      {40, errors.New("refused"), time.Minute},
		"a Job has changed":                     {1, apierrors.NewConflict(engine.Jobs.GroupResource(), "pi", changed), time.Second},
		"a Pod has changed: as the engine says": {1, apierrors.NewConflict(engine.Pods.GroupResource(), "pi-1", changed), 0},
	} {
		if got := (&Reconciler{}).Retry(tc.n, tc.err); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}
