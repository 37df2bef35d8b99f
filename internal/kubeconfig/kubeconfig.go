// Package kubeconfig puts a cluster's entries into a kubeconfig and takes them away again.
//
// Invariant: what kubesim did not write stays as it is, byte for byte: other entries, their
// order and quoting, comments, unknown fields. So the file's text is edited, never
// decoded and encoded, as client-go does. A file that this cannot be done to is refused
// and left alone.
package kubeconfig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubesim-dev/kubesim/internal/datadir"
)

// DefaultName is the name of the entries of a cluster that has no name of its own.
const DefaultName = "kubesim"

// Context is the name of the entries of a cluster: cluster, user and context have the same,
// so that several kubeconfigs can be merged.
func Context(cluster string) string {
	if cluster == "" || cluster == DefaultName {
		return DefaultName
	}
	return DefaultName + "-" + cluster
}

// ErrForeign says that entries of the name are there, and that they are not kubesim's.
var ErrForeign = errors.New("it has entries of this name that kubesim did not write")

// Entry is what clients need to reach a cluster: a cluster, a user and a context of one name.
type Entry struct {
	// Name is that of all three.
	Name string
	// Server is a URL.
	Server string
	// CA is the certificate authority; Certificate and Key are the user's. All in PEM.
	CA, Certificate, Key []byte
}

// Read returns the entries of a name in a file.
func Read(path, name string) (Entry, error) {
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		return Entry{}, fmt.Errorf("kubeconfig %s: %w", path, datadir.Cause(err))
	}
	cluster, user := config.Clusters[name], config.AuthInfos[name]
	if cluster == nil || user == nil {
		return Entry{}, fmt.Errorf("kubeconfig %s: it has no entries of the name %s", path, name)
	}
	return Entry{
		Name: name, Server: cluster.Server, CA: cluster.CertificateAuthorityData,
		Certificate: user.ClientCertificateData, Key: user.ClientKeyData,
	}, nil
}

// Merge puts e into a file, which it makes if it is missing, and makes its context the
// current one.
func Merge(ctx context.Context, path string, e Entry) error {
	return merge(ctx, files{read: []string{path}, fresh: path}, e)
}

// Remove takes the entries of a name away. The current context, if it was theirs, becomes
// again what it was before. Without such entries nothing changes.
func Remove(ctx context.Context, path, name string) error {
	return remove(ctx, files{read: []string{path}, fresh: path}, name)
}

// MergeDefault is Merge for the files that clients read if nobody names one: those of
// $KUBECONFIG, else ~/.kube/config. It returns the file with the entries.
func MergeDefault(ctx context.Context, e Entry) (string, error) {
	f := defaults()
	return f.home(e.Name), merge(ctx, f, e)
}

// RemoveDefault is Remove for the same files. It reports whether there was a context.
func RemoveDefault(ctx context.Context, name string) (was bool, err error) {
	f := defaults()
	_, was = f.before(name)
	return was, remove(ctx, f, name)
}

// Current returns the current context of the default files, and whether it is kubesim's.
// Files that cannot be read have none.
func Current() (name string, ours bool) {
	f := defaults()
	for _, path := range f.read {
		config, err := clientcmd.LoadFromFile(path)
		if err != nil {
			continue
		}
		if name == "" {
			name = config.CurrentContext
		}
	}
	for _, path := range f.read {
		config, err := clientcmd.LoadFromFile(path)
		if err == nil && config.Contexts[name] != nil {
			_, ours = config.Contexts[name].Extensions[markName]
			return name, ours
		}
	}
	return name, false
}

// files are kubeconfigs that clients read as one: of two entries of a name, and of two
// current contexts, the first counts.
type files struct {
	read []string
	// fresh is where new entries go, and the current context.
	fresh string
}

// defaults follows client-go's rules.
func defaults() files {
	o := clientcmd.NewDefaultPathOptions()
	return files{read: o.GetLoadingPrecedence(), fresh: o.GetDefaultFilename()}
}

// home is the file that has the entries of a name, or is to have them.
func (f files) home(name string) string {
	for _, path := range f.read {
		config, err := clientcmd.LoadFromFile(path)
		if err == nil && has(config, name) {
			return path
		}
	}
	return f.fresh
}

func has(config *clientcmdapi.Config, name string) bool {
	return config.Contexts[name] != nil || config.Clusters[name] != nil || config.AuthInfos[name] != nil
}

func merge(ctx context.Context, f files, e Entry) error {
	unlock, err := f.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	home := f.home(e.Name)
	var before *string
	err = rewrite(f.fresh, func(d *document) error {
		if current, ok := d.current(); ok && current != e.Name {
			before = &current
		} else if ok { // it is ours already: what was before that is known
			before, _ = f.before(e.Name)
		}
		if f.fresh == home {
			if err := d.put(e, before); err != nil {
				return err
			}
		}
		return d.setCurrent(&e.Name)
	})
	if err != nil || f.fresh == home {
		return err
	}
	return rewrite(home, func(d *document) error { return d.put(e, before) })
}

func remove(ctx context.Context, f files, name string) error {
	unlock, err := f.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	before, ours := f.before(name)
	back := before
	if before != nil && *before != "" && !f.hasContext(*before) {
		back = new("") // it is gone
	}
	for _, path := range f.read {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		err := rewrite(path, func(d *document) error {
			if err := d.remove(name); err != nil || !ours {
				return err
			}
			if err := d.follow(name, before); err != nil {
				return err
			}
			if current, _ := d.current(); current != name {
				return nil
			}
			return d.setCurrent(back)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// before is the current context of before the entries of a name came; nil for none. ours:
// there is a context of the name, and it is kubesim's.
func (f files) before(name string) (current *string, ours bool) {
	for _, path := range f.read {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if d, err := parse(text); err == nil {
			if m := d.mark(name); m != nil {
				return m.Previous, true
			}
		}
	}
	return nil, false
}

func (f files) hasContext(name string) bool {
	for _, path := range f.read {
		if config, err := clientcmd.LoadFromFile(path); err == nil && config.Contexts[name] != nil {
			return true
		}
	}
	return false
}

// triesMax is how often a file is edited again that somebody changed meanwhile.
const triesMax = 5

// rewrite edits a file. It stays as it is if nothing changes or something is wrong.
func rewrite(path string, edit func(*document) error) error {
	for range triesMax {
		done, err := try(path, edit)
		if err != nil {
			return fmt.Errorf("kubeconfig %s: %w", path, err)
		}
		if done {
			return nil
		}
	}
	return fmt.Errorf("kubeconfig %s: another program changes it all the time: try again later", path)
}

func try(path string, edit func(*document) error) (done bool, err error) {
	target, old, err := find(path)
	if err != nil {
		return false, err
	}
	var text []byte
	if old != nil {
		if text, err = os.ReadFile(target); err != nil {
			return false, datadir.Cause(err)
		}
	}
	d, err := parse(text)
	if err != nil {
		return false, err
	}
	if err := edit(d); err != nil {
		return false, err
	}
	next := d.bytes()
	if old != nil && bytes.Equal(text, next) {
		return true, nil
	}
	// Programs that do not know the lock may have written.
	if now, err := os.ReadFile(target); (err == nil) != (old != nil) || !bytes.Equal(now, text) {
		return false, nil
	}
	if err := os.MkdirAll(filepath.Dir(target), datadir.Mode); err != nil {
		return false, datadir.Cause(err)
	}
	if err := datadir.ReplaceFile(target, next, old); err != nil {
		return false, fmt.Errorf("%w: choose another place with --kubeconfig or $KUBECONFIG", datadir.Cause(err))
	}
	return true, nil
}

// find follows symlinks; old is nil if there is no file yet.
func find(path string) (target string, old fs.FileInfo, err error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return path, nil, nil
	}
	if target, err = filepath.EvalSymlinks(path); err != nil {
		return "", nil, datadir.Cause(err)
	}
	if old, err = os.Stat(target); err != nil {
		return "", nil, datadir.Cause(err)
	}
	if !old.Mode().IsRegular() {
		return "", nil, errors.New("it is no regular file")
	}
	return target, old, nil
}
