package volume

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/depend"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// payload collects the files of a configMap, secret, downwardAPI or projected
// volume. Source: MakePayload in k8s.io/kubernetes pkg/volume/configmap and
// secret, CollectData in downwardapi, collectData in projected v1.37.2.
type payload struct {
	storage *Storage
	owner   Owner
	fsType  string
	files   []vfs.VolumeFile
	// tokens go by their index in files.
	tokens map[int]TokenRequest
}

// uses notes that the Pod's files follow an object of its namespace.
func (p *payload) uses(resource engine.Resource, name string) {
	p.follows(p.object(resource, name))
}

// object is one of the Pod's namespace.
func (p *payload) object(resource engine.Resource, name string) depend.Object {
	return depend.Object{Resource: resource, Name: types.NamespacedName{Namespace: p.owner.Pod.Namespace, Name: name}}
}

// follows notes that the Pod's files follow d.
func (p *payload) follows(d depend.Object) {
	if !p.owner.Apart {
		p.storage.Users.Add(d, p.owner.name())
	}
}

// private is the mode of a file that only its owner and the Pod's fsGroup may
// read; nil, for the volume's own, without such a group.
func (p *payload) private() *int32 {
	if fsGroup(p.owner.Pod) == nil {
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
	if group := fsGroup(p.owner.Pod); group != nil {
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
		volume := newVolume(p.fsType, p.owner.Pod, now)
		for _, i := range slices.Sorted(maps.Keys(p.tokens)) {
			token, err := p.storage.token(p.tokens[i])
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
