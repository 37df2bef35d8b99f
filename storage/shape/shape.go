// Package shape knows the types of objects that are stored in protobuf: what a value would be after
// encoding and decoding, whether two are equal, and how long the encoding is, about.
//
// Invariant: an answer is the same as that of encoding and decoding, at a fraction of the cost. A type
// of which that is not certain has no Shape.
package shape

import (
	"bytes"
	"maps"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Shape describes a type whose values are stored in protobuf. It does what encoding and
// decoding, and apiequality.Semantic, would do at many times the cost: they would take
// most of the time of a status update.
type Shape struct {
	// fix changes an addressable value to what it would be after encoding and decoding:
	// times lose what is below a second (or a microsecond) and become local, and an
	// empty slice or map becomes nil. It writes only where something must change. The
	// value may share memory with others that were fixed before, and somebody may be
	// reading these. If fix is nil, there is nothing to fix.
	fix func(v reflect.Value)
	// equal compares two values that were fixed.
	equal func(a, b reflect.Value) bool
	// least is roughly how many bytes an encoded value takes. more, if set, returns how
	// many more. Their sum is at least half of the real size.
	least int
	more  func(v reflect.Value) int
}

// Of returns the shape of a type of objects, a pointer to a struct. It returns nil
// if the type has parts whose encoding is not known.
func Of(t reflect.Type) *Shape {
	if t.Kind() != reflect.Pointer {
		return nil
	}
	return (&shapes{under: map[reflect.Type]bool{}}).of(t)
}

// AsDecoded changes obj, of the shape's type, to what it would be when decoded.
func (s *Shape) AsDecoded(obj runtime.Object) {
	if s.fix != nil {
		s.fix(reflect.ValueOf(obj))
	}
}

// Size returns roughly how many bytes obj has when it is encoded.
func (s *Shape) Size(obj runtime.Object) int { return s.bytes(reflect.ValueOf(obj)) }

func (s *Shape) bytes(v reflect.Value) int {
	if s.more == nil {
		return s.least
	}
	return s.least + s.more(v)
}

// Same reports whether two objects of the shape's type are equal.
func (s *Shape) Same(a, b runtime.Object) bool {
	return s.equal(reflect.ValueOf(a), reflect.ValueOf(b))
}

// shapes finds shapes. under has the types that it is looking at, in case a type
// contains itself.
type shapes struct{ under map[reflect.Type]bool }

// of returns the shape of a type, or nil if it cannot be determined.
func (s *shapes) of(t reflect.Type) *Shape {
	switch t {
	case reflect.TypeFor[metav1.Time]():
		return &Shape{least: timeBytes, fix: fixTime, equal: func(a, b reflect.Value) bool {
			return a.Addr().Interface().(*metav1.Time).Equal(b.Addr().Interface().(*metav1.Time))
		}}
	case reflect.TypeFor[metav1.MicroTime]():
		return &Shape{least: timeBytes, fix: fixMicroTime, equal: func(a, b reflect.Value) bool {
			return a.Addr().Interface().(*metav1.MicroTime).Equal(b.Addr().Interface().(*metav1.MicroTime))
		}}
	case reflect.TypeFor[resource.Quantity]():
		return &Shape{least: quantityBytes, equal: func(a, b reflect.Value) bool {
			q := a.Interface().(resource.Quantity)
			return q.Cmp(b.Interface().(resource.Quantity)) == 0
		}}
	case reflect.TypeFor[map[string]string]():
		return &Shape{more: stringMapBytes, fix: noneIfEmpty, equal: func(a, b reflect.Value) bool {
			return maps.Equal(a.Interface().(map[string]string), b.Interface().(map[string]string))
		}}
	case reflect.TypeFor[[]byte](): // kept as it is: where it may be empty protobuf tells that from nil
		return &Shape{least: frameBytes, more: reflect.Value.Len, equal: func(a, b reflect.Value) bool { return bytes.Equal(a.Bytes(), b.Bytes()) }}
	}
	if s.under[t] {
		return nil
	}
	s.under[t] = true
	defer delete(s.under, t)
	switch t.Kind() {
	case reflect.Pointer:
		return s.ofPointer(t)
	case reflect.Slice:
		return s.ofSlice(t)
	case reflect.Map:
		return s.ofMap(t)
	case reflect.Struct:
		return s.ofStruct(t)
	}
	return ofBasic(t.Kind())
}

func ofBasic(k reflect.Kind) *Shape {
	switch k {
	case reflect.String:
		return &Shape{least: frameBytes, more: reflect.Value.Len, equal: func(a, b reflect.Value) bool { return a.String() == b.String() }}
	case reflect.Bool:
		return &Shape{least: numberBytes, equal: func(a, b reflect.Value) bool { return a.Bool() == b.Bool() }}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return &Shape{least: numberBytes, equal: func(a, b reflect.Value) bool { return a.Int() == b.Int() }}
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return &Shape{least: numberBytes, equal: func(a, b reflect.Value) bool { return a.Uint() == b.Uint() }}
	case reflect.Float32, reflect.Float64:
		return &Shape{least: numberBytes, equal: func(a, b reflect.Value) bool { return a.Float() == b.Float() }}
	}
	return nil
}

func (s *shapes) ofPointer(t reflect.Type) *Shape {
	elem := s.of(t.Elem())
	if elem == nil {
		return nil
	}
	p := &Shape{equal: func(a, b reflect.Value) bool {
		if a.UnsafePointer() == b.UnsafePointer() {
			return true
		}
		return !a.IsNil() && !b.IsNil() && elem.equal(a.Elem(), b.Elem())
	}}
	p.more = func(v reflect.Value) int {
		if v.IsNil() {
			return 0
		}
		return elem.bytes(v.Elem())
	}
	if elem.fix != nil {
		p.fix = func(v reflect.Value) {
			if !v.IsNil() {
				elem.fix(v.Elem())
			}
		}
	}
	return p
}

func (s *shapes) ofSlice(t reflect.Type) *Shape {
	elem := s.of(t.Elem())
	if elem == nil {
		return nil
	}
	return &Shape{
		more: func(v reflect.Value) (n int) {
			for i := 0; i < v.Len() && elem.more != nil; i++ {
				n += elem.more(v.Index(i))
			}
			return n + v.Len()*elem.least
		},
		fix: func(v reflect.Value) {
			noneIfEmpty(v)
			for i := 0; elem.fix != nil && i < v.Len(); i++ {
				elem.fix(v.Index(i))
			}
		},
		equal: func(a, b reflect.Value) bool {
			if a.Len() != b.Len() {
				return false
			}
			for i := 0; i < a.Len() && a.UnsafePointer() != b.UnsafePointer(); i++ {
				if !elem.equal(a.Index(i), b.Index(i)) {
					return false
				}
			}
			return true
		},
	}
}

// ofMap fails if values of the map would have to be changed: they are not addressable.
func (s *shapes) ofMap(t reflect.Type) *Shape {
	key, elem := s.of(t.Key()), s.of(t.Elem())
	if key == nil || elem == nil || key.fix != nil || elem.fix != nil {
		return nil
	}
	entries := func(v reflect.Value) (n int) {
		for it := v.MapRange(); it.Next(); {
			n += frameBytes + key.bytes(it.Key()) + elem.bytes(it.Value())
		}
		return n
	}
	return &Shape{more: entries, fix: noneIfEmpty, equal: func(a, b reflect.Value) bool {
		if a.Len() != b.Len() {
			return false
		}
		for it := a.MapRange(); it.Next(); {
			if other := b.MapIndex(it.Key()); !other.IsValid() || !elem.equal(it.Value(), other) {
				return false
			}
		}
		return true
	}}
}

// ofStruct compares from the last field to the first: in most cases, the status of an
// object differs.
func (s *shapes) ofStruct(t reflect.Type) *Shape {
	fields := make([]*Shape, t.NumField())
	var fixed []int
	for i := range fields {
		if fields[i] = s.of(t.Field(i).Type); fields[i] == nil || !t.Field(i).IsExported() {
			return nil
		}
		if fields[i].fix != nil {
			fixed = append(fixed, i)
		}
	}
	st := &Shape{equal: func(a, b reflect.Value) bool {
		for i := len(fields) - 1; i >= 0; i-- {
			if !fields[i].equal(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	}}
	st.least, st.more = structBytes(fields)
	if len(fixed) > 0 {
		st.fix = func(v reflect.Value) {
			for _, i := range fixed {
				fields[i].fix(v.Field(i))
			}
		}
	}
	return st
}

func noneIfEmpty(v reflect.Value) {
	if v.Len() == 0 && !v.IsNil() {
		v.SetZero()
	}
}

// fixTime is what ProtoTime and Unmarshal of metav1.Time do.
func fixTime(v reflect.Value) {
	t := v.Addr().Interface().(*metav1.Time)
	if want := unix(t.Time, 0); t.Time != want {
		t.Time = want
	}
}

// fixMicroTime is what ProtoMicroTime and Unmarshal of metav1.MicroTime do.
func fixMicroTime(v reflect.Value) {
	t := v.Addr().Interface().(*metav1.MicroTime)
	if want := unix(t.Time, t.Nanosecond()/1000*1000); t.Time != want {
		t.Time = want
	}
}

// unix returns t with these nanoseconds, local.
func unix(t time.Time, nanoseconds int) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.Unix(t.Unix(), int64(nanoseconds))
}
