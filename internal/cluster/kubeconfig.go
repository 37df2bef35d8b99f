package cluster

import (
	"context"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"

	"github.com/kubesim-dev/kubesim/internal/kubeconfig"
	"github.com/kubesim-dev/kubesim/internal/listener"
)

// writeKubeconfig puts the administrator's entries into the kubeconfig in the data
// directory and into the one that the user has named.
func (r *ring) writeKubeconfig(ctx context.Context) error {
	certificate, key, err := r.keys.Administrator(time.Now())
	if err != nil {
		return err
	}
	entry := kubeconfig.Entry{
		Name: kubeconfig.Context(r.c.options.Name), Server: "https://" + listener.Reachable(r.c.listener.Addr()),
		CA: r.keys.Certificate(), Certificate: certificate, Key: key,
	}
	r.access = rest.Config{Host: entry.Server, TLSClientConfig: rest.TLSClientConfig{CAData: entry.CA, CertData: certificate, KeyData: key}}
	own := r.c.dir.File("kubeconfig")
	named := own
	if path := r.c.options.Kubeconfig; path != "" {
		if named, err = filepath.Abs(path); err != nil {
			return err
		}
	}
	if named != own {
		if err := kubeconfig.Merge(ctx, named, entry); err != nil {
			return err
		}
	}
	r.c.kubeconfig = named
	return kubeconfig.Merge(ctx, own, entry)
}
