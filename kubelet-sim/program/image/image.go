package image

import (
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// Path is the PATH that a runtime gives a container whose image has none.
const Path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Image is what is known of one image.
type Image struct {
	Name       string // of the table's row; empty: nothing is known
	Tag        string
	Distro     Distro
	Closed     bool // a command that it lacks cannot be started
	Entrypoint []string
	Cmd        []string
	Env        []string
	WorkingDir string
	User       User
	Programs   []Program
}

// Program is a program file of an image beside its distribution's.
type Program struct{ Path, Name string }

// Distro is the distribution that an image's files come from.
type Distro int

// The distributions.
const (
	Bare    Distro = iota // no shell
	Busybox               // Buildroot's busybox image
	Alpine                // busybox with bash-less ash
	Debian                // GNU tools, dash as sh, bash
	Ubuntu                // as Debian
	Unknown               // Debian's files; other commands are simulated
)

// User is the user that a process runs as.
type User struct {
	UID, GID uint32
	Home     string
	// Groups are those that the image's /etc/group has the user in.
	Groups []uint32
}

// Tree names the base tree: images of one name share it.
func (im *Image) Tree() string { return im.Name + ":" + im.Tag }

// UserOf is the user that a container runs as, when its security context says uid and
// gid, or -1 where it says nothing.
func (im *Image) UserOf(uid, gid int64) User {
	u := im.User
	if uid >= 0 {
		u = User{UID: uint32(uid), Home: "/"}
		for _, known := range im.accounts() {
			if known.uid == u.UID {
				u.GID, u.Home = known.gid, known.home
			}
		}
	}
	if gid >= 0 {
		u.GID = uint32(gid)
	}
	if u.UID == 0 {
		u.Home = "/root"
	}
	u.Groups = im.groupsOf(u.UID)
	return u
}

// Environment is a process's environment: the image's, then the container's,
// as containerd and runc put it together.
func (im *Image) Environment(container []string, hostname string, u User) []string {
	env := make([]string, 0, len(im.Env)+len(container)+3)
	if _, ok := kernel.LookupEnv(im.Env, "PATH"); !ok {
		env = append(env, "PATH="+Path)
	}
	env = append(env, im.Env...)
	env = append(env, "HOSTNAME="+hostname)
	for _, e := range container {
		env = setEnv(env, e)
	}
	if _, ok := kernel.LookupEnv(env, "HOME"); !ok {
		home := u.Home
		if home == "" {
			home = "/"
		}
		env = append(env, "HOME="+home)
	}
	return env
}

func setEnv(env []string, entry string) []string {
	name, _, _ := strings.Cut(entry, "=")
	for i, e := range env {
		if strings.HasPrefix(e, name) && strings.HasPrefix(e[len(name):], "=") {
			env[i] = entry
			return env
		}
	}
	return append(env, entry)
}

// StopSignal is what a runtime sends to end a container of the image: the
// image's STOPSIGNAL, else SIGTERM.
func (im *Image) StopSignal() kernel.Signal {
	switch im.Name {
	case "nginx", "nginx-unprivileged":
		return kernel.SIGQUIT
	case "httpd", "hpa-example":
		return kernel.SIGWINCH
	case "postgres":
		return kernel.SIGINT
	}
	return kernel.SIGTERM
}
