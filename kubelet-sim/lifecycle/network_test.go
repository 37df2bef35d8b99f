package lifecycle

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/cri"
)

// webCluster has a Pod web of nginx behind a Service of the name, a headless
// Service, and one without endpoints.
func webCluster(t *testing.T) *cluster {
	c := restart(t, engine.Auto, nil, cri.Simulated())
	c.create(engine.Namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "default"}})
	c.create(engine.Pods, newPod("web", policy(corev1.RestartPolicyAlways), ofImage("nginx:1.27.0")))
	ip := c.api.pod(t, "web").Status.PodIP
	service := func(name, clusterIP string, port int32) *corev1.Service {
		return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, Spec: corev1.ServiceSpec{
			ClusterIP: clusterIP, ClusterIPs: []string{clusterIP},
			Ports: []corev1.ServicePort{{Name: "http", Protocol: corev1.ProtocolTCP, Port: port}},
		}}
	}
	slice := func(name, address string, port int32, ready bool) *discoveryv1.EndpointSlice {
		return &discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: "default", Name: name + "-1", Labels: map[string]string{discoveryv1.LabelServiceName: name}},
			AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{address}, Hostname: new("web-0"), Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
			Ports:       []discoveryv1.EndpointPort{{Name: new("http"), Port: &port, Protocol: new(corev1.ProtocolTCP)}},
		}
	}
	c.create(engine.Services, service("web", "10.96.1.2", 8000))
	c.create(engine.EndpointSlices, slice("web", ip, 80, true))
	c.create(engine.Services, service("wrong", "10.96.1.3", 80))
	c.create(engine.EndpointSlices, slice("wrong", ip, 81, true))
	c.create(engine.Services, service("unready", "10.96.1.4", 80))
	c.create(engine.EndpointSlices, slice("unready", ip, 80, false))
	c.create(engine.Services, service("headless", "None", 80))
	c.create(engine.EndpointSlices, slice("headless", ip, 80, true))
	return c
}

func TestNetwork(t *testing.T) {
	c := webCluster(t)
	ip := c.api.pod(t, "web").Status.PodIP
	for name, tc := range map[string]struct{ script, want string }{
		"a Service by its name":               {"wget -qO- http://web:8000 | grep -o 'Welcome to nginx!' | head -n1", "Welcome to nginx!\n"},
		"a Service by its full name":          {"curl -s http://web.default.svc.cluster.local:8000 | grep -c h1", "1\n"},
		"a Service by its address":            {"wget -qO- 10.96.1.2:8000 | grep -c h1", "1\n"},
		"a Pod by its address":                {"wget -qO- " + ip + " | grep -c h1", "1\n"},
		"a headless Service":                  {"wget -qO- headless | grep -c h1; wget -qO- web-0.headless | grep -c h1", "1\n1\n"},
		"a port that nobody listens on":       {"wget -O- http://wrong; echo $?", "Connecting to wrong (10.96.1.3:80)\nwget: can't connect to remote host (10.96.1.3): Connection refused\n1\n"},
		"a Service without ready endpoints":   {"curl -sS http://unready; echo $?", "curl: (7) Failed to connect to unready port 80 after 0 ms: Could not connect to server\n7\n"},
		"a port that a Service does not have": {"date +%s; wget -q -T 2 -O- http://web; echo $?; date +%s", "1735732807\nwget: download timed out\n1\n1735732809\n"},
		"a name that is not":                  {"wget -q http://nope; echo $?; ping -c1 nope; nc nope 80", "wget: bad address 'nope'\n1\nping: bad address 'nope'\nnc: bad address 'nope'\n"},
		"a page that is not":                  {"wget -qO- http://web:8000/x; echo $?", "wget: server returned error: HTTP/1.1 404 Not Found\n1\n"},
		"nslookup":                            {"nslookup web.default.svc.cluster.local; echo $?", "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\nName:\tweb.default.svc.cluster.local\nAddress: 10.96.1.2\n\n\n0\n"},
		"nslookup of a name that is not":      {"nslookup a.b; echo $?", "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n** server can't find a.b: NXDOMAIN\n\n** server can't find a.b: NXDOMAIN\n\n1\n"},
		"curl's exit codes":                   {"curl -s http://nope; echo $?; curl -sf http://web:8000/x; echo $?; curl -s -o /dev/null -w '%{http_code}\n' http://web:8000/x; curl -s -m 1 http://web; echo $?", "6\n22\n404\n28\n"},
		"curl's progress":                     {"curl http://web:8000/nope 2>&1 >/dev/null | head -n 2; curl -sI http://web:8000 | head -n 2", "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n                                 Dload  Upload   Total   Spent    Left  Speed\nHTTP/1.1 200 OK\r\nServer: nginx/1.27.0\r\n"},
		"raw HTTP through nc":                 {"printf 'GET /nope HTTP/1.0\\r\\n\\r\\n' | nc web 8000 | head -n1", "HTTP/1.1 404 Not Found\r\n"},
		"a port that is open":                 {"nc -zv web 8000; nc -zv -w 1 web 81; echo $?", "web (10.96.1.2:8000) open\nnc: web (10.96.1.2:81): Connection timed out\n1\n"},
		"localhost":                           {"wget -qO- localhost:8080; httpd -p 8080 -h /tmp; echo hi > /tmp/index.html; wget -qO- localhost:8080", "wget: can't connect to remote host (127.0.0.1): Connection refused\nhi\n"},
		"nc on both ends":                     {"(sleep 1; echo hello) | nc -l -p 9000 & sleep 1; echo question | nc 127.0.0.1 9000; wait", "question\nhello\n"},
		"ping":                                {"ping -c 1 " + ip + " | tail -n 2; ping -c1 -W1 10.96.1.2 | tail -n1", "1 packets transmitted, 1 packets received, 0% packet loss\nround-trip min/avg/max = 0.120/0.120/0.120 ms\n1 packets transmitted, 0 packets received, 100% packet loss\n"},
		"getent":                              {"getent hosts web; getent hosts nope; echo $?", "10.96.1.2       web.default.svc.cluster.local\n2\n"},
	} {
		t.Run(name, func(t *testing.T) {
			pod := "p" + strings.ReplaceAll(strings.ToLower(name), " ", "-")
			how := shell("exec 2>&1\n" + tc.script)
			if strings.Contains(tc.script, "curl") {
				how = ofImage("nginx:1.27.0", "sh", "-c", "exec 2>&1\n"+tc.script)
			}
			c.create(engine.Pods, newPod(pod, how))
			got := c.read(pod, nil)
			if strings.Contains(tc.script, "date") {
				got, tc.want = stripTimes(got), stripTimes(tc.want)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
		})
	}
}

// stripTimes leaves of two instants how far apart they are.
func stripTimes(s string) string {
	lines := strings.Split(s, "\n")
	first := lines[0]
	for i, l := range lines {
		if len(l) == 10 && strings.HasPrefix(l, "17357") {
			lines[i] = string(rune('0' + (l[9]-first[9]+10)%10))
		}
	}
	return strings.Join(lines, "\n")
}

// Two Pods talk to each other through programs that wait.
func TestStreamBetweenPods(t *testing.T) {
	c := restart(t, engine.Auto, nil, cri.Simulated())
	c.create(engine.Pods, newPod("server", policy(corev1.RestartPolicyAlways), shell(`echo -e "HTTP/1.1 200 OK\n\nfrom nc" | nc -l -p 8080; echo served; sleep 100000`)))
	ip := c.api.pod(t, "server").Status.PodIP
	c.create(engine.Pods, newPod("client", shell("wget -qO- http://"+ip+":8080; sleep 1; wget -qO- http://"+ip+":8080 || echo gone")))
	if got := c.read("client", nil); got != "from nc\nwget: can't connect to remote host ("+ip+"): Connection refused\ngone\n" {
		t.Errorf("client: %q", got)
	}
	if got := c.read("server", nil); !strings.HasSuffix(got, "Connection: close\r\n\r\nserved\n") {
		t.Errorf("server: %q", got)
	}
}

// The containers of a Pod share localhost.
func TestContainersShareLocalhost(t *testing.T) {
	c := restart(t, engine.Auto, nil, cri.Simulated())
	c.create(engine.Pods, newPod("p", policy(corev1.RestartPolicyAlways), ofImage("nginx:1.27.0"), func(p *corev1.Pod) {
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "side", Image: "busybox", Command: []string{"sh", "-c", "sleep 3; wget -qO- localhost | grep -c h1; sleep 100000"}})
	}))
	if err := c.engine.Advance(t.Context(), 1e10); err != nil {
		t.Fatal(err)
	}
	if got := c.read("p", &corev1.PodLogOptions{Container: "side"}); got != "1\n" {
		t.Errorf("side: %q", got)
	}
	if got := c.read("p", &corev1.PodLogOptions{Container: "c"}); !strings.Contains(got, `127.0.0.1 - - [`) || !strings.Contains(got, `"GET / HTTP/1.1" 200 615 "-" "Wget" "-"`) {
		t.Errorf("nginx: %q", got)
	}
}
