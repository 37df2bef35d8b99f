// Package datadir is the folder that holds all of a cluster, and how files are written
// there and where a user has named one: as a whole, and for their owner alone.
package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// StoreFile is the name of the bbolt file in the folder.
const StoreFile = "kubesim.db"

// Dir is the folder that holds all of a cluster: the store, the
// certificate authority and the kubeconfig.
type Dir struct {
	// Path is where it is.
	Path string
	// temporary: it goes when the server ends.
	temporary bool
}

// Mode is the mode of a data directory: only its owner may read it.
const Mode = 0o700

// Open makes the folder if it is missing; for an ephemeral cluster
// without a folder of its own it makes a temporary one.
func Open(path string, ephemeral bool) (*Dir, error) {
	if ephemeral && path == "" {
		path, err := os.MkdirTemp("", "kubesim-")
		if err != nil {
			return nil, fmt.Errorf("a temporary data directory: %w", err)
		}
		return &Dir{Path: path, temporary: true}, nil
	}
	d, err := At(path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(d.Path, Mode); err != nil {
		return nil, fmt.Errorf("data directory %s: %w: choose another with --data-dir", d.Path, Cause(err))
	}
	return d, nil
}

// At is a folder that may be missing; an empty path is the default one.
func At(path string) (*Dir, error) {
	if path == "" {
		var err error
		if path, err = Default(); err != nil {
			return nil, err
		}
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	return &Dir{Path: path}, nil
}

// Default is the folder if the user has not named one.
func Default() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no home directory for the default data directory: set one with --data-dir: %w", err)
	}
	return filepath.Join(home, ".kubesim"), nil
}

// Cause drops the operation and path of a path error, which the message
// has named already.
func Cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// File is where a file of the folder is.
func (d *Dir) File(name string) string { return filepath.Join(d.Path, name) }

// Close removes a temporary folder.
func (d *Dir) Close() {
	if d.temporary {
		_ = os.RemoveAll(d.Path)
	}
}

// WriteFile replaces a file as a whole: a reader, and a crash, sees the old or
// the new one. Only its owner can read it.
func WriteFile(path string, data []byte) error { return ReplaceFile(path, data, nil) }

// ReplaceFile is WriteFile, but who may read the file, and whose it is, stays as with old;
// nil for none.
func ReplaceFile(path string, data []byte, old fs.FileInfo) error {
	// A new file of an unguessable name: nobody else has it open, and its mode is
	// 0600.
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	if old != nil {
		err = errors.Join(keepOwner(f, old), f.Chmod(old.Mode().Perm()))
	}
	_, werr := f.Write(data)
	err = errors.Join(err, werr, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return advise(err)
}

// advise says what can be done about a full disk.
func advise(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w: free some space and start again", syscall.ENOSPC)
	}
	return err
}

// CreatePrivate creates or empties a file that a user has named. What a cluster is asked
// and what it says, command lines with passwords among it, is its owner's alone, in a
// file that was there before too; what is no file, such as /dev/stderr or a pipe, stays
// as it is.
func CreatePrivate(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		if err = file.Chmod(0o600); err != nil {
			err = fmt.Errorf("others may read it, and this user cannot change that: remove it, or name another file: %w", Cause(err))
		}
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// Sync makes what was linked or renamed in a folder last through a crash of
// the machine.
func Sync(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
