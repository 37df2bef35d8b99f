package engine

import (
	"errors"
	"testing"

	"k8s.io/component-base/metrics"
)

func TestAHostSaysWhatItLacks(t *testing.T) {
	var none Host
	want := `one more
x: Host.Recorder is nil: pass Engine.NewEventRecorder in the name of its component
x: Host.View is nil: pass the engine's View
x: Host.API is nil: pass the API server's in-process client`
	if err := none.ValidateTeller("x", errors.New("one more")); err == nil || err.Error() != want {
		t.Errorf("Validate() = %v, want %s", err, want)
	}
	e, err := New(Config{Mode: Manual, Speed: 1, Start: noon()})
	if err != nil {
		t.Fatal(err)
	}
	silent := Host{View: e.View(), API: struct{ API }{}}
	if err := silent.Validate("x", nil); err != nil {
		t.Errorf("a controller without Events needs no Recorder: %v", err)
	}
}

// TestClustersShareAMetric: each asks for the variable, and all get the same one.
func TestClustersShareAMetric(t *testing.T) {
	const name, help = "kubesim_test_shared_total", "Only this test counts here."
	counter := func() *metrics.CounterVec {
		return metrics.NewCounterVec(&metrics.CounterOpts{Name: name, Help: help}, []string{"zone"})
	}
	first, err := Registered(counter())
	if err != nil {
		t.Fatal(err)
	}
	if second, err := Registered(counter()); err != nil || second != first {
		t.Errorf("the second cluster has a variable of its own, %v", err)
	}
	if _, err := Registered(metrics.NewGaugeVec(&metrics.GaugeOpts{Name: name, Help: help}, []string{"zone"})); err == nil {
		t.Error("a gauge takes the place of a counter")
	}
}
