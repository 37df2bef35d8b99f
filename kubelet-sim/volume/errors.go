package volume

import (
	"errors"
	"fmt"
	"slices"
)

// attachError is the kubelet's FailedMount for a volume that it cannot even begin
// to mount. Source: volumeManager.WaitForAttachAndMount in k8s.io/kubernetes
// pkg/kubelet/volumemanager v1.37.2.
type attachError struct {
	volume string
	err    error
}

func (e *attachError) Error() string {
	return fmt.Sprintf("Unable to attach or mount volumes: unmounted volumes=[%s], unattached volumes=[], failed to process volumes=[%s]: %v", e.volume, e.volume, e.err)
}

func (e *attachError) Unwrap() error { return e.err }

// mountError is the kubelet's FailedMount.
type mountError struct {
	// what has failed of the volume of that name.
	what, volume string
	err          error
}

// setUpFailed is what mostly fails of a volume.
const setUpFailed = "MountVolume.SetUp failed"

func (e *mountError) Error() string {
	return fmt.Sprintf("%s for volume %q : %v", e.what, e.volume, e.err)
}

func (e *mountError) Unwrap() error { return e.err }

type listError struct {
	text string
	errs []error
}

func (e *listError) Error() string { return e.text }

func (e *listError) Unwrap() []error { return e.errs }

// joined is errors.Join with the text of apimachinery's NewAggregate.
func joined(errs []error) error {
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if len(errs) < 2 {
		return errors.Join(errs...)
	}
	text := ""
	for i, err := range errs {
		if i > 0 {
			text += ", "
		}
		text += err.Error()
	}
	return &listError{"[" + text + "]", errs}
}
