package image

import "strings"

// Find returns what is known of an image by the last part of its repository,
// so that mirrors and registry.k8s.io/e2e-test-images are known too.
func Find(ref string) *Image {
	r, err := Parse(ref)
	if err != nil {
		return &Image{Distro: Unknown, WorkingDir: "/"}
	}
	im := find(r)
	if im.WorkingDir == "" {
		im.WorkingDir = "/"
	}
	im.Tag = r.Tag
	return im
}

func find(r Reference) *Image {
	base := r.Base()
	switch base {
	case "distroless", "static", "static-debian12", "base-debian12", "scratch":
		return &Image{Name: base, Closed: true}
	case "curl":
		if strings.HasPrefix(r.Repository, "alpine/") || strings.HasPrefix(r.Repository, "curlimages/") {
			return &Image{Name: "curl", Distro: Alpine, Closed: true, Entrypoint: []string{"curl"}}
		}
	case "stress":
		if strings.HasPrefix(r.Repository, "vish/") {
			return &Image{Name: "vish-stress", Closed: true, Entrypoint: []string{"/stress"}, Programs: []Program{{"/stress", "vish-stress"}}}
		}
		return &Image{Name: "stress", Distro: Alpine, Cmd: []string{"stress"}, Programs: []Program{{"/usr/local/bin/stress", "stress"}}}
	case "dnsutils", "jessie-dnsutils", "netshoot", "network-multitool", "glibc-dns-testing":
		im := &Image{Name: base, Distro: Debian, Cmd: []string{"sleep", "infinity"}}
		for _, tool := range [...]string{"nslookup", "dig", "host", "curl", "wget", "nc", "ping", "telnet", "traceroute"} {
			im.Programs = append(im.Programs, Program{"/usr/bin/" + tool, "gnu-" + tool})
		}
		return im
	case "http-echo", "hello-app", "kubernetes-bootcamp", "whoami", "echoserver":
		return &Image{Name: base, Distro: Alpine, Entrypoint: []string{"/" + base}, Programs: []Program{{"/" + base, base}}}
	case "nodejs-hello-world":
		return &Image{Name: base, Distro: Debian, Cmd: []string{"node-hello"}, Programs: []Program{{"/usr/local/bin/node-hello", "node-hello"}}}
	}
	for _, lookup := range [...]func(string, Reference) *Image{findOS, findServer, findDatabase, findLanguage, findTest} {
		if im := lookup(base, r); im != nil {
			return im
		}
	}
	return &Image{Distro: Unknown}
}

func findOS(base string, r Reference) *Image {
	switch base {
	case "busybox":
		return &Image{Name: "busybox", Distro: Busybox, Closed: true, Cmd: []string{"sh"}}
	case "alpine":
		return &Image{Name: "alpine", Distro: Alpine, Closed: true, Cmd: []string{"/bin/sh"}}
	case "bash":
		return &Image{
			Name: "bash", Distro: Alpine, Closed: true, Entrypoint: []string{"docker-entrypoint.sh"}, Cmd: []string{"bash"},
			Programs: []Program{{"/usr/local/bin/bash", "bash"}, {"/usr/local/bin/docker-entrypoint.sh", "entrypoint"}},
		}
	case "debian":
		return &Image{Name: "debian", Distro: Debian, Closed: true, Cmd: []string{"bash"}}
	case "ubuntu":
		return &Image{Name: "ubuntu", Distro: Ubuntu, Closed: true, Cmd: []string{"/bin/bash"}}
	}
	return nil
}

// dockerEntrypoint is the entrypoint of most official images. The program
// "entrypoint" runs the command that it is given.
const dockerEntrypoint = "/docker-entrypoint.sh"

func findServer(base string, r Reference) *Image {
	debian := Debian
	if strings.Contains(r.Tag, "alpine") {
		debian = Alpine
	}
	switch base {
	case "nginx", "nginx-unprivileged", "nginx-slim", "nginx-new":
		im := &Image{
			Name: "nginx", Distro: debian, Closed: true,
			Entrypoint: []string{dockerEntrypoint}, Cmd: []string{"nginx", "-g", "daemon off;"},
			Env: []string{"PATH=" + Path, "NGINX_VERSION=" + NginxVersion(r.Tag), "NJS_VERSION=0.8.4", "PKG_RELEASE=1~bookworm"},
			Programs: []Program{
				{"/usr/sbin/nginx", "nginx"}, {dockerEntrypoint, "entrypoint"}, {"/usr/bin/curl", "gnu-curl"},
				{"/usr/sbin/nginx-debug", "nginx"},
			},
		}
		if base == "nginx-unprivileged" {
			im.Name, im.User = base, User{UID: 101, GID: 101, Home: "/nonexistent"}
		}
		return im
	case "hpa-example":
		return &Image{
			Name: "hpa-example", Distro: debian, Closed: true, Cmd: []string{"apache2-foreground"}, WorkingDir: "/var/www/html",
			Env:      []string{"PATH=" + Path, "PHP_INI_DIR=/usr/local/etc/php", "APACHE_CONFDIR=/etc/apache2", "PHP_VERSION=5.6.40"},
			Programs: []Program{{"/usr/local/bin/apache2-foreground", "hpa-example"}, {"/usr/bin/curl", "gnu-curl"}},
		}
	case "httpd":
		return &Image{
			Name: "httpd", Distro: debian, Closed: true, Cmd: []string{"httpd-foreground"}, WorkingDir: "/usr/local/apache2",
			Env:      []string{"PATH=/usr/local/apache2/bin:" + Path, "HTTPD_PREFIX=/usr/local/apache2", "HTTPD_VERSION=2.4.66"},
			Programs: []Program{{"/usr/local/bin/httpd-foreground", "httpd"}, {"/usr/local/apache2/bin/httpd", "httpd"}},
		}
	}
	return nil
}

// NginxVersion is the version that an nginx tag stands for.
func NginxVersion(tag string) string {
	version, _, _ := strings.Cut(tag, "-")
	switch strings.Count(version, ".") {
	case 2:
		return version
	case 1:
		if version[0] >= '0' && version[0] <= '9' {
			return version + ".0"
		}
	}
	return "1.29.4"
}

func findDatabase(base string, r Reference) *Image {
	debian := Debian
	if strings.Contains(r.Tag, "alpine") {
		debian = Alpine
	}
	entry := []string{"docker-entrypoint.sh"}
	const at = "/usr/local/bin/"
	switch base {
	case "redis":
		return &Image{
			Name: "redis", Distro: debian, Closed: true, Entrypoint: entry, Cmd: []string{"redis-server"}, WorkingDir: "/data",
			Programs: []Program{{at + "docker-entrypoint.sh", "entrypoint"}, {at + "redis-server", "redis-server"}, {at + "redis-cli", "redis-cli"}},
		}
	case "postgres":
		return &Image{
			Name: "postgres", Distro: debian, Closed: true, Entrypoint: entry, Cmd: []string{"postgres"},
			Env: []string{"PATH=" + Path + ":/usr/lib/postgresql/17/bin", "LANG=en_US.utf8", "PG_MAJOR=17", "PGDATA=/var/lib/postgresql/data"},
			Programs: []Program{
				{at + "docker-entrypoint.sh", "entrypoint"}, {"/usr/lib/postgresql/17/bin/postgres", "postgres"},
				{"/usr/bin/pg_isready", "pg_isready"}, {"/usr/bin/psql", "psql"}, {"/usr/bin/pg_dump", "simulated"}, {"/usr/bin/createdb", "simulated"},
			},
		}
	case "mysql":
		return &Image{
			Name: "mysql", Distro: debian, Closed: true, Entrypoint: entry, Cmd: []string{"mysqld"},
			Programs: []Program{
				{at + "docker-entrypoint.sh", "entrypoint"}, {"/usr/sbin/mysqld", "mysqld"},
				{"/usr/bin/mysqladmin", "mysqladmin"}, {"/usr/bin/mysql", "mysql"}, {"/usr/bin/mysqldump", "simulated"},
			},
		}
	case "mariadb":
		return &Image{
			Name: "mariadb", Distro: debian, Closed: true, Entrypoint: entry, Cmd: []string{"mariadbd"},
			Programs: []Program{
				{at + "docker-entrypoint.sh", "entrypoint"}, {"/usr/sbin/mariadbd", "mariadbd"},
				{"/usr/bin/mariadb-admin", "mysqladmin"}, {"/usr/bin/mariadb", "mysql"}, {"/usr/bin/mariadb-dump", "simulated"}, {at + "healthcheck.sh", "simulated"},
			},
		}
	case "mongo":
		return &Image{
			Name: "mongo", Distro: debian, Entrypoint: entry, Cmd: []string{"mongod"},
			Programs: []Program{{at + "docker-entrypoint.sh", "entrypoint"}, {"/usr/bin/mongod", "mongod"}},
		}
	case "memcached":
		return &Image{
			Name: "memcached", Distro: debian, Entrypoint: entry, Cmd: []string{"memcached"},
			Programs: []Program{{at + "docker-entrypoint.sh", "entrypoint"}, {at + "memcached", "memcached"}},
		}
	}
	return nil
}

func findLanguage(base string, r Reference) *Image {
	debian := Debian
	if strings.Contains(r.Tag, "alpine") {
		debian = Alpine
	}
	switch base {
	case "perl":
		return &Image{
			Name: "perl", Distro: debian, Closed: true, Cmd: []string{"perl5", "-de0"}, WorkingDir: "/usr/src/app",
			Programs: []Program{{"/usr/local/bin/perl", "perl"}, {"/usr/local/bin/perl5", "perl"}},
		}
	case "python":
		return &Image{
			Name: "python", Distro: debian, Cmd: []string{"python3"},
			Programs: []Program{{"/usr/local/bin/python3", "python"}, {"/usr/local/bin/python", "python"}},
		}
	case "node":
		return &Image{
			Name: "node", Distro: debian, Entrypoint: []string{"docker-entrypoint.sh"}, Cmd: []string{"node"},
			Programs: []Program{{"/usr/local/bin/docker-entrypoint.sh", "entrypoint"}, {"/usr/local/bin/node", "node"}},
		}
	}
	return nil
}

func findTest(base string, r Reference) *Image {
	switch base {
	case "pause":
		return &Image{Name: "pause", Closed: true, Entrypoint: []string{"/pause"}, User: User{UID: 65535, GID: 65535, Home: "/"}, Programs: []Program{{"/pause", "pause"}}}
	case "agnhost":
		return &Image{
			Name: "agnhost", Distro: Alpine, Closed: true, Entrypoint: []string{"/agnhost"}, Cmd: []string{"pause"},
			Programs: []Program{{"/agnhost", "agnhost"}, {"/agnhost-2", "agnhost"}, {"/usr/bin/curl", "curl"}, {"/bin/bash", "bash"}},
		}
	case "nautilus", "kitten":
		return &Image{Name: base, Cmd: []string{"/test-webserver"}, Programs: []Program{{"/test-webserver", "test-webserver"}}}
	case "resource-consumer":
		return &Image{Name: base, Distro: Debian, Closed: true, Entrypoint: []string{"/consumer"}, Programs: []Program{{"/consumer", "consumer"}, {"/usr/bin/stress", "stress"}}}
	case "nonewprivs":
		return &Image{Name: base, Distro: Alpine}
	}
	return nil
}
