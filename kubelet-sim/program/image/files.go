package image

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// account is a line of /etc/passwd.
type account struct {
	name     string
	uid, gid uint32
	home     string
	shell    string
}

func (im *Image) accounts() []account {
	shell := "/bin/sh"
	if im.Distro == Debian || im.Distro == Ubuntu || im.Distro == Unknown {
		shell = "/bin/bash"
	}
	list := []account{
		{"root", 0, 0, "/root", shell},
		{"daemon", 1, 1, "/usr/sbin", "/usr/sbin/nologin"},
		{"bin", 2, 2, "/bin", "/usr/sbin/nologin"},
		{"sys", 3, 3, "/dev", "/usr/sbin/nologin"},
		{"mail", 8, 8, "/var/mail", "/usr/sbin/nologin"},
		{"www-data", 33, 33, "/var/www", "/usr/sbin/nologin"},
	}
	switch im.Name {
	case "nginx", "nginx-unprivileged":
		list = append(list, account{"nginx", 101, 101, "/nonexistent", "/bin/false"})
	case "redis", "postgres", "mysql", "mariadb":
		list = append(list, account{im.Name, 999, 999, "/var/lib/" + im.Name, "/bin/bash"})
	case "node":
		list = append(list, account{"node", 1000, 1000, "/home/node", "/bin/bash"})
	}
	nobody := account{"nobody", 65534, 65534, "/nonexistent", "/usr/sbin/nologin"}
	if im.Distro == Busybox || im.Distro == Alpine {
		nobody.home = "/home"
	}
	return append(list, nobody)
}

func (im *Image) passwd() string {
	var s strings.Builder
	for _, a := range im.accounts() {
		fmt.Fprintf(&s, "%s:x:%d:%d:%s:%s:%s\n", a.name, a.uid, a.gid, a.name, a.home, a.shell)
	}
	return s.String()
}

// busyboxGroups and alpineGroups are the /etc/group of these images.
const (
	busyboxGroups = "root:x:0:\ndaemon:x:1:\nbin:x:2:\nsys:x:3:\nadm:x:4:\ntty:x:5:\ndisk:x:6:\nlp:x:7:\nmail:x:8:\nkmem:x:9:\nwheel:x:10:root\n" +
		"cdrom:x:11:\ndialout:x:18:\nfloppy:x:19:\nvideo:x:28:\naudio:x:29:\ntape:x:32:\nwww-data:x:33:\noperator:x:37:\nutmp:x:43:\nplugdev:x:46:\n" +
		"staff:x:50:\nlock:x:54:\nnetdev:x:82:\nusers:x:100:\n"
	alpineGroups = "root:x:0:root\nbin:x:1:root,bin,daemon\ndaemon:x:2:root,bin,daemon\nsys:x:3:root,bin\nadm:x:4:root,daemon\ntty:x:5:\ndisk:x:6:root\n" +
		"lp:x:7:lp\nkmem:x:9:\nwheel:x:10:root\nfloppy:x:11:root\nmail:x:12:mail\nnews:x:13:news\nuucp:x:14:uucp\ncron:x:16:cron\naudio:x:18:\n" +
		"cdrom:x:19:\ndialout:x:20:root\nftp:x:21:\nsshd:x:22:\ninput:x:23:\ntape:x:26:root\nvideo:x:27:root\nnetdev:x:28:\nkvm:x:34:kvm\n" +
		"games:x:35:\nshadow:x:42:\nwww-data:x:82:\nusers:x:100:games\nntp:x:123:\nabuild:x:300:\nutmp:x:406:\nping:x:999:\nnogroup:x:65533:\n"
)

func (im *Image) group() string {
	var s strings.Builder
	switch im.Distro {
	case Busybox:
		s.WriteString(busyboxGroups)
	case Alpine:
		s.WriteString(alpineGroups)
	}
	have := "\n" + s.String()
	for _, a := range im.accounts() {
		name := a.name
		if name == "nobody" && (im.Distro == Debian || im.Distro == Ubuntu || im.Distro == Unknown) {
			name = "nogroup"
		}
		if !strings.Contains(have, "\n"+name+":") {
			fmt.Fprintf(&s, "%s:x:%d:\n", name, a.gid)
		}
	}
	if im.Distro != Busybox && im.Distro != Alpine {
		s.WriteString("users:x:100:\n")
	}
	return s.String()
}

// groupsOf are the groups of a user beside its own, in the file's order.
func (im *Image) groupsOf(uid uint32) []uint32 {
	if im.Distro == Bare {
		return nil
	}
	name := ""
	for _, a := range im.accounts() {
		if a.uid == uid {
			name = a.name
		}
	}
	var groups []uint32
	for line := range strings.Lines(im.group()) {
		if name == "" || !strings.Contains(line[strings.LastIndexByte(line, ':'):], name) {
			continue // most lines of most images, at each start of a container
		}
		f := strings.Split(strings.TrimSpace(line), ":")
		gid, err := strconv.ParseUint(f[2], 10, 32)
		if err == nil && slices.Contains(strings.Split(f[3], ","), name) {
			groups = append(groups, uint32(gid))
		}
	}
	return groups
}

func (im *Image) osRelease() string {
	version := strings.TrimPrefix(im.Tag, "v")
	switch im.Distro {
	case Busybox:
		return "NAME=Buildroot\nVERSION=2025.02\nID=buildroot\nVERSION_ID=2025.02\nPRETTY_NAME=\"Buildroot 2025.02\"\n"
	case Alpine:
		if im.Name != "alpine" || version == "latest" || version == "" {
			version = "3.22.2"
		}
		return "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=" + version + "\nPRETTY_NAME=\"Alpine Linux v" + version +
			"\"\nHOME_URL=\"https://alpinelinux.org/\"\nBUG_REPORT_URL=\"https://gitlab.alpinelinux.org/alpine/aports/-/issues\"\n"
	case Ubuntu:
		if version == "latest" || version == "" {
			version = "24.04"
		}
		return "PRETTY_NAME=\"Ubuntu " + version + " LTS\"\nNAME=\"Ubuntu\"\nVERSION_ID=\"" + version +
			"\"\nID=ubuntu\nID_LIKE=debian\nHOME_URL=\"https://www.ubuntu.com/\"\n"
	}
	return "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n" +
		"VERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\nHOME_URL=\"https://www.debian.org/\"\n"
}

// nginxIndex is the page that the nginx image serves.
// Source: /usr/share/nginx/html/index.html of nginx:1.29.
const nginxIndex = `<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
<style>
html { color-scheme: light dark; }
body { width: 35em; margin: 0 auto;
font-family: Tahoma, Verdana, Arial, sans-serif; }
</style>
</head>
<body>
<h1>Welcome to nginx!</h1>
<p>If you see this page, the nginx web server is successfully installed and
working. Further configuration is required.</p>

<p>For online documentation and support please refer to
<a href="http://nginx.org/">nginx.org</a>.<br/>
Commercial support is available at
<a href="http://nginx.com/">nginx.com</a>.</p>

<p><em>Thank you for using nginx.</em></p>
</body>
</html>
`

const nginxConf = `server {
    listen       80;
    server_name  localhost;

    location / {
        root   /usr/share/nginx/html;
        index  index.html index.htm;
    }

    error_page   500 502 503 504  /50x.html;
    location = /50x.html {
        root   /usr/share/nginx/html;
    }
}
`

// contents adds the files that make an image what it is.
func (b *builder) contents(im *Image) {
	switch im.Name {
	case "nginx", "nginx-unprivileged":
		b.text("/usr/share/nginx/html/index.html", nginxIndex)
		b.text("/usr/share/nginx/html/50x.html", "<html><body><h1>An error occurred.</h1></body></html>\n")
		b.text("/etc/nginx/nginx.conf", "user  nginx;\nworker_processes  auto;\n\nerror_log  /var/log/nginx/error.log notice;\npid        /run/nginx.pid;\n\n"+
			"events {\n    worker_connections  1024;\n}\n\nhttp {\n    include       /etc/nginx/mime.types;\n    access_log  /var/log/nginx/access.log  main;\n"+
			"    include /etc/nginx/conf.d/*.conf;\n}\n")
		b.text("/etc/nginx/conf.d/default.conf", nginxConf)
		b.dir("/var/log/nginx", 0o755)
		b.dir("/run", 0o755)
		b.dir("/docker-entrypoint.d", 0o755)
		b.link("/dev/stdout", "/var/log/nginx/access.log")
		b.link("/dev/stderr", "/var/log/nginx/error.log")
	case "httpd":
		b.text("/usr/local/apache2/htdocs/index.html", "<html><body><h1>It works!</h1></body></html>\n")
		b.dir("/usr/local/apache2/logs", 0o755)
	case "redis":
		b.dir("/data", 0o755)
	case "curl":
		b.program("/usr/bin/curl", "curl")
	case "agnhost":
		b.text("/etc/hosts-original", "127.0.0.1\tlocalhost\n")
		b.text("/localhost.crt", agnhostCertificate)
	}
}
