// Package vfs is the file system that simulated containers see: a tree in
// memory with modes, owners, symbolic links, mounts and a bound on its size.
//
// Invariant: nothing in this package reads or writes a file of the host, and
// directory order is always by name, so two runs with the same calls give the
// same answers. An image's base tree is frozen and shared by every container;
// a container copies only the directories and files that it changes.
//
// An FS is not safe for concurrent use. The engine's goroutine owns it.
package vfs

import "io/fs"

// Error is a file-system error with the text that libc's strerror gives it,
// which is how applets print it.
type Error string

// The errors that file operations return. The names are those of errno(3).
const (
	ENOENT       Error = "No such file or directory"
	EEXIST       Error = "File exists"
	ENOTDIR      Error = "Not a directory"
	EISDIR       Error = "Is a directory"
	EACCES       Error = "Permission denied"
	EPERM        Error = "Operation not permitted"
	EROFS        Error = "Read-only file system"
	ENOSPC       Error = "No space left on device"
	ENOTEMPTY    Error = "Directory not empty"
	ELOOP        Error = "Too many levels of symbolic links"
	EINVAL       Error = "Invalid argument"
	EXDEV        Error = "Cross-device link"
	EBUSY        Error = "Resource busy"
	EBADF        Error = "Bad file descriptor"
	EFBIG        Error = "File too large"
	ENAMETOOLONG Error = "File name too long"
	ENXIO        Error = "No such device or address"
)

// Error returns the text of strerror(3).
func (e Error) Error() string { return string(e) }

// Is makes errors.Is(err, fs.ErrNotExist) and its like work.
func (e Error) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return e == ENOENT
	case fs.ErrExist:
		return e == EEXIST || e == ENOTEMPTY
	case fs.ErrPermission:
		return e == EACCES || e == EPERM
	}
	return false
}
