// Package clusters knows the clusters that a user keeps, each in a data directory of its
// own, and starts and stops their servers in the background.
package clusters

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/kubesim-dev/kubesim/internal/datadir"
	"github.com/kubesim-dev/kubesim/internal/kubeconfig"
	"github.com/kubesim-dev/kubesim/internal/settings"
	"github.com/kubesim-dev/kubesim/storage"
)

// ErrNone says that there is no such cluster.
var ErrNone = errors.New("there is no such cluster")

// namedDir is the folder in the default data directory that has those of named clusters.
const namedDir = "clusters"

// Cluster is one that may exist. Its data directory is what there is of it.
type Cluster struct {
	// Name is what users call it; kubeconfig.DefaultName is the one in ~/.kubesim.
	Name string
	Dir  *datadir.Dir
}

// Named is the cluster of a name; an empty name is the default one's.
func Named(name string) (*Cluster, error) {
	path, err := datadir.Default()
	if err != nil {
		return nil, err
	}
	if name == "" || name == kubeconfig.DefaultName {
		return &Cluster{Name: kubeconfig.DefaultName, Dir: &datadir.Dir{Path: path}}, nil
	}
	return &Cluster{Name: name, Dir: &datadir.Dir{Path: filepath.Join(path, namedDir, name)}}, nil
}

// All are the clusters that exist: the default one, then the others by name.
func All() ([]*Cluster, error) {
	first, err := Named("")
	if err != nil {
		return nil, err
	}
	all := []*Cluster{first}
	entries, err := os.ReadDir(first.Dir.File(namedDir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", first.Dir.File(namedDir), datadir.Cause(err))
	}
	for _, entry := range entries { // sorted
		c, err := Named(entry.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return slices.DeleteFunc(all, func(c *Cluster) bool { return !c.Exists() }), nil
}

// Exists reports whether the data directory holds a cluster.
func (c *Cluster) Exists() bool {
	for _, name := range []string{datadir.StoreFile, settings.File, upFile} {
		if _, err := os.Stat(c.Dir.File(name)); err == nil {
			return true
		}
	}
	return false
}

// Context is the name of its entries in a kubeconfig.
func (c *Cluster) Context() string { return kubeconfig.Context(c.Name) }

// Process is the server that runs on the data directory; 0 for none. A number that a killed
// server has left does not count: the store's lock is free then.
func (c *Cluster) Process() int {
	pid := c.Dir.Holder()
	if pid == 0 || !storage.InUse(c.Dir.File(datadir.StoreFile)) {
		return 0
	}
	return pid
}

// Entry is what clients need to reach it, as its last server wrote it.
func (c *Cluster) Entry() (kubeconfig.Entry, error) {
	return kubeconfig.Read(c.Dir.File("kubeconfig"), c.Context())
}

// Delete removes all that a server has written to the data directory, and the directory if
// nothing else is in it.
func (c *Cluster) Delete() error {
	stores, err := filepath.Glob(c.Dir.File(datadir.StoreFile + ".*"))
	if err != nil {
		return err
	}
	paths := append([]string{c.Dir.File(datadir.StoreFile)}, stores...)
	// What tells that there is a cluster goes last, so that a try that was killed can be
	// repeated.
	for _, name := range []string{"snapshots", "pki", "kubeconfig", LogFile, LogFile + oldSuffix, datadir.HolderFile, settings.File, upFile} {
		paths = append(paths, c.Dir.File(name))
	}
	for _, path := range paths {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("%s: %w", path, datadir.Cause(err))
		}
	}
	_ = os.Remove(c.Dir.File(namedDir)) // unless it has clusters
	_ = os.Remove(c.Dir.Path)           // unless it has something else
	return nil
}
