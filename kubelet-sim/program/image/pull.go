package image

import (
	"fmt"
	"strconv"
	"strings"
)

// PullError says why an image cannot be pulled, with containerd's words: the
// kubelet's ErrImagePull.
type PullError struct{ Message string }

func (e *PullError) Error() string { return e.Message }

// majors gives, for repositories that exercises give a wrong version of, the
// highest version that can be pulled: major, and minor of that major.
//
// Deviation: versions between the real ones are accepted.
func newest(base string) (major, minor int, ok bool) {
	switch base {
	case "nginx":
		return 1, 49, true
	case "busybox":
		return 1, 49, true
	case "httpd":
		return 2, 9, true
	case "redis", "memcached":
		return 9, 99, true
	case "alpine":
		return 3, 49, true
	case "postgres":
		return 19, 99, true
	case "mysql":
		return 9, 99, true
	case "mariadb":
		return 13, 99, true
	case "ubuntu":
		return 26, 99, true
	case "debian":
		return 14, 99, true
	case "python":
		return 3, 29, true
	case "node":
		return 26, 99, true
	}
	return 0, 0, false
}

// misspelled are repositories that exercises name to see a pull fail.
const misspelled = " ngin ngnix nignx nginxx nginix ngixn busybx busyboxx bussybox rediss alpin ubunut "

// Pull says why an image cannot be pulled: *InvalidError or *PullError. Nil: it
// can, also if nothing is known of it.
func Pull(name string) error {
	r, err := Parse(name)
	if err != nil {
		return err
	}
	full := r.String()
	head := fmt.Sprintf("failed to pull and unpack image %q: failed to resolve reference %q: ", full, full)
	switch {
	case strings.HasPrefix(r.Registry, "invalid.") || strings.HasSuffix(r.Registry, ".invalid"):
		version := r.Tag
		if r.Digest != "" {
			version = r.Digest
		}
		return &PullError{fmt.Sprintf("%sfailed to do request: Head \"https://%s/v2/%s/manifests/%s\": dial tcp: lookup %s on 10.96.0.10:53: no such host",
			"rpc error: code = Unknown desc = "+head, r.Registry, r.Repository, version, r.Registry)}
	case missing(r.Repository), strings.Contains(misspelled, " "+r.Base()+" "):
		return &PullError{"rpc error: code = Unknown desc = " + head +
			"pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed"}
	case missing(r.Tag), r.Tag == "404", !plausible(r):
		return &PullError{"rpc error: code = NotFound desc = " + head + full + ": not found"}
	}
	return nil
}

// missing tells whether a name says of itself that there is no such thing.
func missing(name string) bool {
	name = strings.ToLower(name)
	for _, word := range [...]string{
		"non-existent", "nonexistent", "non-existing", "nonexisting", "non_existent", "does-not-exist",
		"doesnotexist", "notexist", "not-exist", "notfound", "not-found",
	} {
		if strings.Contains(name, word) {
			return true
		}
	}
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, "invalid") {
			return true
		}
	}
	return false
}

// plausible tells whether a known repository may have the tag: a version up to
// its newest, or a word.
func plausible(r Reference) bool {
	major, minor, ok := newest(r.Base())
	if !ok || r.Tag == "" || !strings.HasPrefix(r.Repository, "library/") {
		return true
	}
	version, _, _ := strings.Cut(r.Tag, "-")
	parts := strings.Split(version, ".")
	a, err := strconv.Atoi(parts[0])
	if err != nil {
		return true
	}
	if a != major || len(parts) == 1 {
		return a <= major
	}
	b, err := strconv.Atoi(parts[1])
	return err != nil || b <= minor
}
