package volume

import (
	"errors"
	"maps"
	"slices"

	"k8s.io/utils/ptr"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/depend"
	"github.com/kubesim-dev/kubesim/kubelet-sim/environment"
)

func (p *payload) add(v *corev1.Volume) error {
	p.fsType = "tmpfs"
	switch {
	case v.ConfigMap != nil:
		p.fsType = "ext4"
		c := v.ConfigMap
		return p.addConfigMap(c.Name, c.Items, c.DefaultMode, c.Optional)
	case v.Secret != nil:
		s := v.Secret
		return p.addSecret(s.SecretName, s.Items, s.DefaultMode, s.Optional)
	case v.DownwardAPI != nil:
		return p.addDownward(v.DownwardAPI.Items, v.DownwardAPI.DefaultMode)
	}
	var errs []error
	for i := range v.Projected.Sources {
		errs = append(errs, p.addSource(v.Name, i, &v.Projected.Sources[i], v.Projected.DefaultMode))
	}
	return joined(errs)
}

func (p *payload) addSource(volume string, index int, s *corev1.VolumeProjection, mode *int32) error {
	switch {
	case s.ConfigMap != nil:
		return p.addConfigMap(s.ConfigMap.Name, s.ConfigMap.Items, mode, s.ConfigMap.Optional)
	case s.Secret != nil:
		return p.addSecret(s.Secret.Name, s.Secret.Items, mode, s.Secret.Optional)
	case s.DownwardAPI != nil:
		return p.addDownward(s.DownwardAPI.Items, mode)
	case s.ServiceAccountToken != nil:
		p.addToken(s.ServiceAccountToken, mode)
		return nil
	case s.ClusterTrustBundle != nil:
		return p.addTrustBundle(s.ClusterTrustBundle, mode)
	case s.PodCertificate != nil:
		return p.addPodCertificate(volume, index, s.PodCertificate, mode)
	}
	return errors.New("projected volume source is not supported by kubesim")
}

func (p *payload) addConfigMap(name string, items []corev1.KeyToPath, mode *int32, optional *bool) error {
	p.uses(engine.ConfigMaps, name)
	obj, err := depend.ConfigMap(p.storage.view, p.owner.Pod.Namespace, name, optional)
	if err != nil || obj == nil {
		return err
	}
	data := make(map[string][]byte, len(obj.Data)+len(obj.BinaryData))
	for k, v := range obj.Data {
		data[k] = []byte(v)
	}
	maps.Copy(data, obj.BinaryData)
	return p.addKeys(data, items, mode, func(key string) error {
		if ptr.Deref(optional, false) {
			return nil
		}
		return p.object(engine.ConfigMaps, name).Lacks("configmap references non-existent config key: %s", key)
	})
}

func (p *payload) addSecret(name string, items []corev1.KeyToPath, mode *int32, optional *bool) error {
	p.uses(engine.Secrets, name)
	obj, err := depend.Secret(p.storage.view, p.owner.Pod.Namespace, name, optional)
	if err != nil || obj == nil {
		return err
	}
	return p.addKeys(obj.Data, items, mode, func(key string) error {
		if ptr.Deref(optional, false) {
			return nil
		}
		return p.object(engine.Secrets, name).Lacks("references non-existent secret key: %s", key)
	})
}

func (p *payload) addKeys(data map[string][]byte, items []corev1.KeyToPath, mode *int32, missing func(key string) error) error {
	if len(items) == 0 {
		for _, key := range slices.Sorted(maps.Keys(data)) {
			p.put(key, data[key], nil, mode)
		}
		return nil
	}
	for i := range items {
		value, ok := data[items[i].Key]
		if !ok {
			if err := missing(items[i].Key); err != nil {
				return err
			}
			continue
		}
		p.put(items[i].Path, value, items[i].Mode, mode)
	}
	return nil
}

func (p *payload) addDownward(items []corev1.DownwardAPIVolumeFile, mode *int32) error {
	var errs []error
	for i := range items {
		var value string
		var err error
		switch item := &items[i]; {
		case item.FieldRef != nil:
			value, err = environment.FieldValue(p.owner.Pod, p.owner.State, item.FieldRef)
		case item.ResourceFieldRef != nil:
			value, err = environment.ResourceValue(p.storage.view, p.owner.Pod, nil, item.ResourceFieldRef)
		}
		errs = append(errs, err)
		p.put(items[i].Path, []byte(value), items[i].Mode, mode)
	}
	return joined(errs)
}

func (p *payload) addToken(s *corev1.ServiceAccountTokenProjection, mode *int32) {
	if p.storage.token == nil {
		return
	}
	request := TokenRequest{
		Namespace: p.owner.Pod.Namespace, ServiceAccount: p.owner.Pod.Spec.ServiceAccountName,
		Pod: p.owner.Pod.UID, PodName: p.owner.Pod.Name, Audience: s.Audience,
	}
	if s.ExpirationSeconds != nil {
		request.ExpirationSeconds = *s.ExpirationSeconds
	}
	if p.tokens == nil {
		p.tokens = map[int]TokenRequest{}
	}
	p.tokens[len(p.files)] = request
	p.put(s.Path, nil, p.private(), mode)
}
