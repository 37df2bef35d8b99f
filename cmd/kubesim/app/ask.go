package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubesim-dev/kubesim/internal/datadir"
	"github.com/kubesim-dev/kubesim/internal/kubeconfig"
)

// errInterrupted: the user did not want to wait for the server's answer.
var errInterrupted = errors.New("interrupted")

// askServer sends in, as JSON, to a path on the server that
// a kubeconfig names, see findKubeconfig, and reads its answer into out. What the
// server has to object is the error's text.
func askServer(ctx context.Context, named, method, path string, in, out any) error {
	file, err := findKubeconfig(named)
	if err != nil {
		return err
	}
	config, err := clientConfig(file).ClientConfig()
	if err != nil {
		return fmt.Errorf("kubeconfig %s: %w", file, err)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return err
	}
	var body []byte
	if in != nil {
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(config.Host, "/")+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Accept", runtime.ContentTypeJSON)
	req.Header.Set("Content-Type", runtime.ContentTypeJSON)
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", string(types.MergePatchType))
	}
	response, err := client.Do(req)
	if ctx.Err() != nil {
		return errInterrupted
	}
	if err != nil {
		var where *url.Error
		if errors.As(err, &where) {
			err = where.Err
		}
		return fmt.Errorf("no answer from the server at %s: %w: is 'kubesim serve' running?", config.Host, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	switch response.StatusCode {
	case http.StatusOK, http.StatusAccepted:
		if err := json.Unmarshal(answer, out); err != nil {
			return fmt.Errorf("the answer of the server at %s is unreadable: %w", config.Host, err)
		}
		return nil
	case http.StatusNotFound:
		return fmt.Errorf("the server at %s is no kubesim server: it has no %s", config.Host, path)
	}
	var status metav1.Status
	if json.Unmarshal(answer, &status) == nil && status.Message != "" {
		return errors.New(status.Message)
	}
	return errors.New(strings.TrimSpace(string(answer)))
}

// clientConfig reads what findKubeconfig has found.
func clientConfig(file string) clientcmd.ClientConfig {
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: file}
	if several := filepath.SplitList(file); file == os.Getenv(clientcmd.RecommendedConfigPathEnvVar) && len(several) > 1 {
		rules = &clientcmd.ClientConfigLoadingRules{Precedence: several}
	}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{})
}

// findKubeconfig is where the other subcommands look for the server: the flag, then
// $KUBECONFIG, which may name several files, then ~/.kube/config if its current context is
// of kubesim, as after 'kubesim up', then the default data directory.
func findKubeconfig(flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if env := os.Getenv("KUBECONFIG"); env != "" {
		return env, nil
	}
	if _, ours := kubeconfig.Current(); ours {
		return clientcmd.RecommendedHomeFile, nil
	}
	dir, err := datadir.Default()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "kubeconfig")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("no kubeconfig at %s: start a cluster with 'kubesim up' or 'kubesim serve', or name one with --kubeconfig", path)
	}
	return path, nil
}
