package apiserver

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// cutOff ends an answer when its request's time is up, unless end is called before: a
// client that does not read it would keep others waiting for ever, as upstream's timeout
// waits for the write that is under way. The handler must not be over before end.
func cutOff(ctx context.Context, w http.ResponseWriter) (end func()) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		// Where there is nothing to cut off, nothing is done.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0))
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}

// encodedWhole reports whether the answer to a list is encoded in one piece: as YAML, or
// indented. Lists in JSON and protobuf are encoded one object at a time. Source: isPrettyPrint
// in k8s.io/apiserver pkg/endpoints/handlers/negotiation v0.37.2.
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
