package play

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/manifest"
)

// dryRun is what `kubesim script test` was asked for.
type dryRun struct {
	scripts, pods       string
	seed                uint64
	length, deleteAfter time.Duration
}

// dryRunStart is the first instant of every dry run.
func dryRunStart() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// errNoMatch: the scripts have run nothing.
var errNoMatch = errors.New("no PodScript runs a container")

// run prints the timeline to out.
func (d *dryRun) run(ctx context.Context, out io.Writer) error {
	scripts, objects, err := d.read()
	if err != nil {
		return err
	}
	quiet(0, io.Discard)
	t := newTimeline(out)
	t.start = dryRunStart()
	c, err := Start(ctx, Options{
		Ephemeral: true, Mode: engine.Manual, Speed: 1, Seed: d.seed, Start: dryRunStart(),
		Nodes: 1, Controllers: []string{"*"}, Authorization: apiserver.AuthorizationAlwaysAllow, timeline: t, noOpenAPI: true,
	})
	if err != nil {
		return err
	}
	defer c.Close()
	one := &dryCluster{c, c.backend.(*bolt).engine, t}
	if err := one.create(ctx, scripts, objects); err != nil {
		return err
	}
	if err := one.play(ctx, d); err != nil {
		return err
	}
	return t.sum(scripts)
}

// read returns the PodScripts of the files, and the other objects.
func (d *dryRun) read() (scripts, objects []manifest.Document, err error) {
	files := []string{d.scripts}
	if d.pods != "" {
		files = append(files, d.pods)
	}
	for _, file := range files {
		all, err := manifest.Read(file)
		if err != nil {
			return nil, nil, err
		}
		for _, m := range all {
			if isPodScript(m) {
				scripts = append(scripts, m)
			} else {
				objects = append(objects, m)
			}
		}
	}
	switch {
	case len(scripts) == 0:
		return nil, nil, fmt.Errorf("%s: there is no PodScript of %s in it", d.scripts, v1alpha1.GroupVersion())
	case len(objects) == 0 && d.pods == "":
		return nil, nil, usageError{fmt.Errorf("%s: there is no Pod in it: name a file with one, or with a Job, by --pod", d.scripts)}
	}
	return scripts, objects, nil
}

func isPodScript(m manifest.Document) bool {
	return m.Object.GroupVersionKind() == v1alpha1.GroupVersion().WithKind("PodScript")
}

// dryCluster is a cluster that nobody else reaches.
type dryCluster struct {
	*Cluster
	engine   *engine.Engine
	timeline *timeline
}

// create creates the objects, and the namespaces that they name.
func (c *dryCluster) create(ctx context.Context, scripts, objects []manifest.Document) error {
	for _, m := range slices.Concat(scripts, objects) {
		// One after the other, so that their order does not depend on goroutines.
		if err := c.engine.Settle(ctx); err != nil {
			return err
		}
		if err := c.createOne(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (c *dryCluster) createOne(ctx context.Context, m manifest.Document) error {
	served := c.server.Local().Persisted()
	i := slices.IndexFunc(served, func(r apiserver.PersistedResource) bool { return r.Kind == m.Object.GroupVersionKind() })
	if i < 0 {
		return fmt.Errorf("%s: there is no %s in %s", m.At("kind"), m.Object.GetKind(), m.Object.GetAPIVersion())
	}
	r := served[i]
	path := []string{"/apis", r.Kind.Group, r.Kind.Version}
	if r.Group == "" {
		path = []string{"/api", r.Kind.Version}
	}
	if r.Namespaced {
		namespace := m.Object.GetNamespace()
		if namespace == "" {
			namespace = metav1.NamespaceDefault
		}
		if err := c.needNamespace(ctx, namespace); err != nil {
			return err
		}
		path = append(path, "namespaces", namespace)
	}
	data, err := m.Object.MarshalJSON()
	if err != nil {
		return err
	}
	err = c.Client().CoreV1().RESTClient().Post().AbsPath(append(path, r.Resource)...).
		Param("fieldValidation", metav1.FieldValidationStrict).
		SetHeader("Content-Type", runtime.ContentTypeJSON).SetHeader("Accept", runtime.ContentTypeJSON).
		Body(data).Do(ctx).Error()
	if err != nil {
		return m.Refused(err)
	}
	return nil
}

// needNamespace creates a namespace, if there is none yet, and lets the timeline
// show what is in it.
func (c *dryCluster) needNamespace(ctx context.Context, name string) error {
	c.timeline.show(name)
	_, err := c.Client().CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// play moves time until everything has ended, nothing more happens, or the time to
// show is over.
func (c *dryCluster) play(ctx context.Context, d *dryRun) error {
	end := c.timeline.start.Add(d.length)
	deletion := time.Time{}
	if d.deleteAfter > 0 {
		deletion = c.timeline.start.Add(d.deleteAfter)
	}
	for {
		if err := c.engine.Settle(ctx); err != nil {
			return err
		}
		next := c.engine.Status().Next
		switch {
		case c.timeline.ended():
			return nil
		case !deletion.IsZero() && !deletion.After(end) && (next.IsZero() || !next.Before(deletion)):
			if err := c.deletePods(ctx, deletion); err != nil {
				return err
			}
			deletion = time.Time{}
		case next.IsZero():
			return c.timeline.note("%s, and nothing more happens", c.timeline.rest())
		case next.After(end):
			return c.timeline.note("%s after %s: see more with --for", c.timeline.rest(), d.length)
		default:
			if err := c.engine.Next(ctx); err != nil {
				return err
			}
		}
	}
}

// deletePods deletes at an instant what has not ended.
func (c *dryCluster) deletePods(ctx context.Context, at time.Time) error {
	if err := c.engine.Until(ctx, at); err != nil {
		return err
	}
	for _, pod := range c.timeline.created() {
		if err := c.engine.Settle(ctx); err != nil { // one after the other, as in create
			return err
		}
		err := c.Client().CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}
