// Command kubesim simulates a Kubernetes cluster: the real API, Jobs and Pods
// that run by script, in virtual time, in one process.
package main

import (
	"os"

	"github.com/kubesim-dev/kubesim/cmd/kubesim/app"
)

func main() {
	os.Exit(app.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
