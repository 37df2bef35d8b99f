package play

import (
	"context"
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
	"github.com/kubesim-dev/kubesim/internal/cluster"
	"github.com/kubesim-dev/kubesim/internal/manifest"
	"github.com/kubesim-dev/kubesim/internal/timeline"
)

// DryRun shows what PodScripts do to Pods.
type DryRun struct {
	// Scripts is the file that has the PodScripts; Pods, if set, another, with what they
	// are to run.
	Scripts, Pods string
	Seed          uint64
	// Length bounds how much virtual time is shown. DeleteAfter is when to delete what has
	// not ended; zero is never.
	Length, DeleteAfter time.Duration
}

// NoPodError says that the file has nothing that its PodScripts could run.
type NoPodError struct{ File string }

// Error implements error.
func (e NoPodError) Error() string {
	return fmt.Sprintf("%s: there is no Pod in it: name a file with one, or with a Job, by --pod", e.File)
}

// dryRunStart is the first instant of every dry run.
func dryRunStart() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// Run prints the timeline to out.
func (d *DryRun) Run(ctx context.Context, out io.Writer) error {
	scripts, objects, err := d.read()
	if err != nil {
		return err
	}
	cluster.Quiet(0, io.Discard)
	t := timeline.New(timeline.Config{Out: out, Start: dryRunStart()})
	c, err := cluster.Start(ctx, cluster.Options{
		Ephemeral: true, Mode: engine.Manual, Speed: 1, Seed: d.Seed, Start: dryRunStart(),
		Nodes: 1, Controllers: []string{"*"}, Authorization: apiserver.AuthorizationAlwaysAllow, Follower: t, NoOpenAPI: true,
	})
	if err != nil {
		return err
	}
	defer c.Close()
	one := &dryCluster{c, t}
	if err := one.create(ctx, scripts, objects); err != nil {
		return err
	}
	if err := one.play(ctx, d); err != nil {
		return err
	}
	parsed := make([]*v1alpha1.PodScript, len(scripts))
	for i, m := range scripts {
		parsed[i] = &v1alpha1.PodScript{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(m.Object.Object, parsed[i]); err != nil {
			return err // the API server has read it
		}
	}
	return t.Sum(parsed)
}

// read returns the PodScripts of the files, and the other objects.
func (d *DryRun) read() (scripts, objects []manifest.Document, err error) {
	files := []string{d.Scripts}
	if d.Pods != "" {
		files = append(files, d.Pods)
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
		return nil, nil, fmt.Errorf("%s: there is no PodScript of %s in it", d.Scripts, v1alpha1.GroupVersion())
	case len(objects) == 0 && d.Pods == "":
		return nil, nil, NoPodError{d.Scripts}
	}
	return scripts, objects, nil
}

func isPodScript(m manifest.Document) bool {
	return m.Object.GroupVersionKind() == v1alpha1.GroupVersion().WithKind("PodScript")
}

// dryCluster is a cluster that nobody else reaches.
type dryCluster struct {
	*cluster.Cluster
	timeline *timeline.Timeline
}

// create creates the objects, and the namespaces that they name.
func (c *dryCluster) create(ctx context.Context, scripts, objects []manifest.Document) error {
	for _, m := range slices.Concat(scripts, objects) {
		// One after the other, so that their order does not depend on goroutines.
		if err := c.AwaitRest(ctx); err != nil {
			return err
		}
		if err := c.createOne(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (c *dryCluster) createOne(ctx context.Context, m manifest.Document) error {
	served := c.Resources()
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
	c.timeline.Show(name)
	_, err := c.Client().CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// play moves time until everything has ended, nothing more happens, or the time to
// show is over.
func (c *dryCluster) play(ctx context.Context, d *DryRun) error {
	end := c.timeline.Start.Add(d.Length)
	deletion := time.Time{}
	if d.DeleteAfter > 0 {
		deletion = c.timeline.Start.Add(d.DeleteAfter)
	}
	for {
		if err := c.AwaitRest(ctx); err != nil {
			return err
		}
		next := c.Status().Next
		switch {
		case c.timeline.Done():
			return nil
		case !deletion.IsZero() && !deletion.After(end) && (next.IsZero() || !next.Before(deletion)):
			if err := c.deletePods(ctx, deletion); err != nil {
				return err
			}
			deletion = time.Time{}
		case next.IsZero():
			return c.timeline.Note("%s, and nothing more happens", c.timeline.Rest())
		case next.After(end):
			return c.timeline.Note("%s after %s: see more with --for", c.timeline.Rest(), d.Length)
		default:
			if err := c.Next(ctx); err != nil {
				return err
			}
		}
	}
}

// deletePods deletes at an instant what has not ended.
func (c *dryCluster) deletePods(ctx context.Context, at time.Time) error {
	if err := c.Until(ctx, at); err != nil {
		return err
	}
	for _, pod := range c.timeline.Created() {
		if err := c.AwaitRest(ctx); err != nil { // one after the other, as in create
			return err
		}
		err := c.Client().CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}
