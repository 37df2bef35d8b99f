package apiserver

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
)

func TestAwaitStreams(t *testing.T) {
	streams := &inFlight{}
	begun, end := make(chan struct{}), make(chan struct{})
	handler := withCount(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(begun)
		<-end
	}), streams)
	streams.wait(t.Context()) // there are none
	request := httptest.NewRequest(http.MethodPost, "/", nil)
	info := &genericrequest.RequestInfo{IsResourceRequest: true, Resource: "pods", Subresource: "exec"}
	go handler.ServeHTTP(httptest.NewRecorder(), request.WithContext(genericrequest.WithRequestInfo(request.Context(), info)))
	<-begun

	gaveUp, cancel := context.WithCancel(t.Context())
	cancel()
	streams.wait(gaveUp)
	waited := make(chan struct{})
	go func() {
		defer close(waited)
		streams.wait(t.Context())
	}()
	select {
	case <-waited:
		t.Fatal("wait returned while a command was under way")
	default:
	}
	close(end)
	<-waited
}
