package endpointslicemirroring

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

//nolint:staticcheck // users write Endpoints still
func endpoints(subsets ...corev1.EndpointSubset) *corev1.Endpoints {
	return &corev1.Endpoints{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: "db", UID: "1", Labels: map[string]string{"app": "db"},
			Annotations: map[string]string{"note": "x", corev1.LastAppliedConfigAnnotation: "{}"},
		},
		Subsets: subsets,
	}
}

//nolint:staticcheck // as above
func subset(port int32, ready []string, others ...string) corev1.EndpointSubset {
	s := corev1.EndpointSubset{Ports: []corev1.EndpointPort{{Port: port, Protocol: corev1.ProtocolTCP}}}
	for _, ip := range ready {
		s.Addresses = append(s.Addresses, corev1.EndpointAddress{IP: ip})
	}
	for _, ip := range others {
		s.NotReadyAddresses = append(s.NotReadyAddresses, corev1.EndpointAddress{IP: ip})
	}
	return s
}

// told is a plan in words.
func told(p plan) []string {
	var out []string
	for _, e := range p.Events {
		out = append(out, e.Reason+": "+e.Message)
	}
	for verb, list := range [][]*discoveryv1.EndpointSlice{p.Create, p.Update, p.Delete} {
		for _, s := range list {
			text := fmt.Sprintf("%s %s%s %s %d:", []string{"create", "update", "delete"}[verb], s.GenerateName, s.Name, s.AddressType, *s.Ports[0].Port)
			for _, e := range s.Endpoints {
				text += fmt.Sprintf(" %s=%v", e.Addresses[0], *e.Conditions.Ready)
			}
			out = append(out, text)
		}
	}
	return out
}

// written is what p leaves of have.
func written(p plan, have ...*discoveryv1.EndpointSlice) []*discoveryv1.EndpointSlice {
	byName := map[string]*discoveryv1.EndpointSlice{}
	for _, s := range have {
		byName[s.Name] = s
	}
	for i, s := range p.Create {
		s.Name, s.GenerateName = fmt.Sprintf("db-%d", i), ""
		byName[s.Name] = s
	}
	for _, s := range p.Update {
		byName[s.Name] = s
	}
	for _, s := range p.Delete {
		delete(byName, s.Name)
	}
	var out []*discoveryv1.EndpointSlice
	for i := range 9 {
		if s := byName[fmt.Sprintf("db-%d", i)]; s != nil {
			out = append(out, s)
		}
	}
	return out
}

func TestDecide(t *testing.T) {
	first := endpoints(subset(80, []string{"10.0.0.2", "10.0.0.1"}, "10.0.0.3"))
	have := written(decide(first, nil, endpointsMax))
	labelled := first.DeepCopy()
	labelled.Labels["app"] = "other"
	another := first.DeepCopy()
	another.UID = "2"
	leaving := endpoints(subset(80, []string{"10.0.0.1"}), subset(81, []string{"10.0.0.1"}))
	leaving.DeletionTimestamp = &metav1.Time{}
	for name, tc := range map[string]struct {
		object *corev1.Endpoints //nolint:staticcheck // as above
		have   []*discoveryv1.EndpointSlice
		most   int
		want   []string
	}{
		"a slice for each family": {
			object: endpoints(subset(80, []string{"10.0.0.1", "fd00::1"}, "10.0.0.3")),
			want:   []string{"create db- IPv4 80: 10.0.0.1=true 10.0.0.3=false", "create db- IPv6 80: fd00::1=true"},
		},
		"what is there stays":         {object: first, have: have},
		"an address goes":             {object: endpoints(subset(80, []string{"10.0.0.1"})), have: have, want: []string{"update db-0 IPv4 80: 10.0.0.1=true"}},
		"an address becomes ready":    {object: endpoints(subset(80, []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"})), have: have, want: []string{"update db-0 IPv4 80: 10.0.0.1=true 10.0.0.2=true 10.0.0.3=true"}},
		"labels follow":               {object: labelled, have: have, want: []string{"update db-0 IPv4 80: 10.0.0.1=true 10.0.0.2=true 10.0.0.3=false"}},
		"other Endpoints of the name": {object: another, have: have, want: []string{"update db-0 IPv4 80: 10.0.0.1=true 10.0.0.2=true 10.0.0.3=false"}},
		"a slice is used again":       {object: endpoints(subset(81, []string{"10.0.0.1"})), have: have, want: []string{"update db-0 IPv4 81: 10.0.0.1=true"}},
		"no addresses":                {object: endpoints(subset(80, nil)), have: have, want: []string{"delete db-0 IPv4 80: 10.0.0.1=true 10.0.0.2=true 10.0.0.3=false"}},
		"nothing to mirror":           {have: have, want: []string{"delete db-0 IPv4 80: 10.0.0.1=true 10.0.0.2=true 10.0.0.3=false"}},
		"what goes gets no more":      {object: leaving, have: have, want: []string{"update db-0 IPv4 80: 10.0.0.1=true"}},
		"what is no address": {
			object: endpoints(subset(80, []string{"here", "10.0.0.1"})),
			want:   []string{"InvalidIPAddress: Skipped 1 invalid IP addresses when mirroring to EndpointSlices", "create db- IPv4 80: 10.0.0.1=true"},
		},
		"too many": {
			object: endpoints(subset(80, []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"})), most: 2,
			want: []string{
				"TooManyAddressesToMirror: A max of 2 addresses can be mirrored to EndpointSlices per Endpoints subset. 1 addresses were skipped",
				"create db- IPv4 80: 10.0.0.1=true 10.0.0.2=true",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.most == 0 {
				tc.most = endpointsMax
			}
			p := decide(tc.object, tc.have, tc.most)
			if diff := cmp.Diff(tc.want, told(p)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
			if again := decide(tc.object, written(p, tc.have...), tc.most); len(again.Create)+len(again.Update) > 0 && tc.object.DeletionTimestamp == nil {
				t.Errorf("what is written is written again: %q", told(again))
			}
		})
	}
	want := metav1.ObjectMeta{
		Namespace: "default", Name: "db-0", Annotations: map[string]string{"note": "x"},
		Labels:          map[string]string{"app": "db", discoveryv1.LabelServiceName: "db", discoveryv1.LabelManagedBy: managedBy},
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(first, corev1.SchemeGroupVersion.WithKind("Endpoints"))},
	}
	if diff := cmp.Diff(want, have[0].ObjectMeta); diff != "" {
		t.Errorf("the slice (-want +got):\n%s", diff)
	}
}
