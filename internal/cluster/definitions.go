package cluster

import (
	"context"
	"strconv"
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/klog/v2"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/apiserver/customresource"
	"github.com/kubesim-dev/kubesim/controllers/customresourcedefinition"
	"github.com/kubesim-dev/kubesim/storage"
)

// definitions make one of several servers of a cluster in etcd serve custom resources.
// Each server follows the definitions by itself, a moment after the commit, as several
// kube-apiservers do. The leader's engine does it too, before it establishes one.
//
// Invariant: what was newer is never replaced by what was older.
type definitions struct {
	*customresource.Handler

	mu sync.Mutex
	// seen has the newest revision of each definition, by name.
	seen map[string]int64

	queue   sync.Mutex
	waiting []storage.Commit
	more    chan struct{}
}

var _ customresourcedefinition.Server = (*definitions)(nil)

func newDefinitions(handler *customresource.Handler) *definitions {
	return &definitions{Handler: handler, seen: map[string]int64{}, more: make(chan struct{}, 1)}
}

// note takes a commit, in whose observer no store may be opened.
func (d *definitions) note(c storage.Commit) {
	if c.Resource != customresourcedefinition.Definitions.GroupResource() {
		return
	}
	d.queue.Lock()
	defer d.queue.Unlock()
	d.waiting = append(d.waiting, c)
	select {
	case d.more <- struct{}{}:
	default:
	}
}

// run serves what was noted, until ctx ends.
func (d *definitions) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.more:
			d.catchUp()
		}
	}
}

func (d *definitions) catchUp() {
	d.queue.Lock()
	waiting := d.waiting
	d.waiting = nil
	d.queue.Unlock()
	for _, c := range waiting {
		obj, err := apiserver.Lean(c.Object)
		if err == nil {
			crd := obj.(*apiextensionsv1.CustomResourceDefinition)
			err = d.follow(crd, c.Revision, c.Type == watch.Deleted)
		}
		if err != nil {
			klog.Background().Error(err, "A CustomResourceDefinition is not served", "revision", c.Revision)
		}
	}
}

// Apply implements customresourcedefinition.Server.
func (d *definitions) Apply(crd *apiextensionsv1.CustomResourceDefinition) error {
	revision, err := strconv.ParseInt(crd.ResourceVersion, 10, 64)
	if err != nil {
		return err
	}
	return d.follow(crd, revision, false)
}

// Forget implements customresourcedefinition.Server: the commit does it.
func (d *definitions) Forget(string) {}

func (d *definitions) follow(crd *apiextensionsv1.CustomResourceDefinition, revision int64, gone bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen[crd.Name] >= revision {
		return nil
	}
	d.seen[crd.Name] = revision
	if gone {
		d.Handler.Forget(crd.Name)
		return nil
	}
	return d.Handler.Apply(crd)
}
