package apiserver

import (
	"runtime"
	"strconv"

	apimachineryversion "k8s.io/apimachinery/pkg/version"
	"k8s.io/apiserver/pkg/util/compatibility"
	basecompatibility "k8s.io/component-base/compatibility"
)

// stampedVersion reports the release that the API code was taken from. The
// module cache knows no link-time stamps: unstamped, upstream's code would
// claim v0.0.0 and clients would refuse it.
type stampedVersion struct {
	basecompatibility.EffectiveVersion
	gitVersion string
}

func newVersion(gitVersion string) stampedVersion {
	return stampedVersion{EffectiveVersion: compatibility.DefaultBuildEffectiveVersion(), gitVersion: gitVersion}
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
	info.GitCommit, info.GitTreeState, info.BuildDate = "", "", ""
	info.GoVersion, info.Compiler = runtime.Version(), runtime.Compiler
	info.Platform = runtime.GOOS + "/" + runtime.GOARCH
	return info
}
