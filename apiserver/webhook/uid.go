package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	webhookutil "k8s.io/apiserver/pkg/util/webhook"
	restclient "k8s.io/client-go/rest"

	"github.com/kubesim-dev/kubesim/apiserver/registry"
)

// uids are the UIDs under which the webhooks of one request know its questions.
type uids struct {
	// random, if set, draws them. Otherwise they follow from the questions.
	random registry.Random
	// of has them by upstream's UID.
	of map[string]string
	// asked is the one of the last question. The answer to an earlier attempt of the
	// same request has that of the attempt; see ErrLater.
	asked string
	// later says that a call has returned ErrLater.
	later bool
}

type uidsKey struct{}

// name returns the UID for a question to which upstream has given another.
func (u *uids) name(upstreams string, question []byte) string {
	name := ""
	if u.random != nil {
		name = string(u.random.UID())
	} else {
		name = uuid.NewSHA1(uuid.NameSpaceOID, question).String()
	}
	if u.of == nil {
		u.of = map[string]string{}
	}
	u.of[upstreams], u.asked = name, name
	return name
}

// in replaces upstream's UIDs in what a client is told.
func (u *uids) in(err error) error {
	var status *apierrors.StatusError
	if len(u.of) == 0 || !errors.As(err, &status) {
		return err
	}
	told := status.ErrStatus
	for upstreams, name := range u.of {
		told.Message = strings.ReplaceAll(told.Message, upstreams, name)
		if told.Details == nil {
			continue
		}
		details := *told.Details
		details.Causes = make([]metav1.StatusCause, 0, len(told.Details.Causes))
		for _, cause := range told.Details.Causes {
			cause.Message = strings.ReplaceAll(cause.Message, upstreams, name)
			details.Causes = append(details.Causes, cause)
		}
		told.Details = &details
	}
	return &apierrors.StatusError{ErrStatus: told}
}

// resolver lets the clients of webhooks use our UIDs, and our way to Services.
func (c Config) resolver(next webhookutil.AuthenticationInfoResolver) webhookutil.AuthenticationInfoResolver {
	wrap := func(cfg *restclient.Config, err error, send func(http.RoundTripper) http.RoundTripper) (*restclient.Config, error) {
		if err == nil {
			cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return transport{send(next)} })
		}
		return cfg, err
	}
	return &webhookutil.AuthenticationInfoResolverDelegator{
		ClientConfigForFunc: func(hostPort string) (*restclient.Config, error) {
			cfg, err := next.ClientConfigFor(hostPort)
			return wrap(cfg, err, func(next http.RoundTripper) http.RoundTripper { return next })
		},
		ClientConfigForServiceFunc: func(name, namespace string, port int) (*restclient.Config, error) {
			cfg, err := next.ClientConfigForService(name, namespace, port)
			if err == nil {
				cfg.Dial = nowhere
			}
			return wrap(cfg, err, func(next http.RoundTripper) http.RoundTripper { return inside{c, next} })
		},
	}
}

// transport replaces the UID of a question, and puts it back in the answer.
type transport struct{ next http.RoundTripper }

var _ utilnet.RoundTripperWrapper = transport{}

// WrappedRoundTripper implements utilnet.RoundTripperWrapper.
func (t transport) WrappedRoundTripper() http.RoundTripper { return t.next }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	names, ok := req.Context().Value(uidsKey{}).(*uids)
	if !ok || req.Body == nil {
		return t.next.RoundTrip(req)
	}
	question, err := io.ReadAll(req.Body)
	_ = req.Body.Close() // it is a buffer
	if err != nil {
		return nil, err
	}
	upstreams, err := uidOf(question)
	if err != nil {
		return nil, err
	}
	name := names.name(upstreams, bytes.Replace(question, []byte(upstreams), nil, 1))
	question = bytes.Replace(question, []byte(upstreams), []byte(name), 1)
	req = req.Clone(req.Context())
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(question)), int64(len(question))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(question)), nil }
	answer, err := t.next.RoundTrip(req)
	if err != nil {
		names.later = names.later || errors.Is(err, ErrLater)
		return nil, err
	}
	return restore(answer, names.asked, upstreams)
}

// uidOf returns the UID of a question. It comes first in the question's request.
func uidOf(question []byte) (string, error) {
	_, rest, found := bytes.Cut(question, []byte(`"request":{"uid":"`))
	uid, _, ended := bytes.Cut(rest, []byte(`"`))
	if !found || !ended || len(uid) == 0 {
		return "", fmt.Errorf("webhook: a review of another form: %.100q", question)
	}
	return string(uid), nil
}

// restore gives an answer upstream's UID, if it has the right one.
func restore(answer *http.Response, name, upstreams string) (*http.Response, error) {
	data, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close() // it has been read
	if err != nil {
		return nil, err
	}
	if renamed, ok := rename(data, name, upstreams); ok {
		data = renamed
	}
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
	answer.Header.Set("Content-Length", strconv.Itoa(len(data)))
	return answer, nil
}

// rename changes response.uid alone: a webhook may write the UID elsewhere too, for
// people to read.
func rename(answer []byte, from, to string) ([]byte, bool) {
	var review, response map[string]json.RawMessage
	var uid string
	if json.Unmarshal(answer, &review) != nil || json.Unmarshal(review["response"], &response) != nil ||
		json.Unmarshal(response["uid"], &uid) != nil || uid != from {
		return nil, false
	}
	response["uid"] = json.RawMessage(strconv.Quote(to))
	inner, err := json.Marshal(response)
	if err != nil {
		return nil, false
	}
	review["response"] = inner
	data, err := json.Marshal(review)
	return data, err == nil
}
