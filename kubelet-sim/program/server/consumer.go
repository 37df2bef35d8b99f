package server

import (
	"fmt"
	"maps"
	"net/http"
	neturl "net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// consumer is the server of the image resource-consumer, which uses what it is asked to.
// Source: k8s.io/kubernetes test/images/resource-consumer v1.37.2.
type consumer struct {
	p       *kernel.Proc
	metrics map[string]float64
}

func resourceConsumer(p *kernel.Proc) int {
	c := &consumer{p: p, metrics: map[string]float64{}}
	p.Listen(int32(flagInt(p.Args, "port", 8080)), c.answer)
	return goServer(p)
}

func (c *consumer) answer(req kernel.Request) kernel.Response {
	path, query, _ := strings.Cut(req.Path, "?")
	if path == "/metrics" {
		return kernel.Response{Status: http.StatusOK, Body: []byte(c.exposition())}
	}
	if req.Method != http.MethodPost {
		return wrong("Bad request. Not a POST request", http.StatusBadRequest)
	}
	form, err := neturl.ParseQuery(query)
	if err == nil && strings.HasPrefix(req.Header["Content-Type"], "application/x-www-form-urlencoded") {
		var body neturl.Values
		body, err = neturl.ParseQuery(string(req.Body))
		for name, values := range body { // which come before those of the URL
			form[name] = append(values, form[name]...)
		}
	}
	if err != nil {
		return wrong(err.Error(), http.StatusBadRequest)
	}
	switch path {
	case "/ConsumeCPU":
		return c.consume(form, path, "millicores", func(p *kernel.Proc, n int64) { p.Use(n, 0) }, "consume-cpu")
	case "/ConsumeMem":
		return c.consume(form, path, "megabytes", func(p *kernel.Proc, n int64) { p.Use(vmMilliCPU, n<<20) }, "stress")
	case "/BumpMetric":
		return c.bump(form)
	case "/GetCurrentStatus": // upstream's image says no more, in these words
		return kernel.Response{Status: http.StatusOK, Body: []byte("Warning: not implemented!\nGetCurrentStatus")}
	}
	return wrong("unknown function: "+path, http.StatusNotFound)
}

// wrong is what http.Error answers.
func wrong(text string, status int) kernel.Response {
	return kernel.Response{Status: status, Header: map[string]string{"Content-Type": "text/plain; charset=utf-8"}, Body: []byte(text + "\n")}
}

// amountMax bounds what a request may ask for: as many thousandths of a core or megabytes as
// no machine has, or seconds. More is none, as if it could not be read.
const amountMax = 1 << 30

// amounts reads whole numbers of a form.
func amounts(form neturl.Values, names ...string) ([]int64, *kernel.Response) {
	var out []int64
	for _, name := range names {
		if form.Get(name) == "" {
			res := wrong("not given function argument", http.StatusBadRequest)
			return nil, &res
		}
	}
	for _, name := range names {
		n, err := strconv.ParseInt(form.Get(name), 10, 64)
		if err != nil || n > amountMax || n < -amountMax {
			res := wrong("incorrect function argument", http.StatusBadRequest)
			return nil, &res
		}
		out = append(out, n)
	}
	return out, nil
}

// consume lets a process of its own use something for a while.
func (c *consumer) consume(form neturl.Values, path, unit string, use func(*kernel.Proc, int64), program string) kernel.Response {
	n, refused := amounts(form, "durationSec", unit)
	if refused != nil {
		return *refused
	}
	c.beside(program, n[0], func(p *kernel.Proc) { use(p, max(n[1], 0)) }, func() {})
	return kernel.Response{Status: http.StatusOK, Body: fmt.Appendf(nil, "%s\n%d %s\n%d durationSec\n", path[1:], n[1], unit, n[0])}
}

// bump raises a metric for a while.
func (c *consumer) bump(form neturl.Values) kernel.Response {
	name := form.Get("metric")
	if name == "" || form.Get("delta") == "" {
		return wrong("not given function argument", http.StatusBadRequest)
	}
	n, refused := amounts(form, "durationSec")
	delta, err := strconv.ParseFloat(form.Get("delta"), 64)
	switch {
	case refused != nil:
		return *refused
	case err != nil:
		return wrong("incorrect function argument", http.StatusBadRequest)
	}
	if _, known := c.metrics[name]; !known {
		c.p.Charge(int64(len(name)))
	}
	c.metrics[name] += delta
	c.beside("consumer", n[0], func(*kernel.Proc) {}, func() { c.metrics[name] -= delta })
	return kernel.Response{Status: http.StatusOK, Body: fmt.Appendf(nil, "BumpMetric\n%s metric\n%v delta\n%d durationSec\n", name, delta, n[0])}
}

// beside runs a process for some seconds. Where there is no room for one, nothing happens, as
// when upstream's cannot start its programs.
func (c *consumer) beside(program string, seconds int64, begin func(*kernel.Proc), end func()) {
	child, ok := c.p.Fork([]string{program})
	if !ok {
		end()
		return
	}
	c.p.Machine().Start(child, func(p *kernel.Proc) int {
		defer end()
		begin(p)
		p.Sleep(secondsOf(max(seconds, 0)))
		return 0
	})
}

// exposition is the metrics in Prometheus' format, sorted.
func (c *consumer) exposition() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(c.metrics)) {
		fmt.Fprintf(&b, "# HELP %s info message.\n# TYPE %s gauge\n%s %f\n", name, name, name, c.metrics[name])
	}
	return b.String()
}
