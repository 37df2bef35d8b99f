package apiserver

import (
	"cmp"
	"slices"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// Announcement is what discovery and OpenAPI say of a group that comes while the server
// runs. Its resources are those of Serve. The paths /apis/<group> and
// /apis/<group>/<version> are for whoever serves the group to answer.
type Announcement struct {
	Group string
	// Versions are the group's, the preferred one first.
	Versions []AnnouncedVersion
}

// AnnouncedVersion is one version of an Announcement.
type AnnouncedVersion struct {
	Version   string
	Resources []apidiscoveryv2.APIResourceDiscovery
	// Describe builds the version's OpenAPI v3. It is called when a client asks. What it
	// returns must share no memory with anything: it is emptied when it has been encoded.
	Describe func() (*spec3.OpenAPI, error)
}

// announced are the groups of Announce, by name.
type announced []Announcement

func (all announced) find(group string) (int, bool) {
	return slices.BinarySearchFunc(all, group, func(a Announcement, name string) int { return cmp.Compare(a.Group, name) })
}

// Announce shows a group in /apis, in aggregated discovery and in /openapi/v3, or shows
// its new versions and resources. A group without versions is no longer shown. Groups
// that come this way follow those of the table, by name, as with APIServices of custom
// resources. Call it where Serve may be called.
func (s *Server) Announce(a Announcement) {
	s.announcing.Lock()
	defer s.announcing.Unlock()
	at, there := s.announced.find(a.Group)
	var before Announcement
	if there {
		before = s.announced[at]
	}
	for _, old := range before.Versions {
		if !slices.ContainsFunc(a.Versions, func(v AnnouncedVersion) bool { return v.Version == old.Version }) {
			s.conceal(schema.GroupVersion{Group: a.Group, Version: old.Version})
		}
	}
	for _, v := range a.Versions {
		s.show(schema.GroupVersion{Group: a.Group, Version: v.Version}, v)
	}
	switch {
	case len(a.Versions) == 0:
		s.generic.DiscoveryGroupManager.RemoveGroup(a.Group)
		if there {
			s.announced = slices.Delete(s.announced, at, at+1)
		}
	case there:
		s.announced[at] = a
		s.generic.DiscoveryGroupManager.AddGroup(a.list())
	default:
		s.announced = slices.Insert(s.announced, at, a)
		// The manager lists groups as they came.
		for _, later := range s.announced[at+1:] {
			s.generic.DiscoveryGroupManager.RemoveGroup(later.Group)
		}
		for _, each := range s.announced[at:] {
			s.generic.DiscoveryGroupManager.AddGroup(each.list())
		}
	}
}

func (s *Server) show(gv schema.GroupVersion, v AnnouncedVersion) {
	s.generic.AggregatedDiscoveryGroupManager.AddGroupVersion(gv.Group, apidiscoveryv2.APIVersionDiscovery{
		Version: gv.Version, Resources: v.Resources, Freshness: apidiscoveryv2.DiscoveryFreshnessCurrent,
	})
	prioritize(s.generic, gv)
	if s.openapi != nil {
		s.openapi.Add("apis/"+gv.String(), v.Describe)
	}
}

func (s *Server) conceal(gv schema.GroupVersion) {
	s.generic.AggregatedDiscoveryGroupManager.RemoveGroupVersion(metav1.GroupVersion(gv))
	if s.openapi != nil {
		s.openapi.Remove("apis/" + gv.String())
	}
}

// prioritize says where aggregated discovery lists a group version.
func prioritize(s *genericapiserver.GenericAPIServer, gv schema.GroupVersion) {
	p := priorityOf(gv)
	s.AggregatedDiscoveryGroupManager.SetGroupVersionPriority(metav1.GroupVersion(gv), int(p.group), int(p.version))
}

// list is what /apis says of a group.
func (a Announcement) list() metav1.APIGroup {
	out := metav1.APIGroup{Name: a.Group}
	for _, v := range a.Versions {
		out.Versions = append(out.Versions, metav1.GroupVersionForDiscovery{
			GroupVersion: schema.GroupVersion{Group: a.Group, Version: v.Version}.String(), Version: v.Version,
		})
	}
	if len(out.Versions) > 0 {
		out.PreferredVersion = out.Versions[0]
	}
	return out
}

// ExtendOpenAPIV2 says what /openapi/v2 has beyond the table of groups, and that it has
// changed. extend gets the description of the table, which it may change, when a client
// asks. Call it where Serve may be called.
func (s *Server) ExtendOpenAPIV2(extend func(*spec.Swagger) (*spec.Swagger, error)) {
	if s.openapi != nil {
		s.openapi.Extend(extend)
	}
}
