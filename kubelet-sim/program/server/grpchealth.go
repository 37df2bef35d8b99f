package server

import (
	"net/http"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// grpcHealth is agnhost grpc-health-checking: a server of the gRPC health
// protocol, and one of HTTP that makes it say NOT_SERVING. A call is a POST to
// its method's path with the service's name as body; the answer's body is the
// status. Source: test/images/agnhost/grpc-health-checking in k8s.io/kubernetes
// v1.37.2.
func grpcHealth(p *kernel.Proc) int {
	started := p.Now()
	delay := flagInt(p.Args, "delay-unhealthy-sec", -1)
	service, _ := flagValue(p.Args, "service")
	forced, healthy := false, false
	log := func(text string) { p.FD(2).WriteNow(p, p.Now().UTC().Format("2006/01/02 15:04:05 ")+text+"\n") }
	httpPort, port := flagInt(p.Args, "http-port", 8080), flagInt(p.Args, "port", 5000)
	p.Listen(int32(httpPort), func(req kernel.Request) kernel.Response {
		switch req.Path {
		case "/make-serving":
			log("Mark as healthy")
			forced, healthy = true, true
		case "/make-not-serving":
			log("Mark as unhealthy")
			forced, healthy = true, false
		default:
			return kernel.Response{Status: http.StatusNotFound, Body: []byte("404 page not found\n")}
		}
		return kernel.Response{Status: http.StatusOK, Body: []byte(p.Now().Sub(started).String())}
	})
	p.Listen(int32(port), func(req kernel.Request) kernel.Response {
		answer := kernel.Response{Status: http.StatusOK, Header: map[string]string{"Content-Type": "application/grpc", "Grpc-Status": "0"}}
		if req.Header["Content-Type"] != "application/grpc" {
			return kernel.Response{} // it closes the connection
		}
		log("Serving the Check request for health check, started at " + started.UTC().String())
		late := delay >= 0 && p.Now().Sub(started) >= secondsOf(int64(delay))
		switch {
		case string(req.Body) != service:
			answer.Header["Grpc-Status"], answer.Header["Grpc-Message"] = "5", "rpc error: code = NotFound desc = unknown service"
		case forced && !healthy || late:
			answer.Body = []byte("NOT_SERVING")
		default:
			answer.Body = []byte("SERVING")
		}
		return answer
	})
	return goServer(p)
}
