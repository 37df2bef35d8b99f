package scenario

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// The steps of this file are what kubectl set image, kubectl autoscale and kubectl rollout
// do, with their texts. Source: k8s.io/kubectl pkg/cmd/set and pkg/polymorphichelpers v0.37.2. They are
// not called: they would double the size of the binary.

// restartedAt is the annotation of a template by which kubectl rollout restart changes it.
const restartedAt = "kubectl.kubernetes.io/restartedAt"

// rollout changes one workload.
func (p *Player) rollout(ctx context.Context, st *step, r Resource, name string) error {
	object, fields, err := p.object(r, st.target.Namespace, name)
	if err != nil {
		return err
	}
	path := r.path(st.target.Namespace) + "/" + name
	switch st.action {
	case "setImage":
		return p.setImage(ctx, path, fields, st.Images)
	case "restart":
		return p.restart(ctx, path, object)
	case "undo":
		return p.undo(ctx, path, object, st.ToRevision)
	}
	paused := st.action == "pause"
	d, ok := object.(*appsv1.Deployment)
	switch {
	case !ok:
		return fmt.Errorf("%s %q %s is not supported", r, name, map[bool]string{true: "pausing", false: "resuming"}[paused])
	case paused && d.Spec.Paused:
		return fmt.Errorf("%s %q is already paused", r, name)
	case !paused && !d.Spec.Paused:
		return fmt.Errorf("%s %q is not paused", r, name)
	}
	return p.merge(ctx, path, "paused", paused)
}

// object returns an object as it is, and as JSON has it.
func (p *Player) object(r Resource, namespace, name string) (Object, map[string]any, error) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	key := "/" + name
	if r.Namespaced {
		key = namespace + key
	}
	it := p.world.tables[r.String()][key]
	if it == nil {
		return nil, nil, apierrors.NewNotFound(schema.GroupResource{Group: r.Group, Resource: r.Plural}, name)
	}
	fields, err := it.json(r)
	return it.object, fields, err
}

// podSpecs are where the kinds that run Pods have a Pod's spec.
func podSpecs() [][]string {
	return [][]string{{"spec", "template", "spec"}, {"spec", "jobTemplate", "spec", "template", "spec"}, {"spec"}}
}

// setImage sets images by the names of containers; * stands for those that are not named.
func (p *Player) setImage(ctx context.Context, path string, fields map[string]any, images map[string]string) error {
	at := slices.IndexFunc(podSpecs(), func(path []string) bool {
		_, there, _ := unstructured.NestedSlice(fields, append(slices.Clone(path), "containers")...)
		return there
	})
	if at < 0 {
		return errors.New("it has no containers")
	}
	spec := podSpecs()[at]
	found, change := map[string]bool{}, map[string]any{}
	for _, list := range []string{"initContainers", "containers"} {
		containers, _, _ := unstructured.NestedSlice(fields, append(slices.Clone(spec), list)...)
		var set []any
		for _, c := range containers {
			name, _ := c.(map[string]any)["name"].(string)
			wanted := name
			if _, named := images[name]; !named {
				wanted = "*"
			}
			if image, ok := images[wanted]; ok {
				found[wanted] = true
				set = append(set, map[string]any{"name": name, "image": image})
			}
		}
		if len(set) > 0 {
			change[list] = set
		}
	}
	for _, name := range sortedKeys(images) {
		if !found[name] {
			return fmt.Errorf("unable to find container named %q", name)
		}
	}
	patch := map[string]any{}
	if err := unstructured.SetNestedMap(patch, change, spec...); err != nil {
		return err
	}
	return p.send(ctx, http.MethodPatch, path, string(types.StrategicMergePatchType), patch)
}

// autoscaler is what kubectl autoscale creates.
func (s *step) autoscaler(r Resource, name string) map[string]any {
	spec := map[string]any{
		"scaleTargetRef": map[string]any{"apiVersion": r.apiVersion(), "kind": r.Kind, "name": name},
		"maxReplicas":    *s.MaxReplicas,
		"metrics": []any{map[string]any{
			"type": "Resource", "resource": map[string]any{"name": "cpu", "target": map[string]any{"type": "Utilization", "averageUtilization": s.CPU}},
		}},
	}
	if s.MinReplicas != nil {
		spec["minReplicas"] = *s.MinReplicas
	}
	return map[string]any{"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": map[string]any{"name": name}, "spec": spec}
}

// imagesTitle tells images as kubectl set image takes them.
func imagesTitle(images map[string]string) string {
	var words []string
	for _, container := range sortedKeys(images) {
		words = append(words, container+"="+images[container])
	}
	return strings.Join(words, " ")
}

// restart changes a template so that all Pods are replaced.
func (p *Player) restart(ctx context.Context, path string, object Object) error {
	switch workload := object.(type) {
	case *appsv1.Deployment:
		if workload.Spec.Paused {
			return errors.New("can't restart paused deployment (run rollout resume first)")
		}
	case *appsv1.DaemonSet, *appsv1.StatefulSet:
	default:
		return errors.New("restarting is not supported")
	}
	annotations := map[string]any{restartedAt: p.cluster.Now().UTC().Format(time.RFC3339)}
	patch := map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": annotations}}}}
	return p.send(ctx, http.MethodPatch, path, string(types.StrategicMergePatchType), patch)
}

// undo takes a workload back to a revision; to the one before, if it is 0.
func (p *Player) undo(ctx context.Context, path string, object Object, revision int64) error {
	switch workload := object.(type) {
	case *appsv1.Deployment:
		return p.undoDeployment(ctx, path, workload, revision)
	case *appsv1.DaemonSet:
		return p.undoByHistory(ctx, path, workload, workload.Spec.Template, revision)
	case *appsv1.StatefulSet:
		return p.undoByHistory(ctx, path, workload, workload.Spec.Template, revision)
	}
	return errors.New("no rollbacker has been implemented for it")
}

func (p *Player) undoDeployment(ctx context.Context, path string, d *appsv1.Deployment, revision int64) error {
	set, err := revisionOf(p.replicaSets(d), revision, d.Name)
	if err != nil {
		return err
	}
	if d.Spec.Paused {
		return errors.New("you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again")
	}
	template, current := set.Spec.Template.DeepCopy(), d.Spec.Template.DeepCopy()
	delete(template.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	delete(current.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	if apiequality.Semantic.DeepEqual(template, current) {
		p.skipped(revision)
		return nil
	}
	// The Deployment keeps what is its own, and takes over what was the revision's.
	annotations := map[string]string{}
	for _, own := range deploymentAnnotations() {
		if v, ok := d.Annotations[own]; ok {
			annotations[own] = v
		}
	}
	for name, v := range set.Annotations {
		if !slices.Contains(deploymentAnnotations(), name) {
			annotations[name] = v
		}
	}
	return p.send(ctx, http.MethodPatch, path, string(types.JSONPatchType), []any{
		map[string]any{"op": "replace", "path": "/spec/template", "value": template},
		map[string]any{"op": "replace", "path": "/metadata/annotations", "value": annotations},
	})
}

// deploymentAnnotations are those that a rollback does not touch.
func deploymentAnnotations() []string {
	return []string{
		"kubectl.kubernetes.io/last-applied-configuration", revisionAnnotation, "deployment.kubernetes.io/revision-history",
		"deployment.kubernetes.io/desired-replicas", "deployment.kubernetes.io/max-replicas", appsv1.DeprecatedRollbackTo,
	}
}

const revisionAnnotation = "deployment.kubernetes.io/revision"

// replicaSets returns those of a Deployment, by name.
func (p *Player) replicaSets(d *appsv1.Deployment) (sets []*appsv1.ReplicaSet) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	table := p.world.tables["replicasets.apps"]
	for _, key := range sortedKeys(table) {
		if set, ok := table[key].object.(*appsv1.ReplicaSet); ok && metav1.IsControlledBy(set, d) {
			sets = append(sets, set)
		}
	}
	return sets
}

// revisionOf returns the ReplicaSet of a revision; of the last but one, if it is 0.
func revisionOf(sets []*appsv1.ReplicaSet, revision int64, deployment string) (*appsv1.ReplicaSet, error) {
	byRevision := map[int64]*appsv1.ReplicaSet{}
	for _, set := range sets {
		if n, err := strconv.ParseInt(set.Annotations[revisionAnnotation], 10, 64); err == nil {
			byRevision[n] = set
		}
	}
	known := slices.Sorted(maps.Keys(byRevision))
	switch {
	case revision == 0 && len(known) < 2:
		return nil, fmt.Errorf("no rollout history found for deployment %q", deployment)
	case revision == 0:
		revision = known[len(known)-2]
	case byRevision[revision] == nil:
		return nil, revisionNotFound(revision)
	}
	return byRevision[revision], nil
}

func revisionNotFound(revision int64) error {
	return fmt.Errorf("unable to find specified revision %v in history", revision)
}

// undoByHistory takes back a workload whose revisions are ControllerRevisions: each holds
// the patch that leads to it.
func (p *Player) undoByHistory(ctx context.Context, path string, owner Object, template any, revision int64) error {
	history := p.history(owner)
	var to *appsv1.ControllerRevision
	if revision == 0 {
		if len(history) < 2 {
			return errors.New("no last revision to roll back to")
		}
		to = history[len(history)-2]
	} else if i := slices.IndexFunc(history, func(h *appsv1.ControllerRevision) bool { return h.Revision == revision }); i >= 0 {
		to = history[i]
	} else {
		return revisionNotFound(revision)
	}
	same, err := leadsTo(to.Data.Raw, template)
	if err != nil {
		return err
	}
	if same {
		p.skipped(revision)
		return nil
	}
	return p.send(ctx, http.MethodPatch, path, string(types.StrategicMergePatchType), json.RawMessage(to.Data.Raw))
}

// leadsTo reports whether a template is what a ControllerRevision's patch makes.
func leadsTo(patch []byte, template any) (bool, error) {
	data, err := json.Marshal(template)
	if err != nil {
		return false, err
	}
	fields := map[string]any{}
	if err := json.Unmarshal(data, &fields); err != nil {
		return false, err
	}
	fields["$patch"] = "replace"
	data, err = json.Marshal(map[string]any{"spec": map[string]any{"template": fields}})
	return bytes.Equal(bytes.TrimSpace(patch), data), err
}

// history returns the revisions of a workload, the oldest first.
func (p *Player) history(owner Object) (history []*appsv1.ControllerRevision) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	table := p.world.tables["controllerrevisions.apps"]
	for _, key := range sortedKeys(table) {
		if h, ok := table[key].object.(*appsv1.ControllerRevision); ok && metav1.IsControlledBy(h, owner) {
			history = append(history, h)
		}
	}
	slices.SortStableFunc(history, func(a, b *appsv1.ControllerRevision) int { return int(a.Revision - b.Revision) })
	return history
}

func (p *Player) skipped(revision int64) {
	p.timeline.Add(p.cluster.Now(), whoStep, fmt.Sprintf("skipped rollback (current template already matches revision %d)", revision))
}
