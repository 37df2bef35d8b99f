// Package remote runs reconcilers of ours outside the server, as upstream's
// controllers run: informers tell them what happens in a cluster, and what they
// decide goes to its API over HTTP.
//
// Invariant: a write returns when the informers have seen it. So a reconciler
// reads its own writes here too, which all of ours rely on.
package remote

import (
	"context"
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Controller runs reconcilers until its context ends. Another one that is made
// afterwards knows nothing of it but what the API has.
type Controller struct {
	engine *engine.Engine
	api    *api
	synced []cache.InformerSynced
}

// New returns a Controller in real time that follows no resource yet.
func New(client kubernetes.Interface) (*Controller, error) {
	e, err := engine.New(engine.Config{Mode: engine.Realtime, Speed: 1})
	if err != nil {
		return nil, err
	}
	return &Controller{engine: e, api: newAPI(client)}, nil
}

// Engine is what the reconcilers of the Controller are built on and registered
// with.
func (c *Controller) Engine() *engine.Engine { return c.engine }

// API is where the reconcilers write.
func (c *Controller) API() engine.API { return c.api }

// Recorder returns a recorder of Events whose source is component.
func (c *Controller) Recorder(component string) *engine.EventRecorder {
	return c.engine.NewEventRecorder(c.api, engine.ControllerIdentity(component), engine.Source{Component: component})
}

// Follow feeds the engine with the objects of r, which informer watches. It must
// be called before the informer starts.
func (c *Controller) Follow(r engine.Resource, informer cache.SharedIndexInformer) error {
	c.api.follow(r)
	handle := func(what watch.EventType, obj any) {
		if unknown, ok := obj.(cache.DeletedFinalStateUnknown); ok {
			obj = unknown.Obj
		}
		c.take(r, what, obj.(engine.Object))
	}
	registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { handle(watch.Added, obj) },
		UpdateFunc: func(_, obj any) { handle(watch.Modified, obj) },
		DeleteFunc: func(obj any) { handle(watch.Deleted, obj) },
	})
	if err != nil {
		return err
	}
	c.synced = append(c.synced, registration.HasSynced)
	return nil
}

func (c *Controller) take(r engine.Resource, what watch.EventType, obj engine.Object) {
	c.engine.Deliver(engine.Commit{Revision: revision(obj), Type: what, Resource: r, Object: obj})
	c.api.see(r, what, obj)
}

// Run waits for the informers, which somebody else starts, and runs until ctx
// ends. It panics if an invariant of the engine breaks: a test must not go on.
func (c *Controller) Run(ctx context.Context) {
	if !cache.WaitForCacheSync(ctx.Done(), c.synced...) {
		return
	}
	stop := context.AfterFunc(ctx, c.api.wake)
	defer stop()
	if err := c.engine.Run(ctx); err != nil && ctx.Err() == nil {
		panic(err)
	}
}

// revision returns an object's resourceVersion as a number, which ours are.
func revision(obj engine.Object) int64 {
	n, err := strconv.ParseInt(obj.GetResourceVersion(), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("remote: resourceVersion %q: %v", obj.GetResourceVersion(), err))
	}
	return n
}
