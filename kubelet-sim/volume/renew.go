package volume

import (
	"bytes"
	"slices"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// What a ConfigMap, a Secret or the Pod's own labels say reaches the files of a
// running Pod when the kubelet next syncs it: at once if the Pod's object has
// changed, else at a tick of its own. Variables of the environment and mounts of
// a subPath keep what they had.

// Renew brings the Pod's volumes up to date. One that cannot be made any more keeps its
// files, and failed is told why.
func (st *Storage) Renew(o Owner, volumes Volumes, now time.Time, failed func(error)) {
	for i := range o.Pod.Spec.Volumes {
		v := &o.Pod.Spec.Volumes[i]
		old := volumes[v.Name]
		if old == nil || old.payload == nil {
			continue
		}
		p := &payload{storage: st, owner: o}
		if err := p.add(v); err != nil {
			failed(&mountError{setUpFailed, v.Name, err})
			continue
		}
		old.renew(p, now)
	}
}

// renew gives a volume the files of p.
func (v *volumeFS) renew(p *payload, now time.Time) {
	if v.fs == nil {
		v.payload, v.build = p, p.volume(now).build
		v.charge(v.account)
		return
	}
	p.keepTokens(v.payload)
	if !slices.EqualFunc(v.payload.files, p.files, sameFile) {
		// A volume that a Pod may have fits; what does not stays out.
		_ = v.fs.WriteAtomic(p.files, now)
		v.payload = p
		v.charge(v.account)
	}
}

func sameFile(a, b vfs.VolumeFile) bool {
	return a.Path == b.Path && a.Mode == b.Mode && a.GID == b.GID && bytes.Equal(a.Data, b.Data)
}

// keepTokens takes over the tokens of the payload before.
//
// Deviation: a token is not renewed before it expires.
func (p *payload) keepTokens(before *payload) {
	for i := range p.tokens {
		j := slices.IndexFunc(before.files, func(f vfs.VolumeFile) bool { return f.Path == p.files[i].Path })
		if j >= 0 {
			p.files[i].Data = before.files[j].Data
		}
	}
}
