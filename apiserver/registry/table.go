package registry

import (
	"context"
	"reflect"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
)

// shiftMin is how far the virtual clock must be from the wall clock before tables are
// shifted: no column shows less than a second.
const shiftMin = time.Second

// tableConvertor prints ages in virtual time. Upstream's printers measure them against
// the wall clock. So tableConvertor gives them a copy in which every timestamp is as
// far from the wall clock as the real one is from the virtual clock.
type tableConvertor struct {
	inner rest.TableConvertor
	clock Clock
}

// ConvertToTable implements rest.TableConvertor.
func (c tableConvertor) ConvertToTable(ctx context.Context, obj, options runtime.Object) (*metav1.Table, error) {
	shift := wallClock().Sub(c.clock.Now())
	if shift.Abs() < shiftMin {
		return c.inner.ConvertToTable(ctx, obj, options)
	}
	shifted := obj.DeepCopyObject()
	custom := shiftCustom(shifted, shift)
	if !custom {
		shiftTimes(reflect.ValueOf(shifted), shift)
	}
	table, err := c.inner.ConvertToTable(ctx, shifted, options)
	if err != nil {
		return nil, err
	}
	if custom {
		exact, err := c.inner.ConvertToTable(ctx, obj, options)
		if err != nil {
			return nil, err
		}
		table = withAges(exact, table)
	}
	restoreRows(table, obj)
	return table, nil
}

// withAges returns exact with the cells of shifted in the columns that show ages: in a
// custom resource, only the column's type says whether a text is an instant.
func withAges(exact, shifted *metav1.Table) *metav1.Table {
	for i, column := range exact.ColumnDefinitions {
		if column.Type != "date" {
			continue
		}
		for r := range exact.Rows {
			exact.Rows[r].Cells[i] = shifted.Rows[r].Cells[i]
		}
	}
	return exact
}

// shiftCustom adds shift to every text of a custom resource, or of a list of them, that
// could be an instant. It reports whether obj is one.
func shiftCustom(obj runtime.Object, shift time.Duration) bool {
	switch u := obj.(type) {
	case *unstructured.Unstructured:
		shiftTexts(u.Object, shift)
	case *unstructured.UnstructuredList:
		for i := range u.Items {
			shiftTexts(u.Items[i].Object, shift)
		}
	default:
		return false
	}
	return true
}

func shiftTexts(v any, shift time.Duration) any {
	switch t := v.(type) {
	case map[string]any:
		for k, each := range t {
			t[k] = shiftTexts(each, shift)
		}
	case []any:
		for i, each := range t {
			t[i] = shiftTexts(each, shift)
		}
	case string:
		if at, err := time.Parse(time.RFC3339, t); err == nil {
			return at.Add(shift).Format(time.RFC3339Nano)
		}
	}
	return v
}

// restoreRows makes the rows refer to the original objects, not to the shifted ones. If
// a column shows the creation as a date, not as an age, restoreRows restores the
// original date.
func restoreRows(table *metav1.Table, obj runtime.Object) {
	created := slices.IndexFunc(table.ColumnDefinitions, func(c metav1.TableColumnDefinition) bool { return c.Name == createdColumn })
	restore := func(row *metav1.TableRow, item runtime.Object) {
		row.Object.Object = item
		if m, err := meta.Accessor(item); err == nil && created >= 0 && created < len(row.Cells) {
			row.Cells[created] = m.GetCreationTimestamp().UTC().Format(time.RFC3339)
		}
	}
	if !meta.IsListType(obj) {
		for i := range table.Rows {
			restore(&table.Rows[i], obj)
		}
		return
	}
	i := 0
	_ = meta.EachListItem(obj, func(item runtime.Object) error {
		if i < len(table.Rows) {
			restore(&table.Rows[i], item)
		}
		i++
		return nil
	})
}

// createdColumn is the one column that holds an instant. Source:
// NewDefaultTableConvertor, k8s.io/apiserver pkg/registry/rest v0.37.2.
const createdColumn = "Created At"

// shiftTimes adds shift to every non-zero timestamp below v.
func shiftTimes(v reflect.Value, shift time.Duration) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			shiftTimes(v.Elem(), shift)
		}
	case reflect.Slice:
		for i := range v.Len() {
			shiftTimes(v.Index(i), shift)
		}
	case reflect.Struct:
		switch t := v.Addr().Interface().(type) {
		case *metav1.Time:
			if !t.IsZero() {
				t.Time = t.Add(shift)
			}
		case *metav1.MicroTime:
			if !t.IsZero() {
				t.Time = t.Add(shift)
			}
		default:
			for i := range v.NumField() {
				if f := v.Field(i); f.CanSet() {
					shiftTimes(f, shift)
				}
			}
		}
	}
}

// wallClock is what upstream's printers subtract a creation from to print an age. The ages
// here are virtual, so the times are shifted by the difference of the two clocks.
//
//nolint:forbidigo // upstream's printers read it, and take no other clock
func wallClock() time.Time { return time.Now() }
