// Package version says which Kubernetes this is, and what it was built from.
package version

import "runtime/debug"

// Kubernetes is the release whose API code is linked in; go.mod pins it.
const Kubernetes = "v1.37.2"

// Git is what the API server reports at /version: the release, so that
// clients accept it, marked as ours.
const Git = Kubernetes + "+kubesim"

// modulePath is this module's. A program that has kubesim as a library, such as a
// user's test, was built from other sources.
const modulePath = "github.com/kubesim-dev/kubesim"

// Build is what a binary knows about the source from which it was built, as
// apiserver.Build has it: this package does not import the API server, so that its tests
// link in a moment.
type Build struct {
	Commit, TreeState, Date string
}

// Built is the commit that this binary was built from, where Go knows it.
func Built() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Path != modulePath {
		return Build{}
	}
	return buildOf(info.Settings)
}

func buildOf(settings []debug.BuildSetting) (b Build) {
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			b.Commit = s.Value
		case s.Key == "vcs.time":
			b.Date = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			b.TreeState = "dirty"
		case s.Key == "vcs.modified":
			b.TreeState = "clean"
		}
	}
	return b
}

// Module is the module's version where Go knows it.
func Module() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
