package registry

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim"
	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

// restless is a clock whose cluster never settles. deaf: nor does it change.
type restless struct {
	spec *v1alpha1.ClockSpec
	deaf bool
}

func (r restless) Show() (v1alpha1.ClockSpec, v1alpha1.ClockStatus) {
	return *r.spec, v1alpha1.ClockStatus{}
}

func (r restless) Set(ctx context.Context, spec v1alpha1.ClockSpec) error {
	if !r.deaf {
		*r.spec = spec
	}
	return r.AwaitRest(ctx)
}

func (r restless) Advance(ctx context.Context, _ *v1alpha1.ClockAdvance) error {
	return r.AwaitRest(ctx)
}

func (restless) AwaitRest(ctx context.Context) error {
	<-ctx.Done()
	return apierrors.NewTimeoutError("it has not settled", 0)
}

// TestAChangeOfTheClockIsAnsweredInTime: before the request's time is over, after which
// a client would not learn that the clock is changed.
func TestAChangeOfTheClockIsAnsweredInTime(t *testing.T) {
	for name, tc := range map[string]struct {
		deaf   bool
		dryRun []string
		paused bool
		want   string
	}{
		"with the clock, if it is changed":  {paused: true},
		"with an error, if it is not":       {deaf: true, want: "it has not settled"},
		"at once, if nothing is to be done": {dryRun: []string{metav1.DryRunAll}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				spec := v1alpha1.ClockSpec{Mode: "manual", Speed: 1}
				clocks, _, _ := NewClocks(restless{&spec, tc.deaf})
				ctx, cancel := context.WithTimeout(t.Context(), 34*time.Second)
				defer cancel()
				pause := func(_ context.Context, _, now runtime.Object) (runtime.Object, error) {
					clock := now.DeepCopyObject().(*sim.Clock)
					clock.Spec.Paused = true
					return clock, nil
				}
				obj, _, err := clocks.Update(ctx, v1alpha1.ClockName, rest.DefaultUpdatedObjectInfo(nil, pause), nil, nil, false, &metav1.UpdateOptions{DryRun: tc.dryRun})
				if ctx.Err() != nil {
					t.Error("the answer comes too late")
				}
				if err != nil && (tc.want == "" || !strings.Contains(err.Error(), tc.want)) || err == nil && tc.want != "" {
					t.Fatalf("the error is %v, want %q", err, tc.want)
				}
				if err == nil && (!obj.(*sim.Clock).Spec.Paused || spec.Paused != tc.paused) {
					t.Errorf("the answer is %+v, the clock %+v", obj, spec)
				}
			})
		})
	}
}

func TestThereIsOneClock(t *testing.T) {
	clocks, advance, settled := NewClocks(restless{spec: &v1alpha1.ClockSpec{}})
	_, err := clocks.Get(t.Context(), "other", nil)
	_, _, updated := clocks.Update(t.Context(), "other", nil, nil, nil, false, nil)
	_, advanced := advance.Connect(t.Context(), "other", nil, nil)
	_, waited := settled.Connect(t.Context(), "other", nil, nil)
	for _, err := range []error{err, updated, advanced, waited} {
		if !apierrors.IsNotFound(err) {
			t.Errorf("%v, want NotFound", err)
		}
	}
}

func TestReadAdvance(t *testing.T) {
	for name, tc := range map[string]struct{ body, want string }{
		"a duration":                   {`{"duration": "10m"}`, ""},
		"YAML with kind and version":   {"apiVersion: sim.kubesim.dev/v1alpha1\nkind: ClockAdvance\nuntil: 2026-01-01T00:00:00Z", ""},
		"nothing":                      {"", "exactly one of duration, until and next"},
		"two of them":                  {`{"duration": "10m", "next": true}`, "exactly one of duration, until and next"},
		"a duration that is none":      {`{"duration": "tomorrow"}`, "must be a duration that is not negative"},
		"a duration that goes back":    {`{"duration": "-1s"}`, "must be a duration that is not negative"},
		"an instant that is none":      {`{"until": "tomorrow"}`, `the request is no ClockAdvance, for example {"duration": "10m"}`},
		"a field that there is not":    {`{"for": "10m"}`, `unknown field "for"`},
		"an object of another kind":    {`{"kind": "Clock", "duration": "10m"}`, "want a ClockAdvance of sim.kubesim.dev/v1alpha1"},
		"an object of another version": {`{"apiVersion": "v1", "duration": "10m"}`, "want a ClockAdvance of sim.kubesim.dev/v1alpha1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readAdvance(strings.NewReader(tc.body))
			var status apierrors.APIStatus
			if tc.want == "" && err != nil || tc.want != "" && (!errors.As(err, &status) || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("the error is %v, want %q", err, tc.want)
			}
		})
	}
}
