package apiserver

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// answer is where the answer to a request goes.
//
// Invariant: after end, nobody touches it. If a request's time is up or its client has
// disconnected, upstream's filters return without waiting for the handler. What
// belonged to this answer then belongs to the next one.
type answer struct {
	mu   sync.Mutex
	w    http.ResponseWriter
	over bool
}

type answerKey struct{}

// withAnswer is the outermost handler, so it knows when an answer is over.
func withAnswer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		a := &answer{w: w}
		defer a.end()
		next.ServeHTTP(w, req.WithContext(context.WithValue(req.Context(), answerKey{}, a)))
	})
}

func (a *answer) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
}

func (a *answer) cut() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.over {
		// If there is nothing to cut off, this does nothing.
		_ = http.NewResponseController(a.w).SetWriteDeadline(time.Unix(1, 0))
	}
}

// cutOff ends an answer when its request's time is up, unless stop is called before.
// Otherwise, a client that does not read the answer would keep others waiting forever,
// because upstream's timeout waits for the write that is under way.
func cutOff(ctx context.Context) (stop func() bool) {
	a, ok := ctx.Value(answerKey{}).(*answer)
	if !ok {
		return func() bool { return true }
	}
	return context.AfterFunc(ctx, a.cut)
}

// encodedWhole reports whether the answer to a list is encoded in one piece: as YAML,
// or indented. Lists in JSON and protobuf are encoded one object at a time. Source:
// isPrettyPrint in k8s.io/apiserver pkg/endpoints/handlers/negotiation v0.37.2.
func encodedWhole(req *http.Request) bool {
	if strings.Contains(req.Header.Get("Accept"), "yaml") {
		return true
	}
	if pretty := req.URL.Query().Get("pretty"); pretty != "" {
		yes, _ := strconv.ParseBool(pretty)
		return yes
	}
	agent := req.UserAgent()
	return strings.HasPrefix(agent, "curl") || strings.HasPrefix(agent, "Wget") || strings.HasPrefix(agent, "Mozilla/5.0")
}
