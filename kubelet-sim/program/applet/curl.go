package applet

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// curlVersion is what the User-Agent says.
const curlVersion = "8.14.1"

// curlRun is one call of curl.
type curlRun struct {
	*Call
	o       *options
	meter   bool // the progress meter is shown
	started time.Time
}

func curl(c *Call) int {
	o, ok := c.parse("sSfkLIivo:w:X:d:H:m:C:Ou:A:4Ge:b:r:#", map[string]byte{
		"silent": 's', "fail": 'f', "insecure": 'k', "location": 'L', "head": 'I', "include": 'i', "output": 'o', "write-out": 'w',
		"request": 'X', "data": 'd', "data-raw": 'd', "data-binary": 'd', "header": 'H', "max-time": 'm', "connect-timeout": 'C', "show-error": 'S', "verbose": 'v',
		"remote-name": 'O', "user": 'u', "user-agent": 'A', "ipv4": '4', "cacert": 'e', "retry": 'r', "no-progress-meter": '#',
	}, "")
	if !ok {
		return 2
	}
	if len(o.rest) == 0 {
		_, _ = io.WriteString(c.Stderr(), "curl: try 'curl --help' or 'curl --manual' for more information\n")
		return 2
	}
	toTerminal := !o.has('o') && !o.has('O') && c.IsTTY(1)
	r := curlRun{Call: c, o: o, meter: !o.has('s') && !o.has('#') && !toTerminal}
	code := 0
	for _, address := range o.rest {
		r.started = c.Now()
		code = r.get(address)
	}
	return code
}

func (r *curlRun) errorf(format string, args ...any) {
	r.flush()
	_, _ = fmt.Fprintf(r.Stderr(), format, args...)
}

// complain ends with one of curl's exit codes and its text.
func (r *curlRun) complain(code int, format string, args ...any) int {
	if r.meter {
		r.progress(0)
	}
	if !r.o.has('s') || r.o.has('S') {
		r.errorf("curl: (%d) %s\n", code, fmt.Sprintf(format, args...))
	}
	return code
}

const curlMeter = "  %% Total    %% Received %% Xferd  Average Speed   Time    Time     Time  Current\n" +
	"                                 Dload  Upload   Total   Spent    Left  Speed\n"

// progress prints the last state of the meter.
func (r *curlRun) progress(size int) {
	if size == 0 {
		r.errorf("\r  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0")
		return
	}
	speed := int64(size)
	if took := r.Now().Sub(r.started); took > 0 {
		speed = int64(float64(size) / took.Seconds())
	}
	r.errorf("\r100 %5d  100 %5d    0     0 %6d      0 --:--:-- --:--:-- --:--:-- %5d\n", size, size, speed, speed)
}

func (r *curlRun) method() string {
	switch {
	case r.o.has('X'):
		return r.o.value('X')
	case r.o.has('I'):
		return http.MethodHead
	case r.o.has('d') && !r.o.has('G'):
		return http.MethodPost
	}
	return http.MethodGet
}

// get downloads one URL, over at most 50 redirections with -L.
func (r *curlRun) get(address string) int {
	if r.meter {
		r.errorf(curlMeter)
	}
	for range 50 {
		u, port, ok := target(address)
		switch {
		case !ok:
			return r.complain(3, "URL rejected: Malformed input to a URL function")
		case u.Scheme != "http" && u.Scheme != "https":
			return r.complain(1, "Protocol \"%s\" not supported", u.Scheme)
		}
		ip, ok := r.lookup(u.Hostname())
		if !ok {
			return r.complain(6, "Could not resolve host: %s", u.Hostname())
		}
		res, code := r.ask(u.Scheme == "https", netip.AddrPortFrom(ip, port), u.Hostname(), kernel.Request{
			Method: r.method(), Path: u.RequestURI(), Host: u.Host, Body: []byte(strings.Join(r.o.values['d'], "&")),
		})
		if res == nil {
			return code
		}
		if next := res.field("location"); r.o.has('L') && res.Status/100 == 3 && next != "" {
			ref, err := u.Parse(next)
			if err != nil {
				return r.complain(3, "URL rejected: Malformed input to a URL function")
			}
			address = ref.String()
			continue
		}
		return r.show(res, address)
	}
	return r.complain(47, "Maximum (50) redirects followed")
}

// ask sends one request; without an answer it returns the exit code.
func (r *curlRun) ask(tls bool, to netip.AddrPort, host string, req kernel.Request) (*reply, int) {
	agent := "curl/" + curlVersion
	if r.o.has('A') {
		agent = r.o.value('A')
	}
	fields := append([]string{"User-Agent: " + agent, "Accept: */*"}, r.o.values['H']...)
	if len(req.Body) > 0 {
		fields = append(fields, "Content-Type: application/x-www-form-urlencoded")
	}
	timeout := r.o.seconds('m')
	if c := r.o.seconds('C'); c >= 0 && (timeout < 0 || c < timeout) {
		timeout = c
	}
	if r.o.has('v') {
		r.errorf("*   Trying %s...\n", to)
	}
	res, err := r.fetch(tls, to, req, fields, timeout)
	ms := r.Now().Sub(r.started).Milliseconds()
	switch {
	case err == nil:
		if r.o.has('v') {
			r.verbose(to, host, req, fields, res)
		}
		return res, 0
	case errors.Is(err, kernel.ETIME):
		return nil, r.complain(28, "Connection timed out after %d milliseconds", ms)
	case errors.Is(err, kernel.ETIMEDOUT):
		return nil, r.complain(28, "Failed to connect to %s port %d after %d ms: Could not connect to server", host, to.Port(), ms)
	case errors.Is(err, errNoReply):
		return nil, r.complain(52, "Empty reply from server")
	case errors.Is(err, errNoTLS):
		return nil, r.complain(35, "TLS connect error: error:0A0000C6:SSL routines::packet length too long")
	}
	return nil, r.complain(7, "Failed to connect to %s port %d after %d ms: Could not connect to server", host, to.Port(), ms)
}

func (r *curlRun) verbose(to netip.AddrPort, host string, req kernel.Request, fields []string, res *reply) {
	r.errorf("* Connected to %s (%s) port %d\n> %s %s HTTP/1.1\n> Host: %s\n", host, to.Addr(), to.Port(), req.Method, req.Path, req.Host)
	for _, f := range fields {
		r.errorf("> %s\n", f)
	}
	r.errorf("> \n* Request completely sent off\n< %s\n", res.Line)
	for _, f := range res.Fields {
		r.errorf("< %s\n", f)
	}
	r.errorf("< \n* Connection #0 to host %s left intact\n", host)
}

// show prints an answer as the options say.
func (r *curlRun) show(res *reply, address string) int {
	if res.Status >= 400 && r.o.has('f') {
		return r.complain(22, "The requested URL returned error: %d", res.Status)
	}
	var text []byte
	if r.o.has('I') || r.o.has('i') {
		text = fmt.Appendf(text, "%s\r\n%s\r\n", res.Line, strings.Join(append(res.Fields, ""), "\r\n"))
	}
	text = append(text, res.Body...)
	name := r.o.value('o')
	if r.o.has('O') {
		name = base(address)
	}
	if r.meter {
		r.progress(len(res.Body))
	}
	switch {
	case name == "" || name == "-":
		r.print(string(text))
	default:
		w, err := r.create(name, vfs.Truncate)
		if err != nil {
			return r.complain(23, "Failure writing output to destination, passed %d returned 0", len(text))
		}
		_, _ = w.Write(text)
		_ = w.Close()
	}
	if r.o.has('w') {
		r.writeOut(res)
	}
	return 0
}

func (r *curlRun) writeOut(res *reply) {
	text, _ := unescape(r.o.value('w'), false)
	code := fmt.Sprintf("%03d", res.Status)
	took := strconv.FormatFloat(r.Now().Sub(r.started).Seconds(), 'f', 6, 64)
	r.print(strings.NewReplacer("%{http_code}", code, "%{response_code}", code, "%{size_download}", strconv.Itoa(len(res.Body)),
		"%{time_total}", took, "%{content_type}", res.field("content-type")).Replace(text))
}
