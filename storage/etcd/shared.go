package etcd

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/apiserver/pkg/storage/storagebackend"
)

// own is the folder of keys that are not objects.
const own = "kubesim"

// Once returns the value of name, which is the same for all servers at all times. The
// first server that asks creates it.
func (db *DB) Once(ctx context.Context, name string, value func() ([]byte, error)) ([]byte, error) {
	key := db.root + own + "/" + name
	found, err := db.client.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("etcd: read %s: %w", key, err)
	}
	if len(found.Kvs) > 0 {
		return found.Kvs[0].Value, nil
	}
	proposed, err := value()
	if err != nil {
		return nil, err
	}
	// Another server may have been faster.
	done, err := db.client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
		Then(clientv3.OpPut(key, string(proposed))).
		Else(clientv3.OpGet(key)).Commit()
	if err != nil {
		return nil, fmt.Errorf("etcd: write %s: %w", key, err)
	}
	if done.Succeeded {
		return proposed, nil
	}
	return done.Responses[0].GetResponseRange().Kvs[0].Value, nil
}

// pingTimeout bounds how long Ping waits. Unit: wall time. Source:
// DefaultHealthcheckTimeout in k8s.io/apiserver pkg/storage/storagebackend.
const pingTimeout = storagebackend.DefaultHealthcheckTimeout

// Ping asks etcd for an answer that only a working one can give.
func (db *DB) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	_, err := db.client.Get(ctx, db.revisionKey())
	return err
}

func (db *DB) revisionKey() string { return db.root + own + "/revision" }

// NewRevision returns the revision of a write: a number that no other call gets, on any
// server.
func (db *DB) NewRevision(ctx context.Context) (int64, error) {
	key := db.revisionKey()
	done, err := db.client.Put(ctx, key, "")
	if err != nil {
		return 0, fmt.Errorf("etcd: write %s: %w", key, err)
	}
	return done.Header.Revision, nil
}
