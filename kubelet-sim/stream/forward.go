package stream

import (
	"io"
	"net/http"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// bodyMax bounds a request to a simulated server. Unit: bytes.
const bodyMax = 1 << 20

// forward answers a request for the server that the connection leads to.
func (n *Network) forward(w http.ResponseWriter, req *http.Request, to Address) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, bodyMax))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	header := map[string]string{}
	for name, values := range req.Header {
		header[name] = values[0]
	}
	res, err := n.host.Do(req.Context(), to, kernel.Request{
		Method: req.Method, Path: req.URL.RequestURI(), Host: req.Host, Header: header, Body: body,
	})
	switch {
	case err != nil: // it has gone since the connection was made
		panic(http.ErrAbortHandler)
	case res.Status == 0: // it speaks another language, and waits for it
		<-req.Context().Done()
		return
	}
	for name, value := range res.Header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(res.Status)
	_, _ = w.Write(res.Body) // a client that has gone away is not our concern
}
