package cluster

import (
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubesim-dev/kubesim/internal/datadir"
	"github.com/kubesim-dev/kubesim/internal/pki"
)

// clusterName is the cluster's and the context's name in the kubeconfig:
// upstream's e2e framework looks the cluster up by the context's.
const clusterName = "kubesim"

// writeKubeconfig writes the administrator's kubeconfig, readable by its owner
// only.
func writeKubeconfig(path, server string, ca, certificate, key []byte) error {
	config := clientcmdapi.NewConfig()
	config.Clusters[clusterName] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca}
	config.AuthInfos[pki.Administrator] = &clientcmdapi.AuthInfo{ClientCertificateData: certificate, ClientKeyData: key}
	config.Contexts[clusterName] = &clientcmdapi.Context{Cluster: clusterName, AuthInfo: pki.Administrator}
	config.CurrentContext = clusterName
	data, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), datadir.Mode); err != nil {
		return fmt.Errorf("kubeconfig %s: %w", path, datadir.Cause(err))
	}
	if err := datadir.WriteFile(path, data); err != nil {
		return fmt.Errorf("kubeconfig %s: %w: choose another place with --kubeconfig", path, datadir.Cause(err))
	}
	return nil
}
