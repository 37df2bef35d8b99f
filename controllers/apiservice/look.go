package apiservice

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// promptMax is how long a step waits for a server that has answered in time before. Unit:
// wall time.
const promptMax = 2 * time.Second

// lateLook is a look that a step has not waited for.
type lateLook struct {
	Look
	service *apiregistrationv1.APIService
	target  *corev1.Service
	cancel  context.CancelFunc
}

// of reports whether it asks what would be asked now.
func (l *lateLook) of(service *apiregistrationv1.APIService, target *corev1.Service) bool {
	return equality.Semantic.DeepEqual(l.service.Spec, service.Spec) && equality.Semantic.DeepEqual(l.target.Spec, target.Spec)
}

// look asks the server, or takes up the answer to an earlier question. over is false if
// there is none yet; then the key is due when there is.
func (r *Reconciler) look(ctx context.Context, key engine.Key, service *apiregistrationv1.APIService, target *corev1.Service) (err error, over bool) { //nolint:revive // the error is the answer
	if l := r.looks[key.Name]; l != nil && l.of(service, target) {
		select {
		case <-l.Over():
			l.cancel()
			delete(r.looks, key.Name)
			err := l.Learn()
			r.late[key.Name] = err != nil // one that has answered is waited for again
			return err, true
		default:
			return nil, false
		}
	}
	r.forget(key.Name)
	asking, cancel := context.WithCancel(ctx)
	l := &lateLook{r.cfg.Look(asking, service, target), service, target, cancel}
	if r.cfg.Waits() && !r.late[key.Name] {
		waiting, done := context.WithTimeout(ctx, promptMax)
		defer done()
		select {
		case <-l.Over():
			cancel()
			return l.Learn(), true
		case <-waiting.Done():
		}
	}
	r.looks[key.Name], r.late[key.Name] = l, true
	go func() {
		<-l.Over()
		r.cfg.Ask(key, "the server of APIService "+key.Name+" was asked")
	}()
	return nil, false
}

// forget gives up a question.
func (r *Reconciler) forget(name string) {
	if l := r.looks[name]; l != nil {
		l.cancel()
		delete(r.looks, name)
	}
}
