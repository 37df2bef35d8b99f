package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/google/btree"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// View is the engine's view of the cluster: the newest state of every object that its
// reconcilers need, as of the last commit taken from the inbox. Its objects are shared
// and must not be changed. Lists are sorted by namespace and name, so that no
// reconciler can depend on a map's order.
//
// It belongs to the engine's goroutine. No other goroutine may read it, except through
// Tracks.
type View struct {
	// tables are replaced, never changed: any goroutine may call Tracks.
	tables atomic.Pointer[map[Resource]*table]
	// served is what the API server serves, and kinds the same by kind.
	served servedList
	kinds  map[schema.GroupVersionKind]Served
	// standing has what is wanted of every served resource.
	standing []standing
}

// table holds one resource.
type table struct {
	objects *btree.BTreeG[Object]
	indexes map[string]*index
	// named says that somebody has asked for it by name, and relies on it.
	named bool
}

// standing is an index of every resource for which wants returns true, including those
// that are added later. Without values, the View only holds them.
type standing struct {
	name   string
	wants  func(Served) bool
	values func(Object) []string
}

// index holds a table's objects a second time, by the values of one function.
type index struct {
	values func(Object) []string
	sets   map[string]*btree.BTreeG[Object]
	// free is shared by all sets. Most of them hold one object, and a list for each
	// would take more room than the rest of the set.
	free *btree.FreeListG[Object]
}

// btreeDegree is a compromise between insertion and memory, taken from google/btree's
// own benchmarks.
const btreeDegree = 32

func newView() *View {
	v := &View{kinds: map[schema.GroupVersionKind]Served{}}
	v.tables.Store(&map[Resource]*table{})
	return v
}

func less(a, b Object) bool {
	if c := cmp.Compare(a.GetNamespace(), b.GetNamespace()); c != 0 {
		return c < 0
	}
	return a.GetName() < b.GetName()
}

// Track makes the View hold resources from now on. Those that nobody tracks cost nothing.
// Before the engine starts, the View is empty. If Track is called later, the View has
// only what is committed from then on.
func (v *View) Track(resources ...Resource) {
	for _, r := range resources {
		v.track(r).named = true
	}
}

func (v *View) track(r Resource) *table {
	tables := *v.tables.Load()
	if t, ok := tables[r]; ok {
		return t
	}
	t := &table{objects: btree.NewG(btreeDegree, less), indexes: map[string]*index{}}
	tables = maps.Clone(tables)
	tables[r] = t
	v.tables.Store(&tables)
	return t
}

// Index makes the View hold r and find its objects by values, under a name
// that is unique for r.
func (v *View) Index(r Resource, name string, values func(Object) []string) {
	v.Track(r)
	v.track(r).index(name, values)
}

// index adds an index of the existing objects.
func (t *table) index(name string, values func(Object) []string) {
	ix := &index{
		values: values, sets: map[string]*btree.BTreeG[Object]{}, free: btree.NewFreeListG[Object](btree.DefaultFreeListSize),
	}
	t.objects.Ascend(func(obj Object) bool {
		ix.replace(nil, obj)
		return true
	})
	t.indexes[name] = ix
}

// TrackServed is Track for each served resource for which wants returns true, as long
// as it is served.
func (v *View) TrackServed(wants func(Served) bool) { v.stand(standing{wants: wants}) }

// IndexServed is Index for each served resource for which wants returns true, as long
// as it is served.
func (v *View) IndexServed(name string, wants func(Served) bool, values func(Object) []string) {
	v.stand(standing{name, wants, values})
}

func (v *View) stand(st standing) {
	v.standing = append(v.standing, st)
	for _, s := range v.served {
		v.give(s, st)
	}
}

// give adds to s what st wants of it.
func (v *View) give(s Served, st standing) {
	if !st.wants(s) {
		return
	}
	t := v.track(s.Name)
	if _, has := t.indexes[st.name]; st.values != nil && !has {
		t.index(st.name, st.values)
	}
}

// serve records that s is served.
func (v *View) serve(s Served) {
	v.unname(s.Name)
	v.served = v.served.with(s)
	for _, gvk := range s.gvks() {
		v.kinds[gvk] = s
	}
	for _, st := range v.standing {
		v.give(s, st)
	}
}

// withdraw forgets r, except for what somebody relies on.
func (v *View) withdraw(r Resource) {
	v.unname(r)
	v.served = v.served.without(r)
	t, ok := (*v.tables.Load())[r]
	switch {
	case !ok:
	case t.named:
		for _, st := range v.standing {
			delete(t.indexes, st.name)
		}
	default:
		tables := maps.Clone(*v.tables.Load())
		delete(tables, r)
		v.tables.Store(&tables)
	}
}

// unname forgets the kind of r's objects.
func (v *View) unname(r Resource) {
	was, _ := v.served.find(r)
	for _, gvk := range was.gvks() {
		if v.kinds[gvk].Name == r {
			delete(v.kinds, gvk)
		}
	}
}

// Served returns what the API server serves, sorted by name. It must not be changed.
func (v *View) Served() []Served { return v.served }

// ServedResource returns the resource with that name, if it is served.
func (v *View) ServedResource(r Resource) (Served, bool) { return v.served.find(r) }

// ServedKind returns the resource whose objects are of kind gvk, if one is served.
func (v *View) ServedKind(gvk schema.GroupVersionKind) (Served, bool) {
	s, ok := v.kinds[gvk]
	return s, ok
}

// Tracks reports whether the View holds r. Any goroutine may call it.
func (v *View) Tracks(r Resource) bool {
	_, ok := (*v.tables.Load())[r]
	return ok
}

// apply applies one commit.
func (v *View) apply(c Commit) {
	t, ok := (*v.tables.Load())[c.Resource]
	if !ok {
		return
	}
	old, had := t.objects.Get(c.Object)
	if c.Type == watch.Deleted {
		t.objects.Delete(c.Object)
	} else {
		t.objects.ReplaceOrInsert(c.Object)
	}
	if !had {
		old = nil
	}
	obj := c.Object
	if c.Type == watch.Deleted {
		obj = nil
	}
	for _, ix := range t.indexes {
		ix.replace(old, obj)
	}
}

// replace indexes obj where old was; either may be nil. Most changes of an object leave
// it where it is.
func (ix *index) replace(old, obj Object) {
	var before, after []string
	if old != nil {
		before = ix.values(old)
	}
	if obj != nil {
		after = ix.values(obj)
	}
	if !slices.Equal(before, after) {
		ix.remove(old, before)
	}
	ix.insert(obj, after)
}

func (ix *index) remove(obj Object, values []string) {
	for _, value := range values {
		set, ok := ix.sets[value]
		if !ok {
			continue // values named it twice
		}
		set.Delete(obj)
		if set.Len() == 0 {
			delete(ix.sets, value)
		}
	}
}

func (ix *index) insert(obj Object, values []string) {
	for _, value := range values {
		set, ok := ix.sets[value]
		if !ok {
			set = btree.NewWithFreeListG(btreeDegree, less, ix.free)
			ix.sets[value] = set
		}
		set.ReplaceOrInsert(obj)
	}
}

func (v *View) table(r Resource) *table {
	t, ok := (*v.tables.Load())[r]
	if !ok {
		panic(fmt.Sprintf("engine: the view does not track %s: call View.Track before the engine starts, or ask View.Tracks", r))
	}
	return t
}

func (v *View) index(r Resource, name string) *index {
	ix, ok := v.table(r).indexes[name]
	if !ok {
		panic(fmt.Sprintf("engine: %s has no index %q: call View.Index before the engine starts", r, name))
	}
	return ix
}

// probe is a search key: an object that has only a name.
type probe struct {
	Object
	key types.NamespacedName
}

func (p probe) GetNamespace() string { return p.key.Namespace }
func (p probe) GetName() string      { return p.key.Name }

// Get returns the object of resource r, or false if there is none.
func Get[T Object](v *View, r Resource, namespace, name string) (T, bool) {
	obj, ok := v.table(r).objects.Get(probe{key: types.NamespacedName{Namespace: namespace, Name: name}})
	if !ok {
		var none T
		return none, false
	}
	return obj.(T), true
}

// List returns the objects of resource r in namespace, or in all namespaces if
// it is empty, sorted by namespace and name.
func List[T Object](v *View, r Resource, namespace string) []T {
	var out []T
	from := probe{key: types.NamespacedName{Namespace: namespace}}
	v.table(r).objects.AscendGreaterOrEqual(from, func(obj Object) bool {
		if namespace != "" && obj.GetNamespace() != namespace {
			return false
		}
		out = append(out, obj.(T))
		return true
	})
	return out
}

// ByIndex returns the objects of resource r that the named index files under
// value, sorted by namespace and name.
func ByIndex[T Object](v *View, r Resource, name, value string) []T {
	set, ok := v.index(r, name).sets[value]
	if !ok {
		return nil
	}
	out := make([]T, 0, set.Len())
	set.Ascend(func(obj Object) bool {
		out = append(out, obj.(T))
		return true
	})
	return out
}

// CountByIndex returns how many objects ByIndex would return.
func (v *View) CountByIndex(r Resource, name, value string) int {
	if set, ok := v.index(r, name).sets[value]; ok {
		return set.Len()
	}
	return 0
}

// Count returns how many objects of resource r the View holds.
func (v *View) Count(r Resource) int { return v.table(r).objects.Len() }
