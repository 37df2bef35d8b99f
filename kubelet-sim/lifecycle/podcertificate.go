package lifecycle

import (
	"context"
	"encoding/pem"
	"errors"
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

// For each podCertificate source of a projected volume the kubelet makes a key,
// writes a PodCertificateRequest and waits for a signer; well before the
// certificate ends it does so again. Source: IssuingManager in k8s.io/kubernetes
// pkg/kubelet/podcertificate v1.37.2.
//
// Deviation: a refresh that nobody answers is not complained about.

// certificateState is where the kubelet is with one source.
type certificateState struct {
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

// certificateRetry is how long the kubelet waits when a request could not be
// written. Unit: virtual time.
//
// Deviation: upstream waits 5 ms at first, and longer each time.
const certificateRetry = time.Second

// refreshJitter bounds how much later than asked a certificate is refreshed.
// Unit: virtual time. Source: jitterDuration, ibid.
const refreshJitter = 5 * time.Minute

// newCertificates are those that a new Pod needs.
func newCertificates(pod *corev1.Pod, now time.Time) []certificateState {
	var all []certificateState
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		if v.Projected == nil {
			continue
		}
		for j := range v.Projected.Sources {
			if v.Projected.Sources[j].PodCertificate != nil {
				all = append(all, certificateState{Volume: v.Name, Source: j, AskAt: now})
			}
		}
	}
	return all
}

// certificate is the state of one source. Every source has one.
func (s *podState) certificate(volume string, source int) *certificateState {
	for i := range s.Certificates {
		if c := &s.Certificates[i]; c.Volume == volume && c.Source == source {
			return c
		}
	}
	return &certificateState{}
}

// projection is what the Pod says of the source.
func (c *certificateState) projection(pod *corev1.Pod) *corev1.PodCertificateProjection {
	for i := range pod.Spec.Volumes {
		if v := &pod.Spec.Volumes[i]; v.Name == c.Volume && v.Projected != nil {
			return v.Projected.Sources[c.Source].PodCertificate
		}
	}
	return nil
}

// decideCertificates asks for what is due. Nothing waits for a refresh.
func decideCertificates(s *podState, now time.Time) plan {
	var p plan
	for i := range s.Certificates {
		c := &s.Certificates[i]
		switch {
		case c.AskAt.IsZero():
		case !now.Before(c.AskAt):
			return do(askCertificates, -1)
		case c.Key == "":
			p = p.and(at(c.AskAt, workFor(c.Tries, sandboxTriesMax)))
		default:
			p = p.and(at(c.AskAt, engine.Recurring))
		}
	}
	return p
}

// askCertificates writes the requests that are due.
func (r *Reconciler) askCertificates(ctx context.Context, run *podRun, now time.Time) {
	for i := range run.Certificates {
		c := &run.Certificates[i]
		if c.AskAt.IsZero() || now.Before(c.AskAt) {
			continue
		}
		request, err := r.newRequest(run.pod, c)
		if err == nil {
			var made engine.Object
			if made, err = r.cfg.API.Create(ctx, node.Identity(run.node.Name), engine.PodCertificateRequests, request); err == nil {
				c.Asked, c.Tries, c.Request, c.AskAt = c.Asked+1, 0, made.GetName(), time.Time{}
			}
		}
		if err != nil {
			c.AskAt, c.Tries = now.Add(certificateRetry), c.Tries+1
		}
	}
}

// newRequest is createPodCertificateRequest, ibid.
func (r *Reconciler) newRequest(pod *corev1.Pod, c *certificateState) (*certificatesv1.PodCertificateRequest, error) {
	source := c.projection(pod)
	account, ok := engine.Get[*corev1.ServiceAccount](r.view, engine.ServiceAccounts, pod.Namespace, pod.Spec.ServiceAccountName)
	if !ok {
		return nil, fmt.Errorf("while fetching service account: serviceaccounts %q not found", pod.Spec.ServiceAccountName)
	}
	on, ok := engine.Get[*corev1.Node](r.view, engine.Nodes, "", pod.Spec.NodeName)
	if !ok {
		return nil, fmt.Errorf("while getting node object from local cache: node %q not found", pod.Spec.NodeName)
	}
	_, request, err := podKey(source.KeyType, r.keySeed(pod, c, c.Asked+1))
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
func (r *Reconciler) keySeed(pod *corev1.Pod, c *certificateState, n int) uint64 {
	return r.cfg.Engine.Random().Derive(fmt.Sprintf("%s/certificate/%s/%d/%d", pod.UID, c.Volume, c.Source, n))
}

// keysOfRequest is the Pod that a PodCertificateRequest is about.
func (r *Reconciler) keysOfRequest(request *certificatesv1.PodCertificateRequest) []engine.Key {
	name := types.NamespacedName{Namespace: request.Namespace, Name: request.Spec.PodName}
	run := r.runs[name]
	if run == nil || run.pod.UID != request.Spec.PodUID {
		return nil
	}
	run.answered = true
	return []engine.Key{r.key(name)}
}

// takeAnswers looks at what has become of the Pod's requests.
func (r *Reconciler) takeAnswers(ctx context.Context, run *podRun, now time.Time) {
	if !run.answered {
		return
	}
	run.answered = false
	for i := range run.Certificates {
		c := &run.Certificates[i]
		if c.Request == "" {
			continue
		}
		request, ok := engine.Get[*certificatesv1.PodCertificateRequest](r.view, engine.PodCertificateRequests, run.pod.Namespace, c.Request)
		switch {
		case !ok:
			// Deviation: upstream believes that it is gone after ten minutes.
			c.Request, c.AskAt = "", now
		case r.takeAnswer(ctx, run, c, request):
			c.Request, run.retry = "", true
			if run.Sandbox == sandboxReady {
				run.RemountAt = now
			}
		}
	}
}

// takeAnswer reports whether a request was answered.
func (r *Reconciler) takeAnswer(ctx context.Context, run *podRun, c *certificateState, request *certificatesv1.PodCertificateRequest) bool {
	for i := range request.Status.Conditions {
		switch condition := &request.Status.Conditions[i]; condition.Type {
		case certificatesv1.PodCertificateRequestConditionTypeIssued:
			r.takeCertificate(run, c, &request.Status)
			return true
		case certificatesv1.PodCertificateRequestConditionTypeDenied:
			run.refuse(ctx, c, request, condition, "denied", "was denied")
			return true
		case certificatesv1.PodCertificateRequestConditionTypeFailed:
			run.refuse(ctx, c, request, condition, "failed", "failed")
			return true
		}
	}
	return false
}

func (r *Reconciler) takeCertificate(run *podRun, c *certificateState, issued *certificatesv1.PodCertificateRequestStatus) {
	seed := r.keySeed(run.pod, c, c.Asked)
	key, _, err := podKey(c.projection(run.pod).KeyType, seed)
	if err != nil {
		panic(fmt.Sprintf("lifecycle: a key that was made before: %v", err))
	}
	c.Key, c.Chain = string(key), cleanChain(issued.CertificateChain)
	if issued.BeginRefreshAt != nil {
		c.AskAt = engine.After(issued.BeginRefreshAt.Time, time.Duration(seed%uint64(refreshJitter)))
	}
}

// refuse notes that there will be no certificate.
func (run *podRun) refuse(ctx context.Context, c *certificateState, request *certificatesv1.PodCertificateRequest, why *metav1.Condition, is, was string) {
	c.Refused = fmt.Sprintf("PodCertificateRequest was permanently %s: reason=%q message=%q", is, why.Reason, why.Message)
	text := fmt.Sprintf("PodCertificateRequest %s/%s %s, reason=%q, message=%q", request.Namespace, request.Name, was, why.Reason, why.Message)
	run.event(ctx, -1, event.CertificateRefused(why.Type, why.Reason, text))
}

// cleanChain drops what is not a certificate. Source: cleanCertificateChain, ibid.
func cleanChain(chain string) string {
	var out []byte
	for block, rest := pem.Decode([]byte(chain)); block != nil; block, rest = pem.Decode(rest) {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes})...)
	}
	return string(out)
}

// addPodCertificate adds the files of a source, whose certificate must be there.
func (p *payload) addPodCertificate(volume string, index int, s *corev1.PodCertificateProjection, mode *int32) error {
	c := p.run.certificate(volume, index)
	switch {
	case c.Refused != "":
		return errors.New(c.Refused)
	case c.Key == "":
		return errors.New("credential bundle is not issued yet")
	}
	for _, file := range [...]struct{ path, data string }{
		{s.CredentialBundlePath, c.Key + c.Chain}, {s.KeyPath, c.Key}, {s.CertificateChainPath, c.Chain},
	} {
		if file.path != "" {
			p.put(file.path, []byte(file.data), p.private(), mode)
		}
	}
	return nil
}
