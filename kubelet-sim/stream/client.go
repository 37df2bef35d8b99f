package stream

import (
	"context"
	"errors"
	"io"

	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
)

// errSlow ends a session whose client has read too little for too long.
var errSlow = errors.New("the client does not read what the container writes")

// Program is a running program as its client sees it. Its methods may be called
// from any goroutine; each returns when the engine has done what it asks for.
type Program interface {
	// Input gives the program something to read, and waits while it has enough;
	// eof says that nothing follows.
	Input(ctx context.Context, data []byte, eof bool) error
	// Resize tells the size of the client's terminal, in characters.
	Resize(ctx context.Context, cols, rows int) error
	// Drained lets a program go on that was held up because its Output was full.
	Drained(ctx context.Context) error
}

// Client speaks with a program: what kubectl exec and kubectl attach have
// at their other end. A nil stream is not wanted.
type Client struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	TTY            bool
	Resize         <-chan remotecommand.TerminalSize
}

// inputMax is how much is read of a client at once. Unit: bytes.
const inputMax = 32 << 10

// Talk carries bytes between the client and the program p, whose output is out,
// until the output ends or ctx does. Goroutines that still read from the client
// then end with its connection.
func (c Client) Talk(ctx context.Context, p Program, out *Output) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if c.Stdin != nil {
		go c.sendInput(ctx, p)
	}
	if c.Resize != nil {
		go c.sendSizes(ctx, p)
	}
	for {
		parts, drained, err := out.take(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, part := range parts {
			w := c.Stdout
			if part.stderr {
				w = c.Stderr
			}
			if w == nil {
				continue
			}
			if _, err := w.Write(part.data); err != nil {
				return err
			}
		}
		if drained {
			if err := p.Drained(ctx); err != nil {
				return err
			}
		}
	}
}

func (c Client) sendInput(ctx context.Context, p Program) {
	buf := make([]byte, inputMax)
	for {
		n, err := c.Stdin.Read(buf)
		if n > 0 && p.Input(ctx, buf[:n], false) != nil {
			return
		}
		if err != nil {
			_ = p.Input(ctx, nil, true) // it fails only if the program is gone
			return
		}
	}
}

func (c Client) sendSizes(ctx context.Context, p Program) {
	for {
		select {
		case size, ok := <-c.Resize:
			if !ok || p.Resize(ctx, int(size.Width), int(size.Height)) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
