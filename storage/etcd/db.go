package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"
)

// Config is what Open needs.
type Config struct {
	// Servers are the URLs of etcd's members.
	Servers []string
	// Prefix begins every key, for example "/registry".
	Prefix string
	// CAFile, CertFile and KeyFile secure the connection; empty for none.
	CAFile, CertFile, KeyFile string
	// CompactionInterval is how much history is kept, in wall time.
	CompactionInterval time.Duration
	// OnFatal is called when commits may have been missed. Then observers can no longer
	// be told the truth, and the process should exit. Required.
	OnFatal func(error)
}

func (c *Config) validate() error {
	var errs []error
	if len(c.Servers) == 0 {
		errs = append(errs, errors.New("etcd: Config.Servers is empty: want the URLs of etcd's members"))
	}
	if c.Prefix == "" {
		errs = append(errs, errors.New("etcd: Config.Prefix is empty: want for example /registry"))
	}
	if c.OnFatal == nil {
		errs = append(errs, errors.New("etcd: Config.OnFatal is nil"))
	}
	return errors.Join(errs...)
}

// DB is a connection to one cluster's keys.
type DB struct {
	cfg    Config
	client *clientv3.Client
	root   string // the prefix, with slashes at both ends

	// mu orders observers.
	mu        sync.Mutex
	resources []*resource
	observers []*observer
	seen      int64         // what observers have seen
	moved     chan struct{} // closed when seen moves
	destroy   []factory.DestroyFunc

	following bool
	stop      context.CancelFunc
	stopped   chan struct{} // closed when nothing is followed any more
}

// dialTimeout bounds how long Open waits for an answer. Unit: wall time.
const dialTimeout = 5 * time.Second

// Open connects to etcd. It fails if no member answers.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	client, err := connect(&cfg)
	if err != nil {
		return nil, fmt.Errorf("etcd at %s: %w", strings.Join(cfg.Servers, ", "), err)
	}
	db := &DB{cfg: cfg, client: client, root: strings.TrimSuffix(path.Join("/", cfg.Prefix), "/") + "/", moved: make(chan struct{})}
	asked, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if _, err := client.Get(asked, db.revisionKey()); err != nil {
		_ = client.Close() // the first error is the one that counts
		return nil, fmt.Errorf("etcd at %s does not answer: %w: start it, or name other members with --etcd-servers", strings.Join(cfg.Servers, ", "), cfg.reason(ctx, err))
	}
	return db, nil
}

func connect(cfg *Config) (*clientv3.Client, error) {
	secure, err := cfg.tls()
	if err != nil {
		return nil, err
	}
	return clientv3.New(clientv3.Config{Endpoints: cfg.Servers, DialTimeout: dialTimeout, TLS: secure, Logger: zap.NewNop()})
}

// tls is nil if no file is named.
func (c *Config) tls() (*tls.Config, error) {
	if c.CAFile == "" && c.CertFile == "" && c.KeyFile == "" {
		return nil, nil
	}
	info := transport.TLSInfo{TrustedCAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile}
	return info.ClientConfig()
}

// reason looks for a better error than err, which only says that time is up: nobody
// listens, or not with TLS, or with a certificate that is not trusted.
func (c *Config) reason(ctx context.Context, err error) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	secure, tlsErr := c.tls()
	if tlsErr != nil {
		return tlsErr
	}
	for _, server := range c.Servers {
		u, parseErr := url.Parse(server)
		if parseErr != nil {
			return parseErr
		}
		dial := (&net.Dialer{}).DialContext
		if u.Scheme == "https" {
			dial = (&tls.Dialer{Config: secure}).DialContext
		}
		conn, dialErr := dial(ctx, "tcp", u.Host)
		if dialErr == nil {
			_ = conn.Close() // nothing was sent
			return err
		}
		err = dialErr
	}
	return err
}

// backendConfig is upstream's form of the configuration.
func (db *DB) backendConfig() storagebackend.Config {
	c := storagebackend.NewDefaultConfig(db.cfg.Prefix, nil)
	c.Transport.ServerList = db.cfg.Servers
	c.Transport.TrustedCAFile, c.Transport.CertFile, c.Transport.KeyFile = db.cfg.CAFile, db.cfg.CertFile, db.cfg.KeyFile
	if db.cfg.CompactionInterval != 0 {
		c.CompactionInterval = db.cfg.CompactionInterval
	}
	return *c
}

// Close ends watches, observers and connections.
func (db *DB) Close() error {
	db.mu.Lock()
	following, destroy := db.following, db.destroy
	db.mu.Unlock()
	if following {
		db.stop()
		<-db.stopped
	}
	for _, f := range destroy {
		f()
	}
	return db.client.Close()
}
