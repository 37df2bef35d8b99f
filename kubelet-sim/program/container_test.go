package program

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

func TestImageDefaults(t *testing.T) {
	for name, tc := range map[string]struct {
		spec   Spec
		code   int32 // -1: runs on
		output string
	}{
		"busybox without a command ends at once":  {Spec{Image: "registry.k8s.io/e2e-test-images/busybox:1.37.0-2"}, 0, ""},
		"ubuntu without a command ends at once":   {Spec{Image: "ubuntu"}, 0, ""},
		"pause runs on":                           {Spec{Image: "registry.k8s.io/pause:3.10"}, -1, ""},
		"nginx gets ready":                        {Spec{Image: "nginx:1.25"}, -1, "ready for start up"},
		"httpd gets ready":                        {Spec{Image: "httpd"}, -1, "resuming normal operations"},
		"redis gets ready":                        {Spec{Image: "redis:7"}, -1, "Ready to accept connections"},
		"postgres wants a password":               {Spec{Image: "postgres"}, 1, "superuser password is not specified"},
		"postgres with a password":                {Spec{Image: "postgres", Env: []string{"POSTGRES_PASSWORD=x"}}, -1, "ready to accept connections"},
		"mysql wants a password":                  {Spec{Image: "mysql:8"}, 1, "password option is not specified"},
		"mariadb with a password":                 {Spec{Image: "mariadb", Env: []string{"MARIADB_ROOT_PASSWORD=x"}}, -1, "ready for connections"},
		"a probe of postgres":                     {Spec{Image: "postgres", Env: []string{"POSTGRES_PASSWORD=x"}, Command: []string{"bash", "-c", "postgres > /dev/null 2>&1 & sleep 1; pg_isready -U postgres; echo $?; sleep 9; pg_isready -h localhost; exit $?"}}, 0, "/var/run/postgresql:5432 - no response\n2\nlocalhost:5432 - accepting connections\n"},
		"a probe of mysql":                        {Spec{Image: "mysql", Env: []string{"MYSQL_ROOT_PASSWORD=x"}, Command: []string{"bash", "-c", "mysqld > /dev/null 2>&1 & sleep 1; mysql -e 'SELECT 1' || echo $?; sleep 9; mysqladmin ping; mysql -h 127.0.0.1 -px -e 'SELECT 1'"}}, 0, "1\nmysqld is alive\n1\n1\n"},
		"a query is simulated":                    {Spec{Image: "postgres", Command: []string{"psql", "-h", "db", "-c", "select 2"}}, 0, `kubesim: simulated "psql -h db -c select 2"`},
		"perl prints pi":                          {Spec{Image: "perl:5.34", Command: []string{"perl", "-Mbignum=bpi", "-wle", "print bpi(2000)"}}, 0, "3.14159265358979323846"},
		"python prints":                           {Spec{Image: "python:3", Command: []string{"python", "-c", "import time; time.sleep(2); print('hi')"}}, 0, "hi\n"},
		"an unknown python program is simulated":  {Spec{Image: "python:3", Command: []string{"python", "manage.py", "migrate"}}, 0, `kubesim: simulated "python manage.py migrate"`},
		"an unknown image is simulated":           {Spec{Image: "example.com/app:v1", Command: []string{"/app", "serve"}}, 0, `kubesim: simulated "/app serve"`},
		"an unknown image runs on under Always":   {Spec{Image: "example.com/app:v1", RunsOn: true}, -1, `kubesim: simulated "example.com/app:v1"`},
		"an unknown image has a shell":            {Spec{Image: "example.com/app:v1", Command: []string{"sh", "-c", "echo hi"}}, 0, "hi\n"},
		"agnhost pauses":                          {Spec{Image: "registry.k8s.io/e2e-test-images/agnhost:2.55"}, -1, "Paused\n"},
		"agnhost prints its arguments":            {Spec{Image: "agnhost:2.55", Args: []string{"entrypoint-tester", "override", "arguments"}}, 0, "[/agnhost entrypoint-tester override arguments]\n"},
		"mounttest prints a mode":                 {Spec{Image: "agnhost:2.55", Args: []string{"mounttest", "--new_file_0660=/tmp/f", "--file_perm=/tmp/f"}}, 0, "content of file \"/tmp/f\": mount-tester new file\n\nperms of file \"/tmp/f\": -rw-rw----\n"},
		"mounttest reports a file that is not":    {Spec{Image: "agnhost:2.55", Args: []string{"mounttest", "--file_content=/x"}}, 1, "error reading file content for \"/x\": open /x: no such file or directory\n"},
		"the environment of a container":          {Spec{Image: "busybox", Command: []string{"env"}, Env: []string{"A=1"}}, 0, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nHOSTNAME=web-0\nA=1\nHOME=/root\n"},
		"free counts in mebibytes":                {Spec{Image: "busybox", Command: []string{"sh", "-c", "free -m | awk 'NR == 2 { print $2 }'"}, User: -1, Group: -1}, 0, "7955\n"},
		"id shows user, group and fsGroup":        {Spec{Image: "busybox", Command: []string{"id"}, User: 1000, Group: 3000, Groups: []int64{2000}}, 0, "uid=1000 gid=3000 groups=2000,3000\n"},
		"neverTerminate":                          {Spec{Image: "busybox", Command: []string{"sleep", "1000000"}}, -1, ""},
		"tail follows a device for ever":          {Spec{Image: "busybox", Command: []string{"tail", "-f", "/dev/null"}}, -1, ""},
		"tail follows a file that comes later":    {busyboxSh("(sleep 5; echo hi > /tmp/x) & timeout 20 tail -F /tmp/x"), 143, "hi\n"},
		"an nginx script in the entrypoint's way": {Spec{Image: "nginx", Command: []string{"/bin/sh", "-c", "echo hi; nginx -g 'daemon off;'"}}, -1, "hi\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.spec.User == 0 {
				tc.spec.User, tc.spec.Group = -1, -1
			}
			got := runFor(t, tc.spec, time.Hour)
			if got.err != nil || got.code != tc.code {
				t.Errorf("code %d, error %v, want %d; output %s%s", got.code, got.err, tc.code, got.stdout, got.stderr)
			}
			if !strings.Contains(got.stdout+got.stderr, tc.output) {
				t.Errorf("output %q lacks %q", got.stdout+got.stderr, tc.output)
			}
		})
	}
}

func TestCommandThatCannotStart(t *testing.T) {
	for name, tc := range map[string]struct {
		image, command string
		want           string
	}{
		"a name in a known image":     {"nginx", "foo", `exec: "foo": executable file not found in $PATH`},
		"a path in a known image":     {"busybox", "/foo", `exec: "/foo": stat /foo: no such file or directory`},
		"a file that is no program":   {"alpine", "/etc/passwd", `permission denied`},
		"a shell in an image without": {"registry.k8s.io/pause:3.10", "sh", `exec: "sh": executable file not found in $PATH`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Start(Spec{Image: tc.image, Command: []string{tc.command}, User: -1, Group: -1}, noon())
			var start *StartError
			if !errors.As(err, &start) || !strings.Contains(start.Message, tc.want) {
				t.Errorf("error %v, want a StartError with %q", err, tc.want)
			}
		})
	}
}

func TestSignal(t *testing.T) {
	for name, tc := range map[string]struct {
		spec Spec
		sig  kernel.Signal
		code int32 // -1: it goes on
		took time.Duration
	}{
		"sleep as process 1 ignores TERM": {Spec{Image: "busybox", Command: []string{"sleep", "3600"}}, kernel.SIGTERM, -1, 0},
		"sleep as process 1 obeys KILL":   {Spec{Image: "busybox", Command: []string{"sleep", "3600"}}, kernel.SIGKILL, 137, 0},
		"a shell ignores TERM":            {busyboxSh("sleep 3600; :"), kernel.SIGTERM, -1, 0},
		"nginx ends at TERM":              {Spec{Image: "nginx"}, kernel.SIGTERM, 0, 0},
		"nginx ends at QUIT":              {Spec{Image: "nginx"}, kernel.SIGQUIT, 0, 0},
		"nginx ends under a shell's exec": {Spec{Image: "nginx", Command: []string{"sh", "-c", "exec nginx -g 'daemon off;'"}}, kernel.SIGTERM, 0, 0},
		"pause ends at TERM":              {Spec{Image: "pause"}, kernel.SIGTERM, 0, 0},
		"agnhost pause ends with 2":       {Spec{Image: "agnhost"}, kernel.SIGTERM, 2, 0},
		"redis ends at TERM":              {Spec{Image: "redis"}, kernel.SIGTERM, 0, 0},
		"a trap runs between commands":    {busyboxSh("_term(){ sleep 5; exit 143; }; trap _term SIGTERM; while true; do sleep 1; done"), kernel.SIGTERM, 143, 6 * time.Second},
		"a simulated program ends":        {Spec{Image: "example.com/app", RunsOn: true}, kernel.SIGTERM, 143, 0},
	} {
		t.Run(name, func(t *testing.T) {
			tc.spec.User, tc.spec.Group = -1, -1
			p, err := Start(tc.spec, noon())
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			now := noon()
			p.Signal(tc.sig, now)
			for range 20 {
				s := p.State()
				if s.Exited || s.WakeAt.IsZero() || s.WakeAt.Sub(noon()) > time.Minute {
					break
				}
				now = s.WakeAt
				p.Resume(now)
			}
			s := p.State()
			code := s.ExitCode
			if !s.Exited {
				code = -1
			}
			if code != tc.code || now.Sub(noon()) != tc.took {
				t.Errorf("code %d after %v, want %d after %v", code, now.Sub(noon()), tc.code, tc.took)
			}
		})
	}
}

func TestPull(t *testing.T) {
	for ref, want := range map[string]string{
		"nginx:1.25": "", "nginx": "", "busybox:1.36": "", "example.com/app:v1": "", "registry.k8s.io/pause:3.10.2": "",
		"registry.k8s.io/e2e-test-images/nginx:1.28.0-2": "", "perl:5.34": "", "nginx@sha256:" + strings.Repeat("a", 64): "",
		"nginx:2.3.5":  "docker.io/library/nginx:2.3.5: not found",
		"nginx:1.91":   "not found",
		"httpd:235":    "not found",
		"busybox:2.99": "not found", "nginx:1.99-nonexistent": "not found", "nginx:invalidversion": "not found",
		"ngin:1.21.0": "pull access denied", "non-existing-repo/app": "pull access denied",
		"foo:non-existent": "not found", "webserver:404": "not found",
		"invalid.registry.k8s.io/invalid/alpine:3.1": "no such host",
		"Nginx":   "couldn't parse image name",
		"nginx:!": "couldn't parse image name",
		"":        "couldn't parse image name",
	} {
		t.Run(ref, func(t *testing.T) {
			err := Pull(ref)
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want %q", err, want)
			}
		})
	}
}

func TestExecSeesTheContainer(t *testing.T) {
	p, err := Start(busyboxSh("echo data > /tmp/f; export A=1; sleep 3600"), noon())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var out strings.Builder
	e, err := p.Exec(ExecSpec{Command: []string{"sh", "-c", "cat /tmp/f; tr '\\0' ' ' < /proc/1/cmdline; exit 4"}, Output: func(c Chunk) { out.Write(c.Data) }}, noon())
	if err != nil {
		t.Fatal(err)
	}
	code, done := e.Exited()
	if diff := cmp.Diff("data\nsleep 3600 ", out.String()); diff != "" || code != 4 || !done {
		t.Errorf("code %d, done %v, output (-want +got):\n%s", code, done, diff)
	}
}

func TestServerAnswers(t *testing.T) {
	p, err := Start(Spec{Image: "nginx:1.25", User: -1, Group: -1}, noon())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if diff := cmp.Diff([]int32{80}, p.State().Listening); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
	res, ok := p.Serve(80, kernel.Request{Method: "GET", Path: "/"}, noon())
	if body, err := io.ReadAll(res.Reader()); !ok || err != nil || res.Status != 200 || !strings.Contains(string(body), "Welcome to nginx!") {
		t.Errorf("answer %d %s, %v", res.Status, body, err)
	}
	res, _ = p.Serve(80, kernel.Request{Method: "GET", Path: "/nope"}, noon())
	if res.Status != 404 {
		t.Errorf("status %d, want 404", res.Status)
	}
}

func TestNetexecTellsOfItsRequests(t *testing.T) {
	const script = `/agnhost netexec & sleep 1
for path in 'echo?msg=hi&code=202' clientip serverport 'header?key=User-Agent' hostname 'envvar?var=HOME' readyz nothing; do
	curl -s -w ' %{http_code}\n' "http://localhost:8080/$path"
done`
	got := runFor(t, Spec{Image: "agnhost:2.66.1", Command: []string{"sh", "-c", script}, User: -1, Group: -1}, time.Minute)
	want := `hi 202
127.0.0.1:40000 200
8080 200
curl/8.14.1 200
web-0 200
/root 200
 200
404 page not found
 404
`
	if diff := cmp.Diff(want, got.stdout); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	log := `Started HTTP server on port 8080
GET /echo?msg=hi&code=202
GET /clientip
GET /serverport
GET /header?key=User-Agent
GET /hostname
GET /envvar?var=HOME
GET /readyz
`
	var lines strings.Builder
	for line := range strings.Lines(got.stderr) {
		_, text, _ := strings.Cut(line, " ")
		_, text, _ = strings.Cut(text, " ")
		lines.WriteString(text)
	}
	if diff := cmp.Diff(log, lines.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// Upstream's e2e specs of StatefulSets make Pods unready so.
func TestTheTestWebserverHasACertificateToMoveAway(t *testing.T) {
	const script = `/agnhost test-webserver & sleep 1
status() { curl -s -o /tmp/page -w '%{http_code}\n' http://localhost/localhost.crt; }
status; mv -v /localhost.crt /tmp/ || true; status; mv -v /tmp/localhost.crt / || true; status; head -n 1 /tmp/page`
	got := runFor(t, Spec{Image: "agnhost:2.66.1", Command: []string{"sh", "-c", script}, User: -1, Group: -1}, time.Minute)
	want := `200
'/localhost.crt' -> '/tmp/localhost.crt'
404
'/tmp/localhost.crt' -> '/localhost.crt'
200
-----BEGIN CERTIFICATE-----
`
	if diff := cmp.Diff(want, got.stdout); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

func TestTheTestWebserverListsDirectories(t *testing.T) {
	const script = `mkdir -p /srv/sub; echo hi > /srv/a.txt; /agnhost test-webserver & sleep 1
curl -s http://localhost/srv/; curl -s http://localhost/srv/a.txt; curl -s -o /dev/null -w '%{http_code}\n' http://localhost/srv; curl -s -o /dev/null -w '%{http_code}\n' http://localhost/`
	got := runFor(t, Spec{Image: "agnhost:2.66.1", Command: []string{"sh", "-c", script}, User: -1, Group: -1}, time.Minute)
	want := `<!doctype html>
<meta name="viewport" content="width=device-width">
<pre>
<a href="a.txt">a.txt</a>
<a href="sub/">sub/</a>
</pre>
hi
301
200
`
	if diff := cmp.Diff(want, got.stdout); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}
