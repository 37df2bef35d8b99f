package program

import (
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/image"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/shell"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// Catalog holds what containers share: the images' base trees and the scripts
// that were parsed. One engine has one; it is not safe for concurrent use.
type Catalog struct {
	images map[string]*image.Image
	trees  map[string]*vfs.FS
	shells *shell.Cache
}

// NewCatalog returns an empty catalog, which fills itself.
func NewCatalog() *Catalog {
	return &Catalog{
		images: make(map[string]*image.Image),
		trees:  make(map[string]*vfs.FS),
		shells: shell.NewCache(),
	}
}

// Image returns what is known of an image; an unknown one is open: commands
// that it lacks are simulated.
func (c *Catalog) Image(ref string) *image.Image {
	im, ok := c.images[ref]
	if !ok {
		im = image.Find(ref)
		c.images[ref] = im
	}
	return im
}

// Root returns a new private root for a container of an image. The caller may
// mount volumes in it before it starts the container.
func (c *Catalog) Root(ref string, now time.Time) (*vfs.FS, error) {
	im := c.Image(ref)
	tree, ok := c.trees[im.Tree()]
	if !ok {
		var err error
		if tree, err = im.Build(); err != nil {
			return nil, err
		}
		tree.Freeze()
		c.trees[im.Tree()] = tree
	}
	return tree.Derive(), nil
}

// Pull says why an image cannot be pulled; nil if it can. The error is a
// *image.PullError.
func Pull(ref string) error { return image.Pull(ref) }
