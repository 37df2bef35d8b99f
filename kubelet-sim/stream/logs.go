package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Logs answers kubectl logs. Its methods may be called from any goroutine.
type Logs struct {
	store *Store
	now   func() time.Time
}

// NewLogs returns the reader of store; now is the virtual time.
func NewLogs(store *Store, now func() time.Time) (*Logs, error) {
	if store == nil || now == nil {
		return nil, errors.New("stream: NewLogs wants a store and the virtual time")
	}
	return &Logs{store: store, now: now}, nil
}

// Logs returns what a container of a Pod printed, until its end if opts.Follow,
// or until ctx ends. A Pod that is on no simulated node has printed nothing.
// The errors are the API's, with the kubelet's texts.
// Source: Kubelet.GetKubeletContainerLogs in k8s.io/kubernetes pkg/kubelet
// v1.37.2.
func (l *Logs) Logs(ctx context.Context, namespace, name string, opts *corev1.PodLogOptions) (io.ReadCloser, error) {
	if opts == nil {
		opts = &corev1.PodLogOptions{}
	}
	if err := l.recall(ctx, namespace, name); err != nil {
		return nil, err
	}
	pod, find, ok := l.store.find(namespace, name)
	if !ok {
		return io.NopCloser(eof{}), nil
	}
	container, err := containerName(pod, opts.Container)
	if err != nil {
		return nil, err
	}
	id, err := containerID(pod, container, opts.Previous)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	log := find(id)
	if log == nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("unable to retrieve container logs for %s", id))
	}
	ctx, cancel := context.WithCancel(ctx)
	now := l.now()
	return newReader(ctx, cancel, log, l.store.Buffers, newSelection(opts, now), now), nil
}

// recall waits for the logs of a Pod that finished before this run.
func (l *Logs) recall(ctx context.Context, namespace, name string) error {
	ready := l.store.awaitRecall(namespace, name)
	if ready == nil {
		return nil
	}
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// containerName is the container that is meant. Source: validateContainer in
// k8s.io/kubernetes pkg/registry/core/pod v1.37.2.
func containerName(pod *corev1.Pod, name string) (string, error) {
	var all []string
	for _, c := range pod.Spec.InitContainers {
		all = append(all, c.Name)
	}
	for _, c := range pod.Spec.Containers {
		all = append(all, c.Name)
	}
	for _, c := range pod.Spec.EphemeralContainers {
		all = append(all, c.Name)
	}
	if name == "" {
		if len(pod.Spec.Containers) == 1 {
			return pod.Spec.Containers[0].Name, nil
		}
		return "", apierrors.NewBadRequest(fmt.Sprintf("a container name must be specified for pod %s, choose one of: %s", pod.Name, all))
	}
	for _, c := range all {
		if c == name {
			return name, nil
		}
	}
	return "", apierrors.NewBadRequest(fmt.Sprintf("container %s is not valid for pod %s", name, pod.Name))
}

// containerID says whose log is meant, or why there is none. Source:
// Kubelet.validateContainerLogStatus in k8s.io/kubernetes pkg/kubelet v1.37.2.
func containerID(pod *corev1.Pod, container string, previous bool) (string, error) {
	status, ok := statusOf(pod, container)
	if !ok {
		return "", fmt.Errorf("container %q in pod %q is not available", container, pod.Name)
	}
	last := status.LastTerminationState.Terminated
	switch state := status.State; {
	case previous:
		if last == nil || last.ContainerID == "" {
			return "", fmt.Errorf("previous terminated container %q in pod %q not found", container, pod.Name)
		}
		return last.ContainerID, nil
	case state.Running != nil:
		return status.ContainerID, nil
	case state.Terminated != nil && state.Terminated.ContainerID != "":
		return state.Terminated.ContainerID, nil
	case last != nil && last.ContainerID != "":
		return last.ContainerID, nil
	case state.Terminated != nil || last != nil:
		return "", fmt.Errorf("container %q in pod %q is terminated", container, pod.Name)
	case state.Waiting != nil:
		return "", fmt.Errorf("container %q in pod %q is waiting to start: %s", container, pod.Name, waitingFor(state.Waiting.Reason))
	}
	return "", fmt.Errorf("container %q in pod %q is waiting to start - no logs yet", container, pod.Name)
}

func waitingFor(reason string) string {
	switch reason {
	case "ErrImagePull":
		return "image can't be pulled"
	case "ImagePullBackOff":
		return "trying and failing to pull image"
	}
	return reason
}

func statusOf(pod *corev1.Pod, container string) (corev1.ContainerStatus, bool) {
	for _, list := range [][]corev1.ContainerStatus{
		pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses, pod.Status.EphemeralContainerStatuses,
	} {
		for _, s := range list {
			if s.Name == container {
				return s, true
			}
		}
	}
	return corev1.ContainerStatus{}, false
}

// eof is an empty reader.
type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }
