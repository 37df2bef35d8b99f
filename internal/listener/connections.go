package listener

import (
	"net"
	"sync"
	"time"
)

// connectionsMax bounds how long the connections of a server that stops go on: answers
// under way are sent meanwhile. A client may not read its answer, send half a request or
// half a handshake, or nothing at all: net/http waits for it for five seconds to a minute.
// Unit: wall time.
const connectionsMax = 300 * time.Millisecond

// connections are those that a server has accepted. Its zero value is ready.
//
// Invariant: soon after end, none is open.
type connections struct {
	mu    sync.Mutex
	ended bool
	cut   bool
	open  map[*connection]struct{}
}

// connection is the server's end of one.
type connection struct {
	net.Conn
	of *connections
}

func (cs *connections) add(c net.Conn) net.Conn {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	one := &connection{Conn: c, of: cs}
	if cs.cut {
		_ = c.Close() // nobody will answer it
		return one
	}
	if cs.open == nil {
		cs.open = map[*connection]struct{}{}
	}
	cs.open[one] = struct{}{}
	return one
}

// Close implements net.Conn.
func (c *connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// end closes the connections that are left, in a moment.
func (cs *connections) end() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.ended {
		return
	}
	cs.ended = true
	time.AfterFunc(connectionsMax, func() {
		cs.mu.Lock()
		defer cs.mu.Unlock()
		cs.cut = true
		for c := range cs.open {
			_ = c.Conn.Close() // its server hears of it
		}
	})
}
