package podstate

// Reasons of container states. Source: k8s.io/kubernetes pkg/kubelet,
// pkg/kubelet/container, pkg/kubelet/images and pkg/kubelet/kuberuntime
// v1.37.2; Completed, Error, OOMKilled and StartError are containerd's.
const (
	ReasonCreating          = "ContainerCreating"
	ReasonInitializing      = "PodInitializing"
	ReasonCompleted         = "Completed"
	ReasonError             = "Error"
	ReasonOOMKilled         = "OOMKilled"
	ReasonStartError        = "StartError"
	ReasonStatusUnknown     = "ContainerStatusUnknown"
	ReasonCrashLoopBackOff  = "CrashLoopBackOff"
	ReasonCreateConfigError = "CreateContainerConfigError"
	ReasonRunContainerError = "RunContainerError"
	ReasonErrImagePull      = "ErrImagePull"
	ReasonImagePullBackOff  = "ImagePullBackOff"
	ReasonErrImageNeverPull = "ErrImageNeverPull"
	ReasonInvalidImageName  = "InvalidImageName"
)

// NotLocatedMessage goes with ReasonStatusUnknown.
const NotLocatedMessage = "The container could not be located when the pod was terminated"

// Exit codes that the kubelet and the runtime give themselves.
const (
	ExitKilled     = 137
	ExitStartError = 128
)

// ExitUnknown and ReasonUnknown are how containerd reports a container that it finds
// dead when it starts. Source: unknownExitCode and unknownExitReason in
// github.com/containerd/containerd internal/cri/server v2.2.
const (
	ExitUnknown   = 255
	ReasonUnknown = "Unknown"
)

// ReasonPostStartHookError is the reason why a container waits whose postStart hook
// has failed. Source: ErrPostStartHook in k8s.io/kubernetes
// pkg/kubelet/kuberuntime v1.37.2.
const ReasonPostStartHookError = "PostStartHookError"
