package kubeconfig

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/internal/datadir"
)

// How long another program may hold a lock, and how often it is looked at. kubectl has it
// for some milliseconds. Unit: wall time.
const (
	lockMax      = 3 * time.Second
	lockInterval = 20 * time.Millisecond
)

// lock takes the locks of all files, in client-go's order and by its names, so that kubectl
// and kubesim never write at once.
func (f files) lock(ctx context.Context) (unlock func(), err error) {
	paths := slices.Compact(slices.Sorted(slices.Values(append([]string{f.fresh}, f.read...))))
	var held []string
	unlock = func() {
		for _, lock := range held {
			_ = os.Remove(lock) // nobody is left to tell
		}
	}
	for _, path := range paths {
		lock := path + ".lock"
		if err := acquire(ctx, lock); err != nil {
			unlock()
			return nil, fmt.Errorf("kubeconfig %s: %w", path, err)
		}
		held = append(held, lock)
	}
	return unlock, nil
}

// acquire makes the file of a lock, which must not be there. It holds our process's number:
// a lock that a killed kubesim has left is taken over. client-go's are empty, and waited
// for.
func acquire(ctx context.Context, lock string) error {
	if err := os.MkdirAll(filepath.Dir(lock), datadir.Mode); err != nil {
		return datadir.Cause(err)
	}
	tooLong := time.NewTimer(lockMax)
	defer tooLong.Stop()
	for {
		file, err := os.OpenFile(lock, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			_, err = fmt.Fprintln(file, os.Getpid())
			return errors.Join(err, file.Close())
		}
		if !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("lock %s: %w", lock, datadir.Cause(err))
		}
		holder := holderOf(lock)
		if holder > 0 && !datadir.Alive(holder) {
			takeAway(lock, holder)
			continue
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("interrupted while it waited for %s", lock)
		case <-tooLong.C:
			return stillLocked(lock, holder)
		case <-time.After(lockInterval):
		}
	}
}

func stillLocked(lock string, holder int) error {
	if holder > 0 {
		return fmt.Errorf("kubesim, process %d, is writing it: try again, or remove %s if that is another program", holder, lock)
	}
	return fmt.Errorf("%s is there: another program, for example kubectl, is writing it, or was killed while it was: remove that file if none is", lock)
}

// holderOf is the kubesim process that has a lock; 0 if another program has it.
func holderOf(lock string) int {
	text, err := os.ReadFile(lock)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}

// takeAway removes the lock of a process that has ended. Of several that try, one gets
// it; if that has taken a new lock from somebody, it is put back.
func takeAway(lock string, holder int) {
	mine := fmt.Sprintf("%s.%d", lock, os.Getpid())
	if os.Rename(lock, mine) != nil {
		return
	}
	if holderOf(mine) != holder {
		_ = os.Link(mine, lock) // if that fails there is another lock already
	}
	_ = os.Remove(mine)
}
