package apiserver

import (
	"context"
	"net/http"
	"sync"

	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
)

// inFlight counts requests under way. Its zero value is ready.
type inFlight struct {
	mu sync.Mutex
	n  int
	// idle is closed when there are none. It is nil if nobody waits for that.
	idle chan struct{}
}

func (f *inFlight) add(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n += n
	if f.n == 0 && f.idle != nil {
		close(f.idle)
		f.idle = nil
	}
}

// wait returns when there are no requests under way, or when ctx ends.
func (f *inFlight) wait(ctx context.Context) {
	f.mu.Lock()
	if f.n == 0 {
		f.mu.Unlock()
		return
	}
	if f.idle == nil {
		f.idle = make(chan struct{})
	}
	idle := f.idle
	f.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

// withCount counts the requests that connect a client to a container.
func withCount(next http.Handler, streams *inFlight) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if info, ok := genericrequest.RequestInfoFrom(req.Context()); ok {
			switch info.Subresource {
			case "exec", "attach", "portforward":
				streams.add(1)
				defer streams.add(-1)
			}
		}
		next.ServeHTTP(w, req)
	})
}
