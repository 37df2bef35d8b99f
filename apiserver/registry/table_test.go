package registry

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/apis/core"
)

// agePrinter prints ages as upstream's printers do, against the wall clock.
type agePrinter struct{}

func (agePrinter) ConvertToTable(_ context.Context, obj, _ runtime.Object) (*metav1.Table, error) {
	table := &metav1.Table{}
	for i := range obj.(*core.PodList).Items {
		item := &obj.(*core.PodList).Items[i]
		age := duration.HumanDuration(time.Since(item.CreationTimestamp.Time))
		table.Rows = append(table.Rows, metav1.TableRow{Cells: []any{age}, Object: runtime.RawExtension{Object: item}})
	}
	return table, nil
}

func TestTablesPrintAgesInVirtualTime(t *testing.T) {
	list := &core.PodList{Items: []core.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "a", CreationTimestamp: *at(noon().Add(-5 * time.Minute))}}}}
	table, err := tableConvertor{inner: agePrinter{}, clock: fixedClock{noon()}}.ConvertToTable(t.Context(), list, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := table.Rows[0].Cells[0]; got != "5m" {
		t.Errorf("AGE is %v, want 5m", got)
	}
	if got := table.Rows[0].Object.Object.(*core.Pod).CreationTimestamp; !got.Equal(at(noon().Add(-5 * time.Minute))) {
		t.Errorf("the row's object says %v: the shift must not show in it", got)
	}
	if !list.Items[0].CreationTimestamp.Equal(at(noon().Add(-5 * time.Minute))) {
		t.Error("the stored object was changed")
	}
}

func TestTablesPrintDatesAsTheyAre(t *testing.T) {
	list := &core.PodList{Items: []core.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "a", CreationTimestamp: *at(noon())}}}}
	convertor := tableConvertor{inner: rest.NewDefaultTableConvertor(schema.GroupResource{Resource: "pods"}), clock: fixedClock{noon()}}
	for name, obj := range map[string]runtime.Object{"a list": list, "one object": &list.Items[0]} {
		table, err := convertor.ConvertToTable(t.Context(), obj, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := table.Rows[0].Cells[1], noon().Format(time.RFC3339); got != want {
			t.Errorf("%s: CREATED AT is %v, want %v", name, got, want)
		}
	}
}
