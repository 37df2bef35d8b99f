package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/internal/manifest"
)

// manager is the field manager of what a scenario applies.
const manager = "kubesim-run"

// errNotRefused: a step says that it fails, and it did not.
var errNotRefused = errors.New("it was not refused")

// do does one step and tells of it.
func (p *Player) do(ctx context.Context, st *step) error {
	p.timeline.Add(p.cluster.Now(), whoStep, st.title())
	err := p.try(ctx, st)
	if st.Fails == "" || ctx.Err() != nil {
		return err
	}
	if err == nil {
		return fmt.Errorf("%w: want an error with %q", errNotRefused, st.Fails)
	}
	if !strings.Contains(err.Error(), st.Fails) {
		return fmt.Errorf("it was refused otherwise: want an error with %q: %w", st.Fails, err)
	}
	p.timeline.Add(p.cluster.Now(), whoStep, "refused, as expected: "+err.Error())
	return nil
}

// title says what a step does.
func (s *step) title() string {
	var text string
	switch s.action {
	case "note":
		text = "# " + s.Note
	case "apply":
		text = "apply " + manifestTitle(s.Apply)
	case "create":
		text = "create " + manifestTitle(s.Create)
	case "patch":
		text = fmt.Sprintf("patch %s: %s", s.target, compactJSON(s.With))
	case "scale":
		text = fmt.Sprintf("scale %s to %d", s.target, *s.Replicas)
	case "setImage":
		text = fmt.Sprintf("set image %s %s", s.target, imagesTitle(s.Images))
	case "autoscale":
		text = fmt.Sprintf("autoscale %s up to %d, cpu %d%%", s.target, *s.MaxReplicas, s.CPU)
	case "undo":
		text = "undo " + s.target.String()
		if s.ToRevision > 0 {
			text += fmt.Sprintf(" to revision %d", s.ToRevision)
		}
	case "exec":
		text = fmt.Sprintf("exec %s: %s", s.target, strings.Join(s.Command, " "))
	case "advance":
		text = "advance " + s.Advance
	case "clock":
		text = "clock " + s.Clock
	case "request":
		text = s.Request.Method + " " + s.Request.Path
		if s.Request.User != "" {
			text += " as " + s.Request.User
		}
	default:
		text = s.action + " " + s.target.String()
	}
	if s.Name != "" {
		text = s.Name + ": " + text
	}
	return text
}

func manifestTitle(object map[string]any) string {
	meta, _ := object["metadata"].(map[string]any)
	name, _ := meta["name"].(string)
	if name == "" {
		name, _ = meta["generateName"].(string)
		name += "…"
	}
	kind, _ := object["kind"].(string)
	return strings.ToLower(kind) + "/" + name
}

func (p *Player) try(ctx context.Context, st *step) error {
	switch st.action {
	case "note", "advance":
		return nil
	case "apply":
		return p.put(ctx, st.Apply, st.Namespace, false)
	case "create":
		return p.put(ctx, st.Create, st.Namespace, true)
	case "clock":
		c, err := ParseClock(st.Clock)
		if err != nil {
			return err
		}
		err = p.cluster.Clock(ctx, c)
		if !st.instant.IsZero() && ctx.Err() == nil {
			return nil // it may have failed when it was recorded, too
		}
		return err
	case "request":
		// What the API answered was no matter when this was recorded, either.
		_, _, err := p.cluster.Do(ctx, *st.Request)
		return err
	case "exec":
		return p.exec(ctx, st)
	case "drain":
		return p.drain(ctx, st)
	}
	return p.each(ctx, st)
}

// each does what a step says to all objects that it means.
func (p *Player) each(ctx context.Context, st *step) error {
	r, names, err := p.names(st.target)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := p.one(ctx, st, r, name); err != nil {
			return err
		}
	}
	return nil
}

// names returns the names of the objects that a reference means.
func (p *Player) names(target ref) (Resource, []string, error) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	items, r, err := p.world.items(target)
	switch {
	case err != nil:
		return r, nil, err
	case target.Selector == nil:
		return r, []string{target.Name}, nil // the API server knows best whether it is there
	case len(items) == 0:
		return r, nil, fmt.Errorf("there is no %s", target)
	}
	var names []string
	for _, it := range items {
		names = append(names, it.object.GetName())
	}
	return r, names, nil
}

func (p *Player) one(ctx context.Context, st *step, r Resource, name string) error {
	path := r.path(st.target.Namespace) + "/" + name
	switch st.action {
	case "delete":
		options := metav1.DeleteOptions{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "DeleteOptions"}, GracePeriodSeconds: st.GracePeriodSeconds}
		policy := metav1.DeletePropagationBackground // as kubectl
		if st.PropagationPolicy != "" {
			policy = metav1.DeletionPropagation(st.PropagationPolicy)
		}
		options.PropagationPolicy = &policy
		return p.send(ctx, http.MethodDelete, path, "", options)
	case "patch":
		if st.Subresource != "" {
			path += "/" + st.Subresource
		}
		return p.send(ctx, http.MethodPatch, path, patchType(st.Type), st.With)
	case "scale":
		if r.Kind == "Job" {
			return p.merge(ctx, path, "parallelism", *st.Replicas)
		}
		return p.merge(ctx, path+"/scale", "replicas", *st.Replicas)
	case "autoscale":
		return p.put(ctx, st.autoscaler(r, name), st.target.Namespace, true)
	case "setImage", "restart", "undo", "pause":
		return p.rollout(ctx, st, r, name)
	case "resume":
		if r.Kind == "Deployment" {
			return p.rollout(ctx, st, r, name)
		}
		return p.merge(ctx, path, "suspend", false)
	case "suspend":
		return p.merge(ctx, path, "suspend", true)
	case "cordon", "uncordon":
		return p.merge(ctx, path, "unschedulable", st.action == "cordon")
	case "evict":
		return p.evict(ctx, st.target.Namespace, name, st.GracePeriodSeconds)
	}
	return fmt.Errorf("%s: this is no action", st.action)
}

func patchType(name string) string {
	switch name {
	case "merge":
		return string(types.MergePatchType)
	case "json":
		return string(types.JSONPatchType)
	}
	return string(types.StrategicMergePatchType)
}

// merge sets one field of an object's spec.
func (p *Player) merge(ctx context.Context, path, field string, value any) error {
	return p.send(ctx, http.MethodPatch, path, string(types.MergePatchType), map[string]any{"spec": map[string]any{field: value}})
}

func (p *Player) evict(ctx context.Context, namespace, name string, grace *int64) error {
	body := map[string]any{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": map[string]any{"name": name, "namespace": namespace}}
	if grace != nil {
		body["deleteOptions"] = map[string]any{"gracePeriodSeconds": *grace}
	}
	return p.send(ctx, http.MethodPost, "/api/v1/namespaces/"+namespace+"/pods/"+name+"/eviction", "", body)
}

// send sends an object and returns what the API server has to object.
func (p *Player) send(ctx context.Context, method, path, contentType string, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	if contentType == "" {
		contentType = "application/json"
	}
	status, answer, err := p.cluster.Do(ctx, Request{Method: method, Path: path, ContentType: contentType, Body: string(data), UserAgent: manager})
	if err != nil {
		return err
	}
	return answered(status, answer)
}

// answered makes of an answer that is no success its error.
func answered(status int, body []byte) error {
	if status < http.StatusBadRequest {
		return nil
	}
	var s metav1.Status
	if err := json.Unmarshal(body, &s); err != nil || s.Kind != "Status" {
		return fmt.Errorf("status %d: %s", status, strings.TrimSpace(string(body)))
	}
	return apierrors.FromObject(&s)
}

// put creates an object, or applies it, and makes its namespace if that is missing.
func (p *Player) put(ctx context.Context, object map[string]any, namespace string, create bool) error {
	apiVersion, _ := object["apiVersion"].(string)
	kind, _ := object["kind"].(string)
	p.world.mu.Lock()
	r, ok := p.world.kind(apiVersion, kind)
	p.world.mu.Unlock()
	if !ok {
		return fmt.Errorf("%w: there is no %s in %s", errNoKind, kind, apiVersion)
	}
	meta, _ := object["metadata"].(map[string]any)
	if own, ok := meta["namespace"].(string); ok {
		namespace = own
	}
	if r.Namespaced {
		if err := p.needNamespace(ctx, namespace); err != nil {
			return err
		}
	}
	name, _ := meta["name"].(string)
	query := url.Values{"fieldValidation": {metav1.FieldValidationStrict}, "fieldManager": {manager}}
	if create || name == "" {
		return p.send(ctx, http.MethodPost, r.path(namespace)+"?"+query.Encode(), "", object)
	}
	query.Set("force", strconv.FormatBool(true))
	return p.send(ctx, http.MethodPatch, r.path(namespace)+"/"+name+"?"+query.Encode(), string(types.ApplyYAMLPatchType), object)
}

// errNoKind: nobody serves what a manifest says it is.
var errNoKind = errors.New("this kind is not served")

// needNamespace creates a namespace if there is none yet.
func (p *Player) needNamespace(ctx context.Context, name string) error {
	p.world.mu.Lock()
	_, there := p.world.tables["namespaces"]["/"+name]
	p.world.mu.Unlock()
	if there {
		return nil
	}
	body := map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}}
	return p.send(ctx, http.MethodPost, "/api/v1/namespaces", "", body)
}

// applyManifest applies a document; its errors name file, line and field.
func (p *Player) applyManifest(ctx context.Context, m manifest.Document) error {
	err := p.put(ctx, m.Object.Object, "default", false)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNoKind):
		return fmt.Errorf("%s: %w", m.At("kind"), err)
	}
	return m.Refused(err)
}
