package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// TestTheIssuerOfTokensIsDiscovered: as upstream's ServiceAccountIssuerDiscovery, a
// ServiceAccount finds out by whom its token was signed, and verifies it with the key
// that is published.
func TestTheIssuerOfTokensIsDiscovered(t *testing.T) {
	t.Parallel()
	s := newServer(t, "--ephemeral", "--nodes", "0")
	token := tokenOf(t, clientOf(t, s))
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	account := rest.AnonymousClientConfig(config)
	account.BearerToken = token
	var document struct {
		Issuer string   `json:"issuer"`
		Keys   string   `json:"jwks_uri"`
		Algs   []string `json:"id_token_signing_alg_values_supported"`
	}
	get(t, account, "/.well-known/openid-configuration", &document)
	if want := "https://kubernetes.default.svc.cluster.local"; document.Issuer != want {
		t.Errorf("the issuer is %q, want %q", document.Issuer, want)
	}
	if want := config.Host + "/openid/v1/jwks"; document.Keys != want {
		t.Errorf("the keys are at %q, want %q, where a client reaches them", document.Keys, want)
	}
	if len(document.Algs) != 1 || document.Algs[0] != "ES256" {
		t.Errorf("tokens are signed with %v, want ES256", document.Algs)
	}
	var keys struct {
		Keys []struct{ X, Y, Kid string } `json:"keys"`
	}
	get(t, account, "/openid/v1/jwks", &keys)
	if len(keys.Keys) != 1 || keys.Keys[0].Kid == "" {
		t.Fatalf("%d keys are published, want the one of the issuer, with its id: %v", len(keys.Keys), keys.Keys)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, decoded(t, keys.Keys[0].X), decoded(t, keys.Keys[0].Y)))
	if err != nil {
		t.Fatal(err)
	}
	signed, signature, _ := cutLast(token, ".")
	raw := decoded(t, signature)
	if len(raw) != 64 {
		t.Fatalf("the signature has %d bytes, want 64", len(raw))
	}
	digest := sha256.Sum256([]byte(signed))
	if !ecdsa.Verify(public, digest[:], new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])) {
		t.Error("the published key does not verify the token")
	}

	stranger := rest.AnonymousClientConfig(config)
	if err := kubernetes.NewForConfigOrDie(stranger).Discovery().RESTClient().Get().AbsPath("/openid/v1/jwks").Do(t.Context()).Error(); !apierrors.IsUnauthorized(err) {
		t.Errorf("somebody without a credential got %v, want Unauthorized", err)
	}
	other := rest.CopyConfig(config)
	other.Impersonate.UserName = "dana"
	if err := kubernetes.NewForConfigOrDie(other).Discovery().RESTClient().Get().AbsPath("/openid/v1/jwks").Do(t.Context()).Error(); !apierrors.IsForbidden(err) {
		t.Errorf("a user without the role got %v, want Forbidden", err)
	}
}

func tokenOf(t *testing.T, client kubernetes.Interface) string {
	t.Helper()
	request := &authenticationv1.TokenRequest{}
	answer, err := client.CoreV1().ServiceAccounts("default").CreateToken(context.Background(), "default", request, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return answer.Status.Token
}

func get(t *testing.T, config *rest.Config, path string, into any) {
	t.Helper()
	data, err := kubernetes.NewForConfigOrDie(config).Discovery().RESTClient().Get().AbsPath(path).DoRaw(t.Context())
	if err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
}

func decoded(t *testing.T, text string) []byte {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func cutLast(s, sep string) (before, after string, found bool) {
	at := strings.LastIndex(s, sep)
	if at < 0 {
		return s, "", false
	}
	return s[:at], s[at+len(sep):], true
}
