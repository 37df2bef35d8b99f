package apiserver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
	restclient "k8s.io/client-go/rest"
)

// loopback lets upstream's admission plugins use the API server as they do on a real
// cluster: through a client, but without TLS or a port. Each request runs the server's
// own handler chain.
type loopback struct {
	handler http.Handler

	mu sync.Mutex
	// ended says that the server has stopped. Until then, open has the bodies of the
	// answers under way, and running counts the handlers.
	ended   bool
	open    map[*io.PipeWriter]struct{}
	running sync.WaitGroup
}

// errStopped is what a client gets from a server that has stopped.
var errStopped = errors.New("the API server has stopped")

// begin records that a request is under way. After end, nobody is left to answer it.
func (l *loopback) begin(body *io.PipeWriter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return errStopped
	}
	if l.open == nil {
		l.open = map[*io.PipeWriter]struct{}{}
	}
	l.open[body] = struct{}{}
	l.running.Add(1)
	return nil
}

func (l *loopback) done(body *io.PipeWriter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, body)
	l.running.Done()
}

// end cuts off the answers that nobody reads any more, as closing the connections
// would. It returns when no handler is left.
func (l *loopback) end() {
	l.mu.Lock()
	l.ended = true
	for body := range l.open {
		_ = body.CloseWithError(errStopped) // never fails
	}
	l.mu.Unlock()
	l.running.Wait()
}

// loopbackConfig returns the client configuration; handler may be set later.
func (l *loopback) config(token string) *restclient.Config {
	return &restclient.Config{
		Host:          "https://kubesim.loopback",
		BearerToken:   token,
		ContentConfig: restclient.ContentConfig{ContentType: runtime.ContentTypeProtobuf, AcceptContentTypes: runtime.ContentTypeProtobuf},
		Transport:     l,
		QPS:           -1,
	}
}

// RoundTrip implements http.RoundTripper. The response's body is a pipe, so
// that a watch streams.
func (l *loopback) RoundTrip(req *http.Request) (*http.Response, error) {
	body, writer := io.Pipe()
	w := &loopbackWriter{header: http.Header{}, body: writer, started: make(chan struct{}), gone: make(chan bool, 1)}
	inner := req.Clone(req.Context())
	if inner.Body == nil {
		inner.Body = http.NoBody
	}
	inner.RequestURI = req.URL.RequestURI()
	inner.RemoteAddr = "127.0.0.1:0"
	ctx, cancel := context.WithCancel(req.Context())
	context.AfterFunc(ctx, func() { w.gone <- true })
	if err := l.begin(writer); err != nil {
		cancel()
		return nil, err
	}
	go func() {
		defer l.done(writer)
		defer cancel()
		defer func() {
			// The server's own panic handler has logged it and panics again. Here, no
			// net/http stops that.
			if recover() != nil {
				w.WriteHeader(http.StatusInternalServerError)
			}
			w.WriteHeader(http.StatusOK)
			_ = inner.Body.Close()
			_ = writer.Close() // never fails
		}()
		l.handler.ServeHTTP(w, inner.WithContext(ctx))
	}()
	select {
	case <-w.started:
	case <-req.Context().Done():
		_ = body.CloseWithError(req.Context().Err()) // never fails
		return nil, req.Context().Err()
	}
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: body, ContentLength: -1, Request: req,
	}, nil
}

// loopbackWriter is the http.ResponseWriter of one loopback request.
type loopbackWriter struct {
	header  http.Header
	body    *io.PipeWriter
	once    sync.Once
	started chan struct{}
	status  int
	sent    http.Header
	gone    chan bool
}

// Header implements http.ResponseWriter.
func (w *loopbackWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *loopbackWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status, w.sent = status, w.header.Clone()
		close(w.started)
	})
}

// Write implements http.ResponseWriter.
func (w *loopbackWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// Flush implements http.Flusher: a pipe has no buffer.
func (w *loopbackWriter) Flush() { w.WriteHeader(http.StatusOK) }

// CloseNotify implements http.CloseNotifier. Upstream's wrappers assume that a writer
// without it cannot flush, and so cannot stream a watch.
func (w *loopbackWriter) CloseNotify() <-chan bool { return w.gone }
