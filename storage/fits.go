package storage

import "go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

// requestMax bounds the request with which a value is written. Source:
// DefaultMaxRequestBytes in go.etcd.io/etcd/server/v3 embed v3.7.0. Unit: bytes.
const requestMax = 3 << 19

// fits says what etcd says of a value that is too large: upstream's handlers know this
// error, and try again without managedFields. What a real cluster refuses would work here
// only; and an object costs several times its size whenever it is listed.
// What the engine writes is not encoded yet when it is accepted: see roundTrip.
func fits(key string, value []byte) error {
	// The request names the key in the comparison, the write and the read if that fails.
	const framing = 64
	if 3*len(key)+len(value)+framing > requestMax {
		return rpctypes.ErrRequestTooLarge
	}
	return nil
}
