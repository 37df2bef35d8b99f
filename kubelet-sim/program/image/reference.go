package image

import (
	"regexp"
	"strings"
)

// Reference is an image's name in its parts.
type Reference struct {
	Registry   string // docker.io
	Repository string // library/nginx
	Tag        string // latest; empty if there is a digest alone
	Digest     string
}

// String is the full name, as containerd prints it.
func (r Reference) String() string {
	s := r.Registry + "/" + r.Repository
	if r.Tag != "" {
		s += ":" + r.Tag
	}
	if r.Digest != "" {
		s += "@" + r.Digest
	}
	return s
}

// Base is the last part of the repository.
func (r Reference) Base() string {
	return r.Repository[strings.LastIndexByte(r.Repository, '/')+1:]
}

// The grammar of references.
// Source: github.com/distribution/reference, regexp.go.
const (
	repositoryPattern = `^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`
	registryPattern   = `^[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]+)?$`
	tagPattern        = `^[\w][\w.-]{0,127}$`
	digestPattern     = `^[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,}$`
)

// Parse takes an image's name apart and fills in docker.io, library and latest.
// The error is an *InvalidError.
func Parse(name string) (Reference, error) {
	rest, digest, hasDigest := strings.Cut(name, "@")
	var r Reference
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, '/') {
		rest, r.Tag = rest[:i], rest[i+1:]
		if !regexp.MustCompile(tagPattern).MatchString(r.Tag) {
			return r, &InvalidError{name, "invalid reference format"}
		}
	}
	r.Digest = digest
	if hasDigest && !regexp.MustCompile(digestPattern).MatchString(digest) {
		return r, &InvalidError{name, "invalid reference format"}
	}
	if !hasDigest && r.Tag == "" {
		r.Tag = "latest"
	}
	first, path, hasSlash := strings.Cut(rest, "/")
	switch {
	case hasSlash && (strings.ContainsAny(first, ".:") || first == "localhost" || strings.ToLower(first) != first):
		r.Registry, r.Repository = first, path
	case hasSlash:
		r.Registry, r.Repository = "docker.io", rest
	default:
		r.Registry, r.Repository = "docker.io", "library/"+rest
	}
	switch {
	case r.Repository != strings.ToLower(r.Repository):
		return r, &InvalidError{name, "invalid reference format: repository name (" + r.Repository + ") must be lowercase"}
	case !regexp.MustCompile(registryPattern).MatchString(r.Registry),
		!regexp.MustCompile(repositoryPattern).MatchString(r.Repository):
		return r, &InvalidError{name, "invalid reference format"}
	}
	return r, nil
}

// InvalidError says that an image's name is no reference: the kubelet's
// InvalidImageName.
type InvalidError struct{ Name, Reason string }

func (e *InvalidError) Error() string {
	return "Failed to apply default image tag \"" + e.Name + "\": couldn't parse image name \"" + e.Name + "\": " + e.Reason
}
