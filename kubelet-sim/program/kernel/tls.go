package kernel

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"iter"
	"net"
	"net/netip"
	"time"
)

// secureBodyMax bounds a request over TLS. It is more than an API server asks a webhook:
// an object as it was and as it is to be. Unit: bytes.
const secureBodyMax = 8 << 20

// handshakeSteps is what a TLS handshake costs a server. It does not depend on how many
// bytes it has: signatures are not always of the same length.
const handshakeSteps = 10_000

// plainToSecure is what Go's HTTPS servers answer to a request without TLS.
const plainToSecure = "Client sent an HTTP request to an HTTPS server.\n"

// ListenTLS opens a TCP port of an HTTPS server, as Listen does. The server must not wait.
// If failed is set, it is told of handshakes that fail.
func (p *Proc) ListenTLS(port int32, certificate tls.Certificate, serve func(Request) Response, failed func(from netip.Addr, err error)) bool {
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"http/1.1"}, SessionTicketsDisabled: true}
	service := p.http(func(req Request) Response {
		req.Secure = true
		return serve(req)
	}, secureBodyMax)
	return p.listen(&Listener{Port: port, Serve: serve, secure: true, open: func() (Service, func()) {
		s := &secured{p: p, service: service, failed: failed}
		next, stop := iter.Pull(func(wait func(struct{}) bool) {
			s.wait = wait
			s.talk(tls.Server(s, config))
		})
		return func(from netip.Addr, in []byte) (int, Sent, bool) { return s.take(from, in, next) }, stop
	}})
}

// secured is a TLS connection of a server. Its own coroutine talks TLS.
//
// Invariant: the coroutine runs only within a call of take, and is over when the
// connection is.
type secured struct {
	p       *Proc
	service Service
	failed  func(netip.Addr, error)
	from    netip.Addr
	// in has arrived, and eof says that nothing follows. out is to be sent.
	in    bytes.Buffer
	eof   bool
	out   []byte
	after time.Duration
	done  bool
	// wait ends a call of take. It is false if the connection is over.
	wait func(struct{}) bool
}

// take is the Service of the connection.
func (s *secured) take(from netip.Addr, in []byte, next func() (struct{}, bool)) (int, Sent, bool) {
	s.from = from
	s.in.Write(in)
	s.eof = s.eof || len(in) == 0
	next()
	out := Sent{Data: s.out, After: s.after}
	s.out, s.after = nil, 0
	return len(in), out, s.done
}

// talk answers what comes over conn.
func (s *secured) talk(conn *tls.Conn) {
	defer func() { s.done = true }()
	s.p.Owe(handshakeSteps)
	if err := conn.Handshake(); err != nil {
		s.refuse(err)
		return
	}
	defer func() { _ = conn.Close() }() // it says goodbye, to nobody perhaps
	var in []byte
	buffer := make([]byte, 16<<10)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		in = append(in, buffer[:n]...)
		for len(in) > 0 {
			used, out, done := s.service(s.from, in)
			in = in[used:]
			if s.send(conn, out) != nil || done {
				return
			}
			if used == 0 {
				break
			}
		}
	}
}

// send writes what the service answers.
func (s *secured) send(conn *tls.Conn, out Sent) error {
	s.after = max(s.after, out.After)
	if _, err := conn.Write(out.Data); err != nil || out.File == nil {
		return err
	}
	_, err := io.Copy(conn, out.File)
	return err
}

// refuse ends a connection whose handshake has failed, as net/http does.
func (s *secured) refuse(err error) {
	var header tls.RecordHeaderError
	if errors.As(err, &header) && header.Conn != nil && looksLikeHTTP(header.RecordHeader) {
		s.out = append(s.out, "HTTP/1.0 400 Bad Request\r\n\r\n"+plainToSecure...)
		return
	}
	if s.failed != nil {
		s.failed(s.from, err)
	}
}

// looksLikeHTTP reports whether a connection begins with a request without TLS.
func looksLikeHTTP(head [5]byte) bool {
	switch string(head[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		return true
	}
	return false
}

// secured is the net.Conn of its TLS connection.
var _ net.Conn = (*secured)(nil)

// Read implements net.Conn.
func (s *secured) Read(b []byte) (int, error) {
	for s.in.Len() == 0 {
		if s.eof {
			return 0, io.EOF
		}
		if !s.wait(struct{}{}) {
			return 0, net.ErrClosed
		}
	}
	return s.in.Read(b)
}

// Write implements net.Conn.
func (s *secured) Write(b []byte) (int, error) {
	s.out = append(s.out, b...)
	return len(b), nil
}

// Close implements net.Conn.
func (s *secured) Close() error { return nil }

// LocalAddr implements net.Conn.
func (s *secured) LocalAddr() net.Addr { return &net.TCPAddr{} }

// RemoteAddr implements net.Conn.
func (s *secured) RemoteAddr() net.Addr { return &net.TCPAddr{IP: s.from.AsSlice()} }

// SetDeadline implements net.Conn. There are none.
func (s *secured) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (s *secured) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (s *secured) SetWriteDeadline(time.Time) error { return nil }
