package cluster

import (
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// clusterName is the cluster's and the context's name in the kubeconfig:
// upstream's e2e framework looks the cluster up by the context's.
const clusterName = "kubesim"

// writeKubeconfig writes the administrator's kubeconfig, readable by its owner
// only.
func writeKubeconfig(path, server string, ca, certificate, key []byte) error {
	config := clientcmdapi.NewConfig()
	config.Clusters[clusterName] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca}
	config.AuthInfos["kubernetes-admin"] = &clientcmdapi.AuthInfo{ClientCertificateData: certificate, ClientKeyData: key}
	config.Contexts[clusterName] = &clientcmdapi.Context{Cluster: clusterName, AuthInfo: "kubernetes-admin"}
	config.CurrentContext = clusterName
	data, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		return fmt.Errorf("kubeconfig %s: %w", path, rootCause(err))
	}
	if err := writeFile(path, data); err != nil {
		return fmt.Errorf("kubeconfig %s: %w: choose another place with --kubeconfig", path, rootCause(err))
	}
	return nil
}

// findKubeconfig is where the other subcommands look for the server: the flag,
// then $KUBECONFIG, then the default data directory.
func findKubeconfig(flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if env := os.Getenv("KUBECONFIG"); env != "" {
		return env, nil
	}
	dir, err := defaultDataDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "kubeconfig")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("no kubeconfig at %s: start a server with 'kubesim serve', or name one with --kubeconfig", path)
	}
	return path, nil
}
