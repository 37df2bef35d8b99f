package server

import (
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// The clients of the databases are here for probes and for a look whether the server
// is up. No database keeps anything, so what else they are asked for is simulated.

// hostOf is the server that a client's -h or --host names, empty for the local one.
func hostOf(args []string) string {
	for i, a := range args {
		switch {
		case (a == "-h" || a == "--host") && i+1 < len(args):
			return args[i+1]
		case strings.HasPrefix(a, "--host="):
			return strings.TrimPrefix(a, "--host=")
		case strings.HasPrefix(a, "-h") && len(a) > 2:
			return a[2:]
		}
	}
	return ""
}

// elsewhere reports whether a host is not the client's own.
func elsewhere(host string) bool {
	return host != "" && host != "localhost" && host != "127.0.0.1" && host != "::1"
}

func listens(p *kernel.Proc, port int32) bool { return p.Machine().Netns().Listener(port) != nil }

// pgIsReady is pg_isready. Source: src/bin/scripts/pg_isready.c of PostgreSQL 17.
func pgIsReady(p *kernel.Proc, unknown func([]string) kernel.Main) int {
	host := hostOf(p.Args[1:])
	if elsewhere(host) {
		return unknown(p.Args)(p)
	}
	if host == "" {
		host = "/var/run/postgresql"
	}
	if !listens(p, 5432) {
		outf(p, "%s:5432 - no response\n", host)
		return 2
	}
	outf(p, "%s:5432 - accepting connections\n", host)
	return 0
}

func psql(p *kernel.Proc, unknown func([]string) kernel.Main) int {
	if host := hostOf(p.Args[1:]); !elsewhere(host) && !listens(p, 5432) {
		if host != "" {
			errf(p, "psql: error: connection to server at \"%s\" (127.0.0.1), port 5432 failed: Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?\n", host)
			return 2
		}
		errf(p, "psql: error: connection to server on socket \"/var/run/postgresql/.s.PGSQL.5432\" failed: No such file or directory\n\tIs the server running locally and accepting connections on that socket?\n")
		return 2
	}
	return unknown(p.Args)(p)
}

// mysqlAdmin is the ping of mysqladmin and mariadb-admin, which probes use.
func mysqlAdmin(p *kernel.Proc, unknown func([]string) kernel.Main) int {
	name := p.Name()
	server := "mysqld"
	if strings.HasPrefix(name, "mariadb") {
		server = "mariadbd"
	}
	host := hostOf(p.Args[1:])
	switch {
	case elsewhere(host):
	case !listens(p, 3306):
		errf(p, "%s: connect to server at 'localhost' failed\nerror: 'Can't connect to local MySQL server through socket '/var/run/mysqld/mysqld.sock' (2)'\n"+
			"Check that %s is running and that the socket: '/var/run/mysqld/mysqld.sock' exists!\n", name, server)
		return 1
	default:
		for _, a := range p.Args[1:] {
			if a == "ping" {
				outf(p, "%s is alive\n", server)
				return 0
			}
		}
	}
	return unknown(p.Args)(p)
}

// mysql is the client of both. It knows SELECT 1, which probes ask for.
func mysql(p *kernel.Proc, unknown func([]string) kernel.Main) int {
	if elsewhere(hostOf(p.Args[1:])) {
		return unknown(p.Args)(p)
	}
	if !listens(p, 3306) {
		errf(p, "ERROR 2002 (HY000): Can't connect to local MySQL server through socket '/var/run/mysqld/mysqld.sock' (2)\n")
		return 1
	}
	for i, a := range p.Args {
		statement := strings.TrimPrefix(a, "-e")
		if a == "-e" && i+1 < len(p.Args) {
			statement = p.Args[i+1]
		}
		if strings.EqualFold(strings.Trim(statement, " ;"), "select 1") {
			outf(p, "1\n1\n")
			return 0
		}
	}
	return unknown(p.Args)(p)
}
