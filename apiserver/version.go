package apiserver

import (
	"cmp"
	"runtime"
	"strconv"

	apimachineryversion "k8s.io/apimachinery/pkg/version"
	"k8s.io/apiserver/pkg/util/compatibility"
	basecompatibility "k8s.io/component-base/compatibility"
)

// Build is what a binary knows about the source from which it was built. A field is
// empty if that is not known.
type Build struct {
	// Commit is the hash of the commit; TreeState is "clean" or "dirty".
	Commit, TreeState string
	// Date is the date of the commit, in RFC 3339: two builds of one commit are the
	// same.
	Date string
}

// unknownDate is the build date of a binary without link-time stamps. Clients parse it:
// fabric8's Java client fails on an empty one. Source: buildDate in
// k8s.io/component-base/version v0.37.2.
const unknownDate = "1970-01-01T00:00:00Z"

// stampedVersion reports the release from which the API code was taken. The module
// cache has no link-time stamps. Without stamps, upstream's code would claim v0.0.0,
// and clients would refuse it.
type stampedVersion struct {
	basecompatibility.EffectiveVersion
	gitVersion string
	build      Build
}

func newVersion(gitVersion string, build Build) stampedVersion {
	return stampedVersion{EffectiveVersion: compatibility.DefaultBuildEffectiveVersion(), gitVersion: gitVersion, build: build}
}

// Info implements compatibility.EffectiveVersion.
func (v stampedVersion) Info() *apimachineryversion.Info {
	info := v.EffectiveVersion.Info()
	if info == nil {
		info = &apimachineryversion.Info{}
	}
	binary := v.BinaryVersion()
	info.Major, info.Minor = strconv.FormatUint(uint64(binary.Major()), 10), strconv.FormatUint(uint64(binary.Minor()), 10)
	info.GitVersion = v.gitVersion
	info.GitCommit, info.GitTreeState, info.BuildDate = v.build.Commit, v.build.TreeState, cmp.Or(v.build.Date, unknownDate)
	info.GoVersion, info.Compiler = runtime.Version(), runtime.Compiler
	info.Platform = runtime.GOOS + "/" + runtime.GOARCH
	return info
}
