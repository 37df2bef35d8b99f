// Package upstream holds kubesim against upstream's integration tests, which
// nobody here wrote.
//
// remote runs our controllers as upstream's run, outside the server; shim has
// packages that look to upstream's tests like those that they import.
package upstream
