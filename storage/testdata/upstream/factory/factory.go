// Package factory stands in for k8s.io/apiserver's storagebackend/factory in
// upstream's registry tests: its stores are kubesim's.
package factory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	upstream "k8s.io/apiserver/pkg/storage/storagebackend/factory"
	core "k8s.io/kubernetes/pkg/apis/core"

	kubesim "github.com/kubesim-dev/kubesim/storage"
)

// DestroyFunc is upstream's.
type DestroyFunc = upstream.DestroyFunc

// Written counts the writes to the files that are closed by now.
var Written atomic.Int64

var open sync.Map // path to *File

// File is one open file, whose path is its address in a storagebackend.Config.
type File struct {
	db        *kubesim.DB
	resources []kubesim.ResourceConfig
}

// Open opens a file.
func Open(path string) (*File, error) {
	db, err := kubesim.Open(kubesim.Config{Path: path, Ephemeral: true, Now: time.Now})
	if err != nil {
		return nil, err
	}
	f := &File{db: db}
	open.Store(path, f)
	return f, nil
}

// Close checks and closes the file.
func (f *File) Close() error {
	Written.Add(f.db.Revision() - 1) // a fresh file is at revision 1
	return errors.Join(f.db.Check(context.Background()), f.db.Close())
}

// Clear deletes every object of the namespaced resource at prefix.
func (f *File) Clear(ctx context.Context, prefix string) error {
	i := slices.IndexFunc(f.resources, func(rc kubesim.ResourceConfig) bool { return rc.ResourcePrefix == prefix })
	if i < 0 {
		return fmt.Errorf("no resource at %q", prefix)
	}
	s, err := f.db.Resource(f.resources[i])
	if err != nil {
		return err
	}
	list := f.resources[i].NewListFunc()
	if err := s.GetList(ctx, prefix+"/", storage.ListOptions{Predicate: storage.Everything, Recursive: true}, list); err != nil {
		return err
	}
	return meta.EachListItem(list, func(obj runtime.Object) error {
		key, err := storage.NamespaceKeyFunc(prefix+"/", obj)
		if err != nil {
			return err
		}
		out := f.resources[i].NewFunc()
		return s.Delete(ctx, key, out, nil, storage.ValidateAllObjectFunc, nil, storage.DeleteOptions{})
	})
}

// Create returns the store of c's resource in c's file.
func Create(c storagebackend.ConfigForResource, newFunc, newListFunc func() runtime.Object, prefix string) (storage.Interface, DestroyFunc, error) {
	found, ok := open.Load(c.Transport.ServerList[0])
	if !ok {
		return nil, nil, fmt.Errorf("no file is open at %q", c.Transport.ServerList)
	}
	if newFunc == nil { // upstream's allocators name no type
		newFunc = func() runtime.Object { return &core.RangeAllocation{} }
	}
	f := found.(*File)
	rc := kubesim.ResourceConfig{
		GroupResource:  c.GroupResource,
		Codec:          c.Codec,
		NewFunc:        newFunc,
		NewListFunc:    newListFunc,
		ResourcePrefix: prefix,
		Transformer:    c.Transformer,
	}
	f.resources = append(f.resources, rc)
	s, err := f.db.Resource(rc)
	return s, func() {}, err
}
