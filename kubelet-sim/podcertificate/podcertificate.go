// Package podcertificate gets the certificates of Pods. For each podCertificate source of
// a projected volume the kubelet makes a key, writes a PodCertificateRequest and waits for
// a signer; well before the certificate ends it does so again. Source: IssuingManager in
// k8s.io/kubernetes pkg/kubelet/podcertificate v1.37.2.
//
// Invariant: how far a source has come is one plain value, State, which the caller keeps;
// a key follows from the seed, so that it is never stored before it is shown.
//
// Deviation: a refresh that nobody answers is not complained about.
package podcertificate

import (
	"context"
	"encoding/pem"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
)

// State is where the kubelet is with one source.
type State struct {
	// Volume and Source say which one: the volume's name, and an index.
	Volume string
	Source int
	// Asked is how many requests were made; it seeds the key of the latest.
	Asked int `json:",omitempty"`
	// Request is the name of the one under way, empty if there is none.
	Request string `json:",omitempty"`
	// AskAt is when the next one is made; zero if none is to be before something
	// changes.
	AskAt time.Time `json:",omitzero"`
	// Tries counts requests in a row that could not be written.
	Tries int `json:",omitempty"`
	// Key and Chain, in PEM, are what the volume shows; empty before anything was
	// issued.
	Key, Chain string `json:",omitempty"`
	// Refused says why there will be no certificate, empty if there may be.
	Refused string `json:",omitempty"`
}

// retry is how long the kubelet waits when a request could not be
// written. Unit: virtual time.
//
// Deviation: upstream waits 5 ms at first, and longer each time.
const retry = time.Second

// refreshJitter bounds how much later than asked a certificate is refreshed.
// Unit: virtual time. Source: jitterDuration in k8s.io/kubernetes pkg/kubelet/podcertificate v1.37.2.
const refreshJitter = 5 * time.Minute

// Needed are those that a new Pod needs.
func Needed(pod *corev1.Pod, now time.Time) []State {
	var all []State
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		if v.Projected == nil {
			continue
		}
		for j := range v.Projected.Sources {
			if v.Projected.Sources[j].PodCertificate != nil {
				all = append(all, State{Volume: v.Name, Source: j, AskAt: now})
			}
		}
	}
	return all
}

// Of is the state of one source. Every source has one.
func Of(all []State, volume string, source int) *State {
	for i := range all {
		if c := &all[i]; c.Volume == volume && c.Source == source {
			return c
		}
	}
	return &State{}
}

// Manager makes requests for certificates and takes the answers.
type Manager struct {
	// Engine has the View, which must track PodCertificateRequests, ServiceAccounts and
	// Nodes, and the randomness from which keys follow.
	Engine *engine.Engine
	// API is written to.
	API engine.API
}

// projection is what the Pod says of the source.
func (c *State) projection(pod *corev1.Pod) *corev1.PodCertificateProjection {
	for i := range pod.Spec.Volumes {
		if v := &pod.Spec.Volumes[i]; v.Name == c.Volume && v.Projected != nil {
			return v.Projected.Sources[c.Source].PodCertificate
		}
	}
	return nil
}

// Ask writes the requests of a Pod that are due.
func (m Manager) Ask(ctx context.Context, pod *corev1.Pod, all []State, now time.Time) {
	for i := range all {
		c := &all[i]
		if c.AskAt.IsZero() || now.Before(c.AskAt) {
			continue
		}
		request, err := m.newRequest(pod, c)
		if err == nil {
			var made engine.Object
			if made, err = m.API.Create(ctx, node.Identity(pod.Spec.NodeName), engine.PodCertificateRequests, request); err == nil {
				c.Asked, c.Tries, c.Request, c.AskAt = c.Asked+1, 0, made.GetName(), time.Time{}
			}
		}
		if err != nil {
			c.AskAt, c.Tries = now.Add(retry), c.Tries+1
		}
	}
}

// newRequest is upstream's createPodCertificateRequest.
func (m Manager) newRequest(pod *corev1.Pod, c *State) (*certificatesv1.PodCertificateRequest, error) {
	source := c.projection(pod)
	account, ok := engine.Get[*corev1.ServiceAccount](m.Engine.View(), engine.ServiceAccounts, pod.Namespace, pod.Spec.ServiceAccountName)
	if !ok {
		return nil, fmt.Errorf("while fetching service account: serviceaccounts %q not found", pod.Spec.ServiceAccountName)
	}
	on, ok := engine.Get[*corev1.Node](m.Engine.View(), engine.Nodes, "", pod.Spec.NodeName)
	if !ok {
		return nil, fmt.Errorf("while getting node object from local cache: node %q not found", pod.Spec.NodeName)
	}
	_, request, err := newKey(source.KeyType, m.keySeed(pod, c, c.Asked+1))
	if err != nil {
		return nil, err
	}
	return &certificatesv1.PodCertificateRequest{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, GenerateName: "req-",
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID}},
		},
		Spec: certificatesv1.PodCertificateRequestSpec{
			SignerName: source.SignerName, PodName: pod.Name, PodUID: pod.UID,
			ServiceAccountName: account.Name, ServiceAccountUID: account.UID,
			NodeName: types.NodeName(on.Name), NodeUID: on.UID,
			MaxExpirationSeconds: source.MaxExpirationSeconds, StubPKCS10Request: request,
			UnverifiedUserAnnotations: source.UserAnnotations,
		},
	}, nil
}

// keySeed is for the key of the nth request of a source.
func (m Manager) keySeed(pod *corev1.Pod, c *State, n int) uint64 {
	return m.Engine.Random().Derive(fmt.Sprintf("%s/certificate/%s/%d/%d", pod.UID, c.Volume, c.Source, n))
}

// TakeAnswers looks at what has become of a Pod's requests, and reports whether any was
// answered. refused is told of those that were not granted.
func (m Manager) TakeAnswers(pod *corev1.Pod, all []State, now time.Time, refused func(event.Event)) (answered bool) {
	for i := range all {
		c := &all[i]
		if c.Request == "" {
			continue
		}
		request, ok := engine.Get[*certificatesv1.PodCertificateRequest](m.Engine.View(), engine.PodCertificateRequests, pod.Namespace, c.Request)
		switch {
		case !ok:
			// Deviation: upstream believes that it is gone after ten minutes.
			c.Request, c.AskAt = "", now
		case m.takeAnswer(pod, c, request, refused):
			c.Request, answered = "", true
		}
	}
	return answered
}

// takeAnswer reports whether a request was answered.
func (m Manager) takeAnswer(pod *corev1.Pod, c *State, request *certificatesv1.PodCertificateRequest, refused func(event.Event)) bool {
	for i := range request.Status.Conditions {
		switch condition := &request.Status.Conditions[i]; condition.Type {
		case certificatesv1.PodCertificateRequestConditionTypeIssued:
			m.take(pod, c, &request.Status)
			return true
		case certificatesv1.PodCertificateRequestConditionTypeDenied:
			refused(c.refuse(request, condition, "denied", "was denied"))
			return true
		case certificatesv1.PodCertificateRequestConditionTypeFailed:
			refused(c.refuse(request, condition, "failed", "failed"))
			return true
		}
	}
	return false
}

func (m Manager) take(pod *corev1.Pod, c *State, issued *certificatesv1.PodCertificateRequestStatus) {
	seed := m.keySeed(pod, c, c.Asked)
	key, _, err := newKey(c.projection(pod).KeyType, seed)
	if err != nil {
		panic(fmt.Sprintf("podcertificate: a key that was made before: %v", err))
	}
	c.Key, c.Chain = string(key), cleanChain(issued.CertificateChain)
	if issued.BeginRefreshAt != nil {
		c.AskAt = engine.After(issued.BeginRefreshAt.Time, time.Duration(seed%uint64(refreshJitter)))
	}
}

// refuse notes that there will be no certificate, and says so.
func (c *State) refuse(request *certificatesv1.PodCertificateRequest, why *metav1.Condition, is, was string) event.Event {
	c.Refused = fmt.Sprintf("PodCertificateRequest was permanently %s: reason=%q message=%q", is, why.Reason, why.Message)
	text := fmt.Sprintf("PodCertificateRequest %s/%s %s, reason=%q, message=%q", request.Namespace, request.Name, was, why.Reason, why.Message)
	return event.CertificateRefused(why.Type, why.Reason, text)
}

// cleanChain drops what is not a certificate. Source: cleanCertificateChain in
// k8s.io/kubernetes pkg/kubelet/podcertificate v1.37.2.
func cleanChain(chain string) string {
	var out []byte
	for block, rest := pem.Decode([]byte(chain)); block != nil; block, rest = pem.Decode(rest) {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes})...)
	}
	return string(out)
}
