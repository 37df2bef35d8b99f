package v1alpha1

import (
	"net/http"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
)

// rebootDuration is how long a rebooting node is down. Unit: virtual time.
const rebootDuration = "30s"

// addDefaults registers the functions that set the defaults.
func addDefaults(scheme *runtime.Scheme) {
	scheme.AddTypeDefaultingFunc(&Fault{}, func(obj any) { SetDefaultsFault(obj.(*Fault)) })
	scheme.AddTypeDefaultingFunc(&FaultList{}, func(obj any) {
		list := obj.(*FaultList)
		for i := range list.Items {
			SetDefaultsFault(&list.Items[i])
		}
	})
}

// SetDefaultsFault sets the defaults of f.
func SetDefaultsFault(f *Fault) {
	s := &f.Spec
	if s.Percent == nil {
		s.Percent = ptr.To[int32](100)
	}
	if s.Error != nil && s.Error.Code == 0 {
		s.Error.Code = http.StatusInternalServerError
	}
	if s.Conflict != nil {
		if s.Requests == nil {
			s.Requests = &RequestMatch{}
		}
		if len(s.Requests.Verbs) == 0 {
			s.Requests.Verbs = []string{"update", "patch"}
		}
	}
	if s.Reboot != nil && s.Duration == nil {
		s.Duration = ptr.To(rebootDuration)
	}
}
