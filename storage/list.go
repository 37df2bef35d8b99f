package storage

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"go.etcd.io/bbolt"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/conversion"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/features"
	"k8s.io/apiserver/pkg/storage"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
)

const (
	// pageMax is how many keys one read transaction visits, so that no transaction is
	// long. Later pages read the same revision.
	pageMax = 2000
	// pageBytes bounds how much of a page may be read that is not decoded yet.
	// Otherwise, a list of large objects would hold each of them twice. Unit: encoded
	// bytes.
	pageBytes = 4 << 20
	// remainingMax bounds the count of the objects after a page.
	//
	// Deviation: if more are left, remainingItemCount is not set, which the API allows.
	// Upstream counts them all, so the cost of paging is the square of the number of
	// objects. Counting this many costs about as much as a page of 500.
	remainingMax = 5_000
	// roomMax is for how many items a list allocates room at once. More would be zeroed
	// long before it is filled.
	roomMax = 50_000
)

// page is one read of a list.
type page struct {
	recs []*record
	rev  int64 // the revision that was read
	more bool  // there are keys after the last
	// remaining is the number of those, or -1 if they are too many to count.
	remaining int64
}

// listing is one GetList under way.
type listing struct {
	s      *Store
	opts   storage.ListOptions
	prefix string // every key begins with it; without Recursive, the key
	from   string // where the next page begins
	rev    int64  // 0: the newest, until the first page tells
	into   reflect.Value
	elem   func() runtime.Object
	errs   listErrors
	// begin is where the list began. added is how much it adds to what the store holds,
	// in encoded bytes, until it has a slot.
	begin struct {
		from string
		rev  int64
	}
	added int64
}

// GetList implements storage.Interface. The whole list is read at one revision.
func (s *Store) GetList(ctx context.Context, key string, opts storage.ListOptions, listObj runtime.Object) error {
	key, err := s.prepareKey(key, opts.Recursive)
	if err != nil {
		return err
	}
	items, err := itemsOf(listObj)
	if err != nil {
		return err
	}
	rev, from, err := storage.ValidateListOptions(key, s.versioner, opts)
	if err != nil {
		return err
	}
	if err := s.db.flushed(ctx); err != nil {
		return err
	}
	l := &listing{
		s: s, opts: opts, prefix: key, from: from, rev: rev,
		into: items, elem: newItem(listObj, items), errs: listErrors{s: s},
	}
	l.begin.from, l.begin.rev = from, rev
	return l.run(ctx, listObj)
}

// run reads pages until the list is full or there are no more keys.
func (l *listing) run(ctx context.Context, listObj runtime.Object) error {
	size := l.first()
	for {
		p, err := l.read(size)
		if err != nil {
			return err
		}
		if ok, err := l.admit(ctx, p); err != nil {
			return err
		} else if !ok {
			size = l.first()
			continue
		}
		last, full, err := l.take(ctx, p)
		if err != nil {
			return err
		}
		if full || !p.more {
			return l.finish(listObj, p, last, full)
		}
		l.from = last + "\x00"
		size = min(2*size, pageMax) // the selector is choosy
		if l.opts.Predicate.Limit > 0 && l.opts.Predicate.Empty() {
			size = l.left()
		}
	}
}

// first returns the number of keys of the first page; left does so for a page after it.
// Both assume that every key belongs to the list.
func (l *listing) first() int64 {
	if l.opts.Predicate.Limit > 0 {
		return min(l.opts.Predicate.Limit, pageMax)
	}
	return pageMax
}

func (l *listing) left() int64 { return min(l.opts.Predicate.Limit-int64(l.into.Len()), pageMax) }

// read returns the next page of at most size keys.
func (l *listing) read(size int64) (p page, err error) {
	err = l.s.db.view(func(tx *bbolt.Tx) error {
		if err := l.pin(tx); err != nil {
			return err
		}
		p.rev = l.rev
		if !l.opts.Recursive {
			return l.readOne(tx, &p)
		}
		return l.readMany(tx, &p, size)
	})
	return p, err
}

// pin decides at which revision the list is read.
func (l *listing) pin(tx *bbolt.Tx) error {
	current, compacted := bounds(tx)
	switch {
	case l.rev == 0:
		l.rev = current
		return l.s.notOlderThan(l.opts.ResourceVersion, current)
	case l.rev > current:
		return storage.NewTooLargeResourceVersionError(uint64(l.rev), uint64(current), 0)
	case l.rev < compacted, takenBack(tx, l.rev):
		return l.expired()
	}
	return nil
}

// expired returns the 410 for a list at a compacted revision. A paging client gets a
// token with which it can continue at the newest revision.
func (l *listing) expired() error {
	if len(l.opts.Predicate.Continue) == 0 {
		return apierrors.NewResourceExpired("The resourceVersion for the provided list is too old.")
	}
	const tooOld = "The provided continue parameter is too old to display a consistent list result. " +
		"You can start a new list without the continue parameter"
	token, err := storage.EncodeContinue(l.from, l.prefix, -1)
	if err != nil {
		return apierrors.NewResourceExpired(tooOld + ".")
	}
	status := apierrors.NewResourceExpired(tooOld + ", or use the continue token in this response to " +
		"retrieve the remainder of the results. Continuing with the provided token results in an " +
		"inconsistent list - objects that were created, modified, or deleted between the time the " +
		"first chunk was returned and now may show up in the list.")
	status.ErrStatus.Continue = token
	return status
}

func (l *listing) readOne(tx *bbolt.Tx, p *page) error {
	rev := at(tx.Bucket([]byte(bucketIndex)).Cursor(), l.prefix, l.rev)
	if rev == 0 {
		return nil
	}
	r, err := l.s.db.version(tx, l.prefix, rev)
	p.recs = []*record{r}
	return err
}

func (l *listing) readMany(tx *bbolt.Tx, p *page, size int64) (err error) {
	p.recs = make([]*record, 0, size)
	raw := int64(0)
	scan(tx, l.prefix, l.from, l.rev, func(key []byte, rev int64) bool {
		if p.more = int64(len(p.recs)) == size || raw > pageBytes; p.more {
			return false
		}
		var r *record
		if r, err = l.s.db.logged(tx, rev); err == nil && r.key != string(key) {
			err = misplaced(r, string(key))
		}
		if err != nil {
			return false
		}
		p.recs = append(p.recs, r)
		if r.obj == nil {
			raw += r.size()
		}
		return true
	})
	if err == nil && p.more && l.opts.Predicate.Limit > 0 && l.opts.Predicate.Empty() && int64(len(p.recs)) == l.left() {
		p.remaining = countAfter(tx, l.prefix, p.recs[len(p.recs)-1].key, l.rev)
	}
	return err
}

// countAfter counts the keys after last. It returns -1 if there are more than
// remainingMax.
func countAfter(tx *bbolt.Tx, prefix, last string, rev int64) (n int64) {
	scan(tx, prefix, last+"\x00", rev, func([]byte, int64) bool {
		n++
		return n <= remainingMax
	})
	if n > remainingMax {
		return -1
	}
	return n
}

// take decodes the page's records into the list, up to its limit. It returns
// the last key taken and whether the limit left some of the page.
func (l *listing) take(ctx context.Context, p page) (last string, full bool, err error) {
	pred := &l.opts.Predicate
	l.grow(len(p.recs))
	for i, r := range p.recs {
		if err := ctx.Err(); err != nil {
			return "", false, storage.NewTimeoutError(r.key, "request did not complete within requested timeout")
		}
		last = r.key
		p.recs[i] = nil // its value is not needed any more
		obj, err := l.item(ctx, r)
		if err != nil {
			if !l.errs.add(r.key, err) {
				return last, false, l.errs.err()
			}
			continue
		}
		// An object whose attributes cannot be determined does not match.
		if ok, err := pred.Matches(obj); err == nil && ok {
			n := l.into.Len()
			l.grow(1)
			l.into.SetLen(n + 1)
			l.into.Index(n).Set(reflect.ValueOf(obj).Elem())
		}
		if pred.Limit > 0 && int64(l.into.Len()) >= pred.Limit {
			return last, i+1 < len(p.recs) || p.more, nil
		}
	}
	return last, false, nil
}

// grow makes room for n more items, or at once for all of them if the list covers the
// whole resource.
func (l *listing) grow(n int) {
	if l.into.Cap() == 0 && l.prefix == l.s.root() && l.opts.Predicate.Limit == 0 && l.opts.Predicate.Empty() {
		n = max(n, int(min(l.s.counts.keys.Load(), roomMax)))
	}
	if l.into.Len()+n > l.into.Cap() {
		l.into.Grow(n)
	}
}

// item decodes one record to the list's element type.
func (l *listing) item(ctx context.Context, r *record) (runtime.Object, error) {
	if l.s.plain() {
		obj, err := l.s.object(ctx, r)
		if err != nil {
			return nil, err
		}
		if reflect.TypeOf(obj).Elem() == l.into.Type().Elem() {
			if _, ok := obj.(runtime.Unstructured); ok {
				return obj.DeepCopyObject(), nil
			}
			return obj, nil
		}
	}
	data, _, err := l.s.plaintext(ctx, r)
	if err != nil {
		err = fmt.Errorf("unable to transform key %q: %w", r.key, errors.Unwrap(err))
		return nil, storage.NewInternalError(err)
	}
	return l.s.decodeInto(data, r.rev, l.elem())
}

// finish sets the list's metadata.
func (l *listing) finish(listObj runtime.Object, p page, last string, full bool) error {
	if err := l.errs.err(); err != nil {
		return err
	}
	if l.into.IsNil() { // upstream never returns nil items
		l.into.Set(reflect.MakeSlice(l.into.Type(), 0, 0))
	}
	count := p.remaining + l.opts.Predicate.Limit
	token, remaining, err := storage.PrepareContinueToken(last, l.prefix, l.rev, count, full, l.opts)
	if err != nil {
		return err
	}
	if p.remaining < 0 {
		remaining = nil
	}
	if err := l.s.versioner.UpdateList(listObj, uint64(l.rev), token, remaining); err != nil {
		return err
	}
	if utilfeature.DefaultFeatureGate.Enabled(features.ShardedListAndWatch) {
		l.opts.Predicate.SetShardInfoOnList(listObj)
	}
	return nil
}

// itemsOf returns the settable items of a list.
func itemsOf(listObj runtime.Object) (reflect.Value, error) {
	ptr, err := meta.GetItemsPtr(listObj)
	if err != nil {
		return reflect.Value{}, err
	}
	v, err := conversion.EnforcePtr(ptr)
	if err != nil || v.Kind() != reflect.Slice {
		return reflect.Value{}, fmt.Errorf("need ptr to slice: %w", err)
	}
	return v, nil
}

// newItem returns a function that makes an empty element of a list. An unstructured
// element keeps the list's group and version.
func newItem(listObj runtime.Object, items reflect.Value) func() runtime.Object {
	if u, ok := listObj.(*unstructured.UnstructuredList); ok && u.GetAPIVersion() != "" {
		version := u.GetAPIVersion()
		return func() runtime.Object {
			return &unstructured.Unstructured{Object: map[string]any{"apiVersion": version}}
		}
	}
	elem := items.Type().Elem()
	return func() runtime.Object { return reflect.New(elem).Interface().(runtime.Object) }
}
