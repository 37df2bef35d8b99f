package scenario

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Resource is a kind of objects that the server has.
type Resource struct {
	Group, Version, Kind string
	// Plural is its name in paths; Names are others for it, in lower case.
	Plural     string
	Names      []string
	Namespaced bool
}

func (r Resource) String() string {
	if r.Group == "" {
		return r.Plural
	}
	return r.Plural + "." + r.Group
}

// apiVersion is what its objects say.
func (r Resource) apiVersion() string {
	if r.Group == "" {
		return r.Version
	}
	return r.Group + "/" + r.Version
}

// path is that of its collection in a namespace.
func (r Resource) path(namespace string) string {
	path := "/apis/" + r.Group + "/" + r.Version
	if r.Group == "" {
		path = "/api/" + r.Version
	}
	if r.Namespaced {
		path += "/namespaces/" + namespace
	}
	return path + "/" + r.Plural
}

// Object is an object of the cluster in its external version.
type Object interface {
	metav1.Object
	runtime.Object
}

// World is what has been seen of a cluster: its objects as they are, its Events and
// what its containers have printed, also of what is gone. It is told of it from any
// goroutine, and looked at while the cluster is at rest.
type World struct {
	mu        sync.Mutex
	resources []Resource
	tables    map[string]map[string]*item
	// events are those of each reason, and byKey where in it one is.
	events  map[string][]*corev1.Event
	byKey   map[string]int
	lines   []Line
	partial map[string][]byte

	// changes counts what has been seen. versions are what it was when a resource's
	// objects changed last, told when Events of a reason, printed when lines.
	changes, printed int64
	versions, told   map[string]int64
	// found holds what resource has found, by the name in the reference.
	found map[string]Resource
}

// item is an object, and what it is in JSON once somebody has asked.
type item struct {
	object Object
	fields map[string]any
}

// Line is a line that a container has printed.
type Line struct {
	At                        time.Time
	Namespace, Pod, Container string
	Labels                    map[string]string
	Text                      string
}

// linesMax bounds what is kept of what containers print.
const linesMax = 200_000

// NewWorld returns one without anything in it.
func NewWorld() *World {
	return &World{
		tables: map[string]map[string]*item{}, partial: map[string][]byte{},
		events: map[string][]*corev1.Event{}, byKey: map[string]int{},
		versions: map[string]int64{}, told: map[string]int64{}, found: map[string]Resource{},
	}
}

// Know says which kinds of objects there are.
func (w *World) Know(resources []Resource) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.resources, w.found = resources, map[string]Resource{}
}

// Put takes over an object as it is now; one that is gone, if deleted. resource is
// its plural.group.
func (w *World) Put(resource string, obj Object, deleted bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changes++
	w.versions[resource] = w.changes
	key := obj.GetNamespace() + "/" + obj.GetName()
	if event, ok := obj.(*corev1.Event); ok && !deleted {
		w.putEvent(key, event)
	}
	table := w.tables[resource]
	if table == nil {
		table = map[string]*item{}
		w.tables[resource] = table
	}
	if deleted {
		delete(table, key)
		return
	}
	table[key] = &item{object: obj}
}

// putEvent keeps an Event, also when it is gone: that it happened stays true.
func (w *World) putEvent(key string, event *corev1.Event) {
	reason := event.Reason
	w.told[reason] = w.changes
	key += "/" + string(event.UID) + "/" + reason
	if i, ok := w.byKey[key]; ok {
		w.events[reason][i] = event
		return
	}
	w.byKey[key] = len(w.events[reason])
	w.events[reason] = append(w.events[reason], event)
}

// Print takes over what a container has printed.
func (w *World) Print(at time.Time, pod *corev1.Pod, container string, data []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changes++
	w.printed = w.changes
	who := pod.Namespace + "/" + pod.Name + "/" + container
	text := append(w.partial[who], data...)
	for {
		line, rest, ok := bytes.Cut(text, []byte("\n"))
		if !ok {
			break
		}
		w.addLine(at, pod, container, string(line))
		text = rest
	}
	w.partial[who] = slices.Clone(text)
}

// Ended says that a container has: what it has not ended with a newline is a line too.
func (w *World) Ended(at time.Time, pod *corev1.Pod, container string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changes++
	w.printed = w.changes
	who := pod.Namespace + "/" + pod.Name + "/" + container
	if rest := w.partial[who]; len(rest) > 0 {
		w.addLine(at, pod, container, string(rest))
	}
	delete(w.partial, who)
}

func (w *World) addLine(at time.Time, pod *corev1.Pod, container, text string) {
	if len(w.lines) < linesMax {
		w.lines = append(w.lines, Line{At: at, Namespace: pod.Namespace, Pod: pod.Name, Container: container, Labels: pod.Labels, Text: text})
	}
}

// resource finds the kind that a reference names, as kubectl does.
func (w *World) resource(name string) (Resource, error) {
	if r, ok := w.found[name]; ok {
		return r, nil
	}
	short, group, qualified := strings.Cut(strings.ToLower(name), ".")
	for _, r := range w.resources {
		if qualified && r.Group != group {
			continue
		}
		if r.Plural == short || strings.ToLower(r.Kind) == short || slices.Contains(r.Names, short) {
			w.found[name] = r
			return r, nil
		}
	}
	return Resource{}, fmt.Errorf("the server does not have a resource type %q: 'kubesim kubectl api-resources' lists them", name)
}

// kind finds the resource of a manifest.
func (w *World) kind(apiVersion, kind string) (Resource, bool) {
	i := slices.IndexFunc(w.resources, func(r Resource) bool { return r.Kind == kind && r.apiVersion() == apiVersion })
	if i < 0 {
		return Resource{}, false
	}
	return w.resources[i], true
}

// version is another one once an object of r's resource has changed.
func (w *World) version(r ref) int64 {
	resource, err := w.resource(r.Type)
	if err != nil {
		return w.changes
	}
	return w.versions[resource.String()]
}

// find returns the objects that r means, sorted by name. The caller holds mu.
func (w *World) find(r ref) ([]map[string]any, error) {
	items, resource, err := w.items(r)
	if err != nil {
		return nil, err
	}
	all := make([]map[string]any, 0, len(items))
	for _, it := range items {
		fields, err := it.json(resource)
		if err != nil {
			return nil, err
		}
		all = append(all, fields)
	}
	return all, nil
}

func (w *World) items(r ref) ([]*item, Resource, error) {
	resource, err := w.resource(r.Type)
	if err != nil {
		return nil, resource, err
	}
	table := w.tables[resource.String()]
	if r.Name != "" && r.Selector == nil {
		key := "/" + r.Name
		if resource.Namespaced {
			key = r.Namespace + key
		}
		if it := table[key]; it != nil {
			return []*item{it}, resource, nil
		}
		return nil, resource, nil
	}
	var all []*item
	for _, it := range table {
		if r.matches(resource.Namespaced, it.object.GetNamespace(), it.object.GetName(), it.object.GetLabels()) {
			all = append(all, it)
		}
	}
	slices.SortFunc(all, func(a, b *item) int { return cmp.Compare(a.object.GetName(), b.object.GetName()) })
	return all, resource, nil
}

// json is the object as kubectl get -o json shows it, but for managedFields.
func (it *item) json(r Resource) (map[string]any, error) {
	if it.fields != nil {
		return it.fields, nil
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(it.object)
	if err != nil {
		return nil, err
	}
	fields["apiVersion"], fields["kind"] = r.apiVersion(), r.Kind
	if meta, ok := fields["metadata"].(map[string]any); ok {
		delete(meta, "managedFields")
	}
	it.fields = fields
	return fields, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
