package server

import (
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

func redisServer(p *kernel.Proc) int {
	note := func(mark, text string) {
		outf(p, "%d:M %s %s %s\n", p.PID, p.Now().UTC().Format("02 Jan 2006 15:04:05.000"), mark, text)
	}
	stamp := p.Now().UTC().Format("02 Jan 2006 15:04:05.000")
	outf(p, "%d:C %s * oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n", p.PID, stamp)
	outf(p, "%d:C %s * Redis version=8.2.2, bits=64, commit=00000000, modified=1, pid=%d, just started\n", p.PID, stamp, p.PID)
	if len(p.Args) < 2 {
		outf(p, "%d:C %s # Warning: no config file specified, using the default config. In order to specify a config file use redis-server /path/to/redis.conf\n", p.PID, stamp)
	}
	note("*", "monotonic clock: POSIX clock_gettime")
	note("*", "Running mode=standalone, port=6379.")
	note("*", "Server initialized")
	note("*", "Ready to accept connections tcp")
	p.Listen(6379, nil)
	p.Handle(kernel.SIGTERM, kernel.SIGINT)
	s := p.Pause()
	outf(p, "%d:signal-handler (%d) Received SIG%s scheduling shutdown...\n", p.PID, p.Now().Unix(), s.Name())
	note("*", "User requested shutdown...")
	note("#", "Redis is now ready to exit, bye bye...")
	return 0
}

// redisCLI knows ping, for probes.
func redisCLI(p *kernel.Proc) int {
	if p.Machine().Netns().Listener(6379) == nil {
		errf(p, "Could not connect to Redis at 127.0.0.1:6379: Connection refused\n")
		return 1
	}
	for _, a := range p.Args[1:] {
		if strings.EqualFold(a, "ping") {
			outf(p, "PONG\n")
			return 0
		}
	}
	outf(p, "OK\n")
	return 0
}

// postgresHint is what the postgres image says without a password.
// Source: docker-entrypoint.sh of github.com/docker-library/postgres.
const postgresHint = `Error: Database is uninitialized and superuser password is not specified.
       You must specify POSTGRES_PASSWORD to a non-empty value for the
       superuser. For example, "-e POSTGRES_PASSWORD=password" on "docker run".

       You may also use "POSTGRES_HOST_AUTH_METHOD=trust" to allow all
       connections without a password. This is *not* recommended.

       See PostgreSQL documentation about "trust":
       https://www.postgresql.org/docs/current/auth-trust.html
`

func postgres(p *kernel.Proc) int {
	if p.Getenv("POSTGRES_PASSWORD") == "" && p.Getenv("POSTGRES_PASSWORD_FILE") == "" && p.Getenv("POSTGRES_HOST_AUTH_METHOD") != "trust" {
		errf(p, "%s", postgresHint)
		return 1
	}
	outf(p, "The files belonging to this database system will be owned by user \"postgres\".\n\nPostgreSQL init process complete; ready for start up.\n\n")
	note := func(text string) {
		errf(p, "%s [%d] LOG:  %s\n", p.Now().UTC().Format("2006-01-02 15:04:05.000 MST"), p.PID, text)
	}
	p.Handle(kernel.SIGTERM, kernel.SIGINT, kernel.SIGQUIT)
	p.Sleep(2e9)
	note("starting PostgreSQL 17.6 (Debian 17.6-1.pgdg12+1) on x86_64-pc-linux-gnu, compiled by gcc (Debian 12.2.0-14+deb12u1) 12.2.0, 64-bit")
	note("listening on IPv4 address \"0.0.0.0\", port 5432")
	note("listening on IPv6 address \"::\", port 5432")
	note("database system is ready to accept connections")
	p.Listen(5432, nil)
	switch p.Pause() {
	case kernel.SIGTERM:
		note("received smart shutdown request")
	default:
		note("received fast shutdown request")
	}
	note("database system is shut down")
	return 0
}

// mysqld is mysqld and mariadbd behind their entrypoints.
// Source: docker-entrypoint.sh of github.com/docker-library/mysql and mariadb.
func mysqld(p *kernel.Proc) int {
	prefix, tag, variants := "MYSQL", "MySQL Server 9.5.0-1.el9", "    - MYSQL_ROOT_PASSWORD\n    - MYSQL_ALLOW_EMPTY_PASSWORD\n    - MYSQL_RANDOM_ROOT_PASSWORD\n"
	binary, server := "/usr/sbin/mysqld", "(mysqld 9.5.0)"
	if p.Name() == "mariadbd" {
		prefix, tag, variants = "MARIADB", "MariaDB Server 1:12.0.2+maria~ubu2404", "\t- MARIADB_ROOT_PASSWORD, MARIADB_ROOT_PASSWORD_HASH, MARIADB_ALLOW_EMPTY_ROOT_PASSWORD and MARIADB_RANDOM_ROOT_PASSWORD\n"
		binary, server = "mariadbd", "12.0.2-MariaDB"
	}
	entry := func(level, text string) string {
		return p.Now().UTC().Format("2006-01-02 15:04:05-07:00") + " [" + level + "] [Entrypoint]: " + text + "\n"
	}
	outf(p, "%s", entry("Note", "Entrypoint script for "+tag+" started."))
	if !hasPassword(p, prefix) && !hasPassword(p, "MYSQL") {
		errf(p, "%s", entry("ERROR", "Database is uninitialized and password option is not specified\n    You need to specify one of the following as an environment variable:\n"+strings.TrimSuffix(variants, "\n")))
		return 1
	}
	p.Handle(kernel.SIGTERM, kernel.SIGINT)
	outf(p, "%s", entry("Note", "Initializing database files"))
	p.Sleep(5e9)
	outf(p, "%s", entry("Note", strings.Fields(tag)[0]+" init process done. Ready for start up."))
	stamp := p.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
	errf(p, "%s 0 [System] [MY-010931] [Server] %s: ready for connections. Version: '%s'  socket: '/var/run/mysqld/mysqld.sock'  port: 3306\n", stamp, binary, server)
	p.Listen(3306, nil)
	p.Pause()
	errf(p, "%s 0 [System] [MY-010910] [Server] %s: Shutdown complete %s.\n", p.Now().UTC().Format("2006-01-02T15:04:05.000000Z"), binary, server)
	return 0
}

func hasPassword(p *kernel.Proc, prefix string) bool {
	for _, name := range [...]string{"_ROOT_PASSWORD", "_ALLOW_EMPTY_PASSWORD", "_RANDOM_ROOT_PASSWORD", "_ROOT_PASSWORD_FILE", "_ALLOW_EMPTY_ROOT_PASSWORD", "_ROOT_PASSWORD_HASH"} {
		if p.Getenv(prefix+name) != "" {
			return true
		}
	}
	return false
}
