package podstate

import corev1 "k8s.io/api/core/v1"

// The image of a container is one of the few fields of a Pod's spec that can be changed.
// A running container that has another image then ends and starts again, whatever the
// restartPolicy says. One that waits tries at once. An attempt under way goes on with the
// image that it began with, because the kubelet does one thing after the other. An init
// container that runs, or has ended, stays as it is. Source: containerChanged,
// computePodActions and computeInitContainerActions in k8s.io/kubernetes
// pkg/kubelet/kuberuntime v1.37.2.
//
// Deviation: each change starts the back-off over; upstream's know an image that comes
// back. The kubelet takes the image of a mirror Pod, which says nothing to upstream's,
// when a container of its static Pod starts.

// DefinitionChanged is why a container ends whose image was changed. It has the grace
// period that a container has without a reason.
const DefinitionChanged KillReason = "DefinitionChanged"

// Changed reports whether the running container i has to start again with another
// image. A sidecar is not looked at before it has started.
func (s *State) Changed(pod *corev1.Pod, i int) bool {
	c := &s.Containers[i]
	switch {
	case c.Role == Initializer, c.Role == Ephemeral, c.Role == Sidecar && !c.Started, IsMirror(pod):
		return false
	}
	return c.Activity == Running && c.Current.SpecImage != "" && c.Current.SpecImage != s.Spec(pod, i).Image
}

// Renewed reports whether the spec has another image than at the latest attempt to
// start the container.
func (c *Container) Renewed(spec *corev1.Container) bool {
	return c.Image != "" && c.Image != spec.Image
}

// TakeImage takes the spec's image for an attempt that begins. Source: GetBackoffKey,
// k8s.io/kubernetes pkg/kubelet/kuberuntime v1.37.2, and imageManager.pullImage in pkg/kubelet/images: back-offs are those of one
// image.
func (c *Container) TakeImage(spec *corev1.Container) {
	if c.Renewed(spec) {
		c.BackOff, c.PullBackOff, c.Blocked = BackOff{}, BackOff{}, false
	}
	c.Image = spec.Image
}

// WithImage is a container with the image that it was, or is to be, started with; empty
// for the spec's.
func WithImage(spec *corev1.Container, image string) *corev1.Container {
	if image == "" || image == spec.Image {
		return spec
	}
	with := *spec
	with.Image = image
	return &with
}
