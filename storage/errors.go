package storage

import (
	"errors"

	"github.com/kubesim-dev/kubesim/storage/boltfile"
)

// What Open and the store's methods report. Each is wrapped in a line that says
// what to do.
var (
	ErrInUse       = errors.New("the file is in use by another process")
	ErrNewerFormat = errors.New("the file was written by a newer kubesim")
	ErrCorrupt     = boltfile.ErrDamaged
	ErrReadOnly    = errors.New("the file cannot be written")
	ErrDiskFull    = errors.New("the disk is full")
	ErrFailed      = errors.New("a commit failed and the store takes no more writes")
	ErrClosed      = errors.New("the store is closed")
	ErrWithdrawn   = errors.New("the resource is not served any more")

	// errCompacted says that the requested revision is below the compacted one.
	errCompacted = errors.New("required revision has been compacted")
	// errTakenBack says that the cluster was rewound while a watch was open.
	errTakenBack = errors.New("the cluster was rewound")
	// errConflict says that the key changed between a read and the write based on it.
	errConflict = errors.New("the key has changed")
)
