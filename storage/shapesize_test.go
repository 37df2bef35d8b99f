package storage

import (
	"math/rand"
	"reflect"
	"testing"

	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/core"
	corefuzzer "k8s.io/kubernetes/pkg/apis/core/fuzzer"

	"github.com/kubesim-dev/kubesim/storage/shape"
)

// TestSizeIsNotFarFromWhatIsEncoded: an object that is taken for half of what is allowed,
// and so is not looked at closely, never is more than that.
func TestSizeIsNotFarFromWhatIsEncoded(t *testing.T) {
	fill := fuzzer.FuzzerFor(fuzzer.MergeFuzzerFuncs(metafuzzer.Funcs, corefuzzer.Funcs), rand.NewSource(1), legacyscheme.Codecs) //nolint:gosec // a test's inputs, the same each time
	codec := benchCodec()
	for range 300 {
		for _, obj := range []runtime.Object{&core.Pod{}, &core.Node{}, &core.ConfigMap{}, &core.Secret{}, &core.Event{}, &core.Endpoints{}} {
			fill.Fill(obj)
			data, err := runtime.Encode(codec, obj)
			if err != nil {
				t.Fatal(err)
			}
			s := shape.Of(reflect.TypeOf(obj))
			if s == nil {
				t.Fatalf("%T has no shape", obj)
			}
			if got := s.Size(obj); got < len(data)/2 || got > 4*len(data)+1000 {
				t.Fatalf("a %T is taken for %d bytes and has %d", obj, got, len(data))
			}
		}
	}
}

func BenchmarkShapeSize(b *testing.B) {
	pod := benchPod("a")
	s := shape.Of(reflect.TypeOf(pod))
	for b.Loop() {
		s.Size(pod)
	}
}
