package clusters

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/internal/datadir"
	"github.com/kubesim-dev/kubesim/internal/kubeconfig"
	"github.com/kubesim-dev/kubesim/storage"
)

const (
	// LogFile is what a server in the background prints.
	LogFile = "kubesim.log"
	// oldSuffix is that of the log before, which is kept when the log exceeds logMax.
	oldSuffix = ".old"
	logMax    = 1 << 20
	// upFile remembers how the server is started.
	upFile = "up.json"
)

// up is what upFile says.
type up struct {
	// Listen is the address of the API, chosen once.
	Listen string `json:"listen"`
}

// usualPort is the default cluster's, if it is free when that begins.
const usualPort = "127.0.0.1:6443"

// How often a server that starts or stops is looked at, and how long one that stops may
// take: it ends within two seconds whatever its clients do, unless its disk is slow.
// Unit: wall time.
const (
	lookInterval = 20 * time.Millisecond
	stopMax      = 15 * time.Second
)

// Start starts a server in a session of its own, with the flags of 'kubesim serve' in args,
// and returns when it says that all nodes are Ready. listen is the address of its API; empty
// for the one of before. The server outlives this process, unless ctx ends first.
func (c *Cluster) Start(ctx context.Context, listen string, args []string) error {
	if err := os.MkdirAll(c.Dir.Path, datadir.Mode); err != nil {
		return fmt.Errorf("data directory %s: %w", c.Dir.Path, datadir.Cause(err))
	}
	address, err := c.address(listen)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, from, err := c.openLog()
	if err != nil {
		return err
	}
	defer log.Close()
	flags := []string{"serve", "--data-dir", c.Dir.Path, "--listen", address}
	if c.Name != kubeconfig.DefaultName {
		flags = append(flags, "--name", c.Name)
	}
	child := exec.Command(self, append(flags, args...)...)
	child.Stdout, child.Stderr = log, log
	detach(child)
	if err := child.Start(); err != nil {
		return err
	}
	if err := c.awaitReady(ctx, child, from); err != nil {
		return err
	}
	return c.remember(up{Listen: address})
}

// awaitReady looks for serve's line in the log.
func (c *Cluster) awaitReady(ctx context.Context, child *exec.Cmd, from int64) error {
	var end error
	ended := make(chan struct{})
	go func() { end = child.Wait(); close(ended) }()
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			terminate(child.Process)
			<-ended
			return errors.New("interrupted: the cluster was stopped again")
		case <-ended:
			return c.why(end, from)
		case <-ticker.C:
		}
		said, err := c.logFrom(from)
		if err != nil {
			return err
		}
		if strings.HasPrefix(said, "export KUBECONFIG=") || strings.Contains(said, "\nexport KUBECONFIG=") {
			return nil
		}
	}
}

// why is the error of a server that has ended: its own words.
func (c *Cluster) why(err error, from int64) error {
	said, logErr := c.logFrom(from)
	if said = strings.TrimSpace(said); said == "" {
		return errors.Join(fmt.Errorf("the server ended without a word: %w", errors.Join(err, errors.New("see "+c.Dir.File(LogFile)))), logErr)
	}
	return errors.New(strings.TrimPrefix(said, "kubesim: "))
}

// openLog opens the log for a server; what it says begins at from.
func (c *Cluster) openLog() (log *os.File, from int64, err error) {
	path := c.Dir.File(LogFile)
	if info, err := os.Stat(path); err == nil && info.Size() > logMax {
		if err := os.Rename(path, path+oldSuffix); err != nil {
			return nil, 0, err
		}
	}
	if log, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
		return nil, 0, fmt.Errorf("log %s: %w", path, datadir.Cause(err))
	}
	from, err = log.Seek(0, io.SeekEnd)
	return log, from, err
}

func (c *Cluster) logFrom(from int64) (string, error) {
	log, err := os.Open(c.Dir.File(LogFile))
	if err != nil {
		return "", err
	}
	defer log.Close()
	text, err := io.ReadAll(io.NewSectionReader(log, from, logMax))
	return string(text), err
}

// address is where the API is to listen.
func (c *Cluster) address(listen string) (string, error) {
	remembered, err := c.remembered()
	switch {
	case err != nil:
		return "", err
	case listen != "":
		return free(listen, nil)
	case remembered.Listen != "":
		return remembered.Listen, nil
	}
	all, err := All()
	if err != nil {
		return "", err
	}
	taken := map[string]bool{}
	for _, other := range all {
		if o, err := other.remembered(); err == nil {
			taken[o.Listen] = true
		}
	}
	if c.Name == kubeconfig.DefaultName && !taken[usualPort] {
		if address, err := free(usualPort, nil); err == nil {
			return address, nil
		}
	}
	return free("127.0.0.1:0", taken)
}

// free is an address that nobody listens at: the one that is named, or if its port is 0 one
// that is not taken by a cluster that does not run.
func free(address string, taken map[string]bool) (string, error) {
	for {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return "", fmt.Errorf("cannot listen on %s: %w: choose another address with --listen, for example 127.0.0.1:0 for any free port", address, err)
		}
		got := l.Addr().String()
		if err := l.Close(); err != nil {
			return "", err
		}
		if !taken[got] {
			return got, nil
		}
	}
}

func (c *Cluster) remembered() (u up, err error) {
	text, err := os.ReadFile(c.Dir.File(upFile))
	if errors.Is(err, fs.ErrNotExist) {
		return u, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &u)
	}
	if err != nil {
		return u, fmt.Errorf("%s: %w: remove it, and another port is chosen", c.Dir.File(upFile), datadir.Cause(err))
	}
	return u, nil
}

func (c *Cluster) remember(u up) error {
	text, err := json.Marshal(u)
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if old, err := os.ReadFile(c.Dir.File(upFile)); err == nil && bytes.Equal(old, text) {
		return nil
	}
	return datadir.WriteFile(c.Dir.File(upFile), text)
}

// Stop ends the server and returns when it has let go of the store; running: there was one.
func (c *Cluster) Stop(ctx context.Context) (running bool, err error) {
	pid := c.Process()
	if pid == 0 {
		return false, nil
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return true, err
	}
	terminate(process)
	tooLong := time.NewTimer(stopMax)
	defer tooLong.Stop()
	for storage.InUse(c.Dir.File(datadir.StoreFile)) && c.Dir.Holder() == pid {
		select {
		case <-ctx.Done():
			return true, fmt.Errorf("interrupted: process %d has been told to end", pid)
		case <-tooLong.C:
			return true, fmt.Errorf("process %d has not ended %v after it was told to; %s may say why; 'kill -9 %d' ends it, and loses nothing that was acknowledged", pid, stopMax, c.Dir.File(LogFile), pid)
		case <-time.After(lookInterval):
		}
	}
	return true, nil
}
