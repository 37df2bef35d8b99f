package plugin

import (
	"context"

	"k8s.io/apiserver/pkg/admission"
	api "k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/plugin/pkg/admission/serviceaccount"

	"github.com/kubesim-dev/kubesim/apiserver/registry"
)

// tokenVolumeSuffix is how many characters end the name of a Pod's token
// volume. Source: randomLength in k8s.io/apiserver pkg/storage/names v0.37.2.
const tokenVolumeSuffix = 5

// SeedTokenVolume makes the ServiceAccount plugin use the cluster's randomness for the
// names of the volumes that it adds (kube-api-access-xxxxx). The plugin itself uses a
// global source.
func SeedTokenVolume(random registry.Random) admission.Decorator {
	return admission.DecoratorFunc(func(handler admission.Interface, _ string) admission.Interface {
		inner, ok := handler.(*serviceaccount.Plugin)
		if !ok {
			return handler
		}
		return tokenVolumes{Plugin: inner, random: random}
	})
}

type tokenVolumes struct {
	*serviceaccount.Plugin
	random registry.Random
}

var _ admission.MutationInterface = tokenVolumes{}

// Admit implements admission.MutationInterface.
func (v tokenVolumes) Admit(ctx context.Context, a admission.Attributes, o admission.ObjectInterfaces) error {
	pod, ok := a.GetObject().(*api.Pod)
	if !ok {
		return v.Plugin.Admit(ctx, a, o)
	}
	before := len(pod.Spec.Volumes)
	if err := v.Plugin.Admit(ctx, a, o); err != nil || len(pod.Spec.Volumes) == before {
		return err
	}
	added := &pod.Spec.Volumes[before]
	name := serviceaccount.ServiceAccountVolumeName + "-" + v.random.Suffix(tokenVolumeSuffix)
	renameMounts(pod.Spec.InitContainers, added.Name, name)
	renameMounts(pod.Spec.Containers, added.Name, name)
	added.Name = name
	return nil
}

func renameMounts(containers []api.Container, from, to string) {
	for i := range containers {
		for j := range containers[i].VolumeMounts {
			if mount := &containers[i].VolumeMounts[j]; mount.Name == from {
				mount.Name = to
			}
		}
	}
}
