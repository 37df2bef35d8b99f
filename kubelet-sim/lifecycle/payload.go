package lifecycle

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// payload collects the files of a configMap, secret, downwardAPI or projected
// volume. Source: MakePayload in k8s.io/kubernetes pkg/volume/configmap and
// secret, CollectData in downwardapi, collectData in projected v1.37.2.
type payload struct {
	r      *Reconciler
	run    *podRun
	fsType string
	files  []vfs.VolumeFile
	// tokens go by their index in files.
	tokens map[int]TokenRequest
}

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

type listError struct {
	text string
	errs []error
}

func (e *listError) Error() string   { return e.text }
func (e *listError) Unwrap() []error { return e.errs }

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

// uses notes that the Pod's files follow an object of its namespace.
func (p *payload) uses(resource engine.Resource, name string) {
	p.follows(dependency{resource, types.NamespacedName{Namespace: p.run.pod.Namespace, Name: name}})
}

// follows notes that the Pod's files follow d.
func (p *payload) follows(d dependency) {
	if !p.run.apart {
		p.r.users.add(d, p.run.name)
	}
}

func (p *payload) addConfigMap(name string, items []corev1.KeyToPath, mode *int32, optional *bool) error {
	p.uses(engine.ConfigMaps, name)
	obj, err := getConfigMap(p.r.view, p.run.pod.Namespace, name, optional)
	if err != nil || obj == nil {
		return err
	}
	data := make(map[string][]byte, len(obj.Data)+len(obj.BinaryData))
	for k, v := range obj.Data {
		data[k] = []byte(v)
	}
	maps.Copy(data, obj.BinaryData)
	return p.addKeys(data, items, mode, func(key string) error {
		if isTrue(optional) {
			return nil
		}
		return missingKey(engine.ConfigMaps, types.NamespacedName{Namespace: obj.Namespace, Name: name}, "configmap references non-existent config key: %s", key)
	})
}

func (p *payload) addSecret(name string, items []corev1.KeyToPath, mode *int32, optional *bool) error {
	p.uses(engine.Secrets, name)
	obj, err := getSecret(p.r.view, p.run.pod.Namespace, name, optional)
	if err != nil || obj == nil {
		return err
	}
	return p.addKeys(obj.Data, items, mode, func(key string) error {
		if isTrue(optional) {
			return nil
		}
		return missingKey(engine.Secrets, types.NamespacedName{Namespace: obj.Namespace, Name: name}, "references non-existent secret key: %s", key)
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
			value, err = fieldValue(p.run.pod, &p.run.State, item.FieldRef)
		case item.ResourceFieldRef != nil:
			value, err = resourceValue(p.r.view, p.run.pod, nil, item.ResourceFieldRef)
		}
		errs = append(errs, err)
		p.put(items[i].Path, []byte(value), items[i].Mode, mode)
	}
	return joined(errs)
}

func (p *payload) addToken(s *corev1.ServiceAccountTokenProjection, mode *int32) {
	if p.r.cfg.Token == nil {
		return
	}
	request := TokenRequest{
		Namespace: p.run.pod.Namespace, ServiceAccount: p.run.pod.Spec.ServiceAccountName,
		Pod: p.run.pod.UID, PodName: p.run.pod.Name, Audience: s.Audience,
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

// private is the mode of a file that only its owner and the Pod's fsGroup may
// read; nil, for the volume's own, without such a group.
func (p *payload) private() *int32 {
	if fsGroup(p.run.pod) == nil {
		return nil
	}
	return new(int32(0o600))
}

// put adds one file with its own mode, or else the volume's. A file of the same
// path is replaced, as a later source wins.
func (p *payload) put(name string, data []byte, own, mode *int32) {
	file := vfs.VolumeFile{Path: name, Data: data, Mode: 0o644}
	switch {
	case own != nil:
		file.Mode = fs.FileMode(*own)
	case mode != nil:
		file.Mode = fs.FileMode(*mode)
	}
	if group := fsGroup(p.run.pod); group != nil {
		file.GID, file.Mode = uint32(*group), file.Mode|0o440
	}
	if i := slices.IndexFunc(p.files, func(f vfs.VolumeFile) bool { return f.Path == name }); i >= 0 {
		p.files[i] = file
		return
	}
	p.files = append(p.files, file)
}

// volume returns the volume, whose files are written when it is first entered.
func (p *payload) volume(now time.Time) *volumeFS {
	return &volumeFS{payload: p, build: func() *vfs.FS {
		volume := newVolume(p.fsType, p.run.pod, now)
		for _, i := range slices.Sorted(maps.Keys(p.tokens)) {
			token, err := p.r.cfg.Token(p.tokens[i])
			if err != nil {
				token = fmt.Sprintf("kubesim: no token: %v\n", err)
			}
			p.files[i].Data = []byte(token)
		}
		// A volume that a Pod may have fits; what does not stays out.
		_ = volume.WriteAtomic(p.files, now)
		return volume
	}}
}
