// Package image knows the container images that learners and test suites use:
// their default commands, environments and files, and which images cannot be
// pulled. It is a table and functions of it: two calls give the same answer.
package image
