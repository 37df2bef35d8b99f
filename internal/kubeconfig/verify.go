package kubeconfig

import (
	"bytes"
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v3"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// load is client-go's reading of a text.
func load(text string) (*clientcmdapi.Config, error) { return clientcmd.Load([]byte(text)) }

// verify compares a document with what it was earlier: all but the entries of a name is the
// same, unknown fields too, and client-go reads them as e, or not at all.
func (d *document) verify(earlier *document, name string, e *Entry) error {
	was, is, err := d.decode(earlier)
	if err != nil {
		return errTooClever
	}
	for _, key := range listKeys() {
		without(was, key, name)
		without(is, key, name)
	}
	if earlier.root == nil {
		delete(is, "apiVersion")
		delete(is, "kind")
	}
	if !reflect.DeepEqual(was, is) {
		return errTooClever
	}
	config, err := load(d.text)
	if err != nil {
		return errTooClever
	}
	if e == nil {
		return nil
	}
	cluster, user, context := config.Clusters[name], config.AuthInfos[name], config.Contexts[name]
	if cluster == nil || user == nil || context == nil ||
		cluster.Server != e.Server || !bytes.Equal(cluster.CertificateAuthorityData, e.CA) ||
		!bytes.Equal(user.ClientCertificateData, e.Certificate) || !bytes.Equal(user.ClientKeyData, e.Key) ||
		context.Cluster != name || context.AuthInfo != name {
		return errTooClever
	}
	return nil
}

// verifyCurrent compares a document with what it was earlier: nothing but the current
// context has changed.
func (d *document) verifyCurrent(earlier *document, name *string) error {
	was, is, err := d.decode(earlier)
	if err != nil {
		return errTooClever
	}
	delete(was, currentKey)
	delete(is, currentKey)
	config, err := load(d.text)
	want := ""
	if name != nil {
		want = *name
	}
	if err != nil || config.CurrentContext != want || !reflect.DeepEqual(was, is) {
		return errTooClever
	}
	return nil
}

func (d *document) decode(earlier *document) (was, is map[string]any, err error) {
	if err = yaml.Unmarshal([]byte(earlier.text), &was); err == nil {
		err = yaml.Unmarshal([]byte(d.text), &is)
	}
	if was == nil {
		was = map[string]any{}
	}
	if is == nil {
		is = map[string]any{}
	}
	return was, is, err
}

// without drops the thing of a name from a list, and a list that is empty.
func without(root map[string]any, key, name string) {
	list, _ := root[key].([]any)
	var kept []any
	for _, thing := range list {
		if m, ok := thing.(map[string]any); ok && m["name"] == name {
			continue
		}
		kept = append(kept, thing)
	}
	if root[key] = kept; len(kept) == 0 {
		delete(root, key)
	}
}

func foreign(name string) error {
	return fmt.Errorf("%w: %s: rename those with 'kubectl config rename-context %s OTHER' or remove them, or give this cluster another name", ErrForeign, name, name)
}
