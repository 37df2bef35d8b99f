package apiservice

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// fakeLook is a question whose answer the test gives.
type fakeLook struct {
	over chan struct{}
	err  error
}

func (l *fakeLook) Over() <-chan struct{} { return l.over }
func (l *fakeLook) Learn() error          { return l.err }

// TestAServerThatHangsKeepsNobodyWaiting: the step ends, and begins anew with the answer.
func TestAServerThatHangsKeepsNobodyWaiting(t *testing.T) {
	asked := make(chan engine.Key, 9)
	var looks []*fakeLook
	waits := false
	r := &Reconciler{looks: map[string]*lateLook{}, late: map[string]bool{}, cfg: Config{
		Look: func(context.Context, *apiregistrationv1.APIService, *corev1.Service) Look {
			looks = append(looks, &fakeLook{over: make(chan struct{})})
			if waits {
				close(looks[len(looks)-1].over) // it answers at once
			}
			return looks[len(looks)-1]
		},
		Ask:   func(key engine.Key, _ string) { asked <- key },
		Waits: func() bool { return waits },
	}}
	key, service, target := engine.Key{Controller: Name, Name: "v1.example.com"}, &apiregistrationv1.APIService{}, &corev1.Service{}
	if _, over := r.look(t.Context(), key, service, target); over {
		t.Fatal("a server that hangs has answered")
	}
	if _, over := r.look(t.Context(), key, service, target); over || len(looks) != 1 {
		t.Fatalf("it is over: %v, and %d questions were asked, want one", over, len(looks))
	}
	looks[0].err = errors.New("too late")
	close(looks[0].over)
	if got := <-asked; got != key {
		t.Errorf("the answer makes %s due", got)
	}
	if err, over := r.look(t.Context(), key, service, target); !over || err == nil || err.Error() != "too late" {
		t.Errorf("the answer is %v (%v)", err, over)
	}

	// It is not waited for before it has answered well.
	waits = true
	if _, over := r.look(t.Context(), key, service, target); over {
		t.Error("a server that hung is waited for")
	}
	<-asked
	if err, over := r.look(t.Context(), key, service, target); !over || err != nil {
		t.Errorf("the answer is %v (%v)", err, over)
	}
	if err, over := r.look(t.Context(), key, service, target); !over || err != nil {
		t.Errorf("a server that answers is not waited for: %v (%v)", err, over)
	}

	// Another question takes the place of one under way.
	waits = false
	before := len(looks)
	_, _ = r.look(t.Context(), key, service, target)
	other := &corev1.Service{Spec: corev1.ServiceSpec{ExternalName: "other"}}
	if _, over := r.look(t.Context(), key, service, other); over || len(looks) != before+2 {
		t.Errorf("%d questions, want %d", len(looks), before+2)
	}
}
