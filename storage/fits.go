package storage

import "go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

// requestMax bounds the request with which a value is written. Source:
// DefaultMaxRequestBytes in go.etcd.io/etcd/server/v3 embed v3.7.0. Unit: bytes.
const requestMax = 3 << 19

// fits returns the error that etcd returns for a value that is too large. Upstream's
// handlers know this error, and try again without managedFields. An object that a real
// cluster refuses would work only here, and an object costs several times its size
// whenever it is listed. What the engine writes is not yet encoded when it is accepted:
// see roundTrip.
func fits(key string, value []byte) error {
	// The request names the key three times: in the comparison, in the write, and in
	// the read if the comparison fails.
	const framing = 64
	if 3*len(key)+len(value)+framing > requestMax {
		return rpctypes.ErrRequestTooLarge
	}
	return nil
}
