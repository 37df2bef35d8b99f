package e2e

import (
	"context"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
)

var (
	tortureKills = flag.Int("torture.kills", often(10, 4), "how often TestKilledServersKeepTheirPromises kills the server")
	tortureSeed  = flag.Int64("torture.seed", 1, "decides what the clients do, and after how many acknowledged writes the server is killed")
)

const (
	tortureClients = 8
	tortureKeys    = 6
	// writesMax is the most acknowledged writes before a kill.
	writesMax = 400
	// startKillMax is how long a server may have run when it is killed before it
	// serves. Unit: wall time.
	startKillMax = 400 * time.Millisecond
	// tortureReport is how often progress is logged. Unit: kills.
	tortureReport = 10
	// compaction and compactionChurn make a round in which history is compacted:
	// up to the start of the server, so that no watch loses its place. Unit: wall
	// time.
	compaction      = 3 * time.Second
	compactionChurn = 3500 * time.Millisecond
)

// TestKilledServersKeepTheirPromises kills a durable server with SIGKILL, again
// and again on one data directory, while clients write and others watch. Each
// time, the next server must show that
//   - nothing acknowledged is lost, and nothing that was deleted comes back;
//   - every object is whole, and is what some client wrote;
//   - resourceVersions go on from the highest that anybody was told of, and none
//     denotes two states;
//   - watches resumed from the last event miss nothing and repeat nothing;
//   - all answers together, those of requests that the kill cut off being unknown,
//     are what one register a key would give (porcupine);
//   - kubesim check finds nothing wrong.
func TestKilledServersKeepTheirPromises(t *testing.T) {
	kills := *tortureKills
	if testing.Short() {
		kills = min(kills, 3)
	}
	r := newTorture(t, *tortureSeed)
	for kill := range kills {
		r.round(kill)
		if done := kill + 1; done%tortureReport == 0 || done == kills {
			t.Logf("seed %d: %d kills, %d of them while it started: %d writes acknowledged, %d unknown, %d events seen by each watch of ConfigMaps",
				*tortureSeed, done, r.startKills, r.acked, r.unknown, r.events)
		}
		if t.Failed() {
			t.Fatalf("kill %d of %d; -torture.seed=%d replays what the clients did and after how many writes they were cut off", kill+1, kills, *tortureSeed)
		}
	}
	s := r.start()
	r.audit(clientOf(t, s))
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	r.check()
}

// torture is a data directory and what is known of it.
type torture struct {
	t         *testing.T
	random    *rand.Rand
	began     time.Time
	dir       string
	env       []string
	testimony *testimony
	witnesses []*witness
	stop      func() // the witnesses of the present server
	before    int64  // the highest resourceVersion that was known when it started

	history []operation          // since the last audit
	jobs    map[string]types.UID // acknowledged
	uids    sync.Mutex           // guards jobs

	acked, unknown, events, startKills int
}

func newTorture(t *testing.T, seed int64) *torture {
	dir := t.TempDir()
	r := &torture{
		t: t, random: rand.New(rand.NewSource(seed)), began: time.Now(), dir: dir,
		env:       append(os.Environ(), "HOME="+dir, "TMPDIR="+dir),
		testimony: &testimony{states: map[int64]string{}},
		jobs:      map[string]types.UID{},
		stop:      func() {},
	}
	for _, name := range []string{"watch 1 of ConfigMaps", "watch 2 of ConfigMaps"} {
		r.witnesses = append(r.witnesses, &witness{
			name: name, testimony: r.testimony,
			watch: func(ctx context.Context, c kubernetes.Interface, o metav1.ListOptions) (watch.Interface, error) {
				return c.CoreV1().ConfigMaps(metav1.NamespaceDefault).Watch(ctx, o)
			},
			touch: touchConfigMap,
		})
	}
	r.witnesses = append(r.witnesses, &witness{
		name: "watch of Jobs", testimony: r.testimony,
		watch: func(ctx context.Context, c kubernetes.Interface, o metav1.ListOptions) (watch.Interface, error) {
			return c.BatchV1().Jobs(metav1.NamespaceDefault).Watch(ctx, o)
		},
		touch: touchJob,
	})
	return r
}

func touchConfigMap(ctx context.Context, c kubernetes.Interface) (runtime.Object, error) {
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "touch-"}}
	return c.CoreV1().ConfigMaps(metav1.NamespaceDefault).Create(ctx, cm, createOptions)
}

func touchJob(ctx context.Context, c kubernetes.Interface) (runtime.Object, error) {
	j := validJob()
	j.Name, j.GenerateName, j.Spec.Suspend = "", "touch-", ptr.To(true)
	return c.BatchV1().Jobs(metav1.NamespaceDefault).Create(ctx, j, createOptions)
}

// round starts the server, audits what the last one left, lets clients write and
// kills it.
func (r *torture) round(kill int) {
	if kill%8 == 7 {
		r.killWhileStarting()
		return
	}
	churn := time.Duration(0)
	args := []string{"--nodes", fmt.Sprint(kill % 2)}
	if kill%25 == 5 {
		churn = compactionChurn
		args = append(args, "--compaction-interval", compaction.String())
	}
	s := r.start(args...)
	r.audit(clientOf(r.t, s))
	r.churn(s, kill, churn)
	r.check()
}

// start starts the server and has the witnesses resume.
func (r *torture) start(args ...string) *server {
	r.t.Helper()
	s, err := startServer(r.dir, r.env, append([]string{"--data-dir", "cluster"}, args...)...)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(s.kill) // unless it has ended
	ctx, cancel := context.WithCancel(r.t.Context())
	var running sync.WaitGroup
	r.before = r.testimony.known()
	first := r.before == 0
	for _, w := range r.witnesses {
		client := clientOf(r.t, s)
		if first {
			list, err := client.CoreV1().ConfigMaps(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{})
			if err != nil {
				r.t.Fatal(err)
			}
			w.from, _, _ = stateOf(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{ResourceVersion: list.ResourceVersion}})
		}
		running.Go(func() { w.run(ctx, client) })
	}
	r.stop = func() { cancel(); running.Wait() }
	return s
}

// killWhileStarting kills a server that has just been started: it may be reading
// the file, or writing what every cluster has.
func (r *torture) killWhileStarting() {
	r.t.Helper()
	cmd := exec.Command("kubesim", "serve", "--data-dir", "cluster", "--listen", "127.0.0.1:0")
	cmd.Dir, cmd.Env = r.dir, r.env
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	time.Sleep(time.Duration(r.random.Int63n(int64(startKillMax))))
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	r.startKills++
	r.check()
}

func (r *torture) check() {
	r.t.Helper()
	cmd := exec.Command("kubesim", "check", "cluster")
	cmd.Dir, cmd.Env = r.dir, r.env
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Errorf("kubesim check: %v\n%s", err, out)
	}
}

// churn lets the clients write until so many writes are acknowledged, or for so
// long, and kills the server in the middle of the others.
func (r *torture) churn(s *server, kill int, long time.Duration) {
	r.t.Helper()
	after := int64(1 + r.random.Intn(writesMax))
	full := make(chan struct{})
	var acked atomic.Int64
	var once sync.Once
	ack := func() {
		if acked.Add(1) >= after {
			once.Do(func() { close(full) })
		}
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	var clients sync.WaitGroup
	histories := make([][]operation, tortureClients)
	for i := range histories {
		c := &tortured{r: r, client: clientOf(r.t, s), id: i, kill: kill, random: rand.New(rand.NewSource(r.random.Int63())), ack: ack}
		clients.Go(func() { histories[i] = c.work(ctx) })
	}
	select {
	case <-full:
		time.Sleep(long)
	case <-time.After(catchUpMax):
		r.t.Errorf("after %v only %d of %d writes are acknowledged", catchUpMax, acked.Load(), after)
	}
	s.kill()
	dead := time.Since(r.began)
	cancel()
	clients.Wait()
	r.stop()
	for _, h := range histories {
		for _, o := range h {
			if o.unknown && o.call >= dead {
				continue // nobody heard it
			}
			if o.unknown {
				o.ret = dead // it cannot take effect later
			}
			r.history = append(r.history, o)
		}
	}
	if s.stderr.Len() > 0 {
		r.t.Errorf("before the kill the server said:\n%s", s.stderr)
	}
}

// audit judges what the killed servers left, and what was said by them.
func (r *torture) audit(client kubernetes.Interface) {
	r.t.Helper()
	for _, w := range r.witnesses {
		if rv := w.catchUp(r.t, client); rv <= r.before {
			r.t.Errorf("after the kill resourceVersion %d was given; %d was known before", rv, r.before)
		}
	}
	records := make([][]sighting, len(r.witnesses))
	for i, w := range r.witnesses {
		records[i] = w.audit(r.t, client)
	}
	r.events += len(records[0])
	r.compareAnswers(records[0])
	r.compareStates(client, records[0])
	r.compareJobs(client)
	r.tidy(client)
	for _, o := range r.history {
		switch {
		case o.unknown && o.verb != "get":
			r.unknown++
		case o.found && o.verb != "get" && o.verb != "begin":
			r.acked++
		}
	}
	// The next history begins with what there is now.
	r.history = r.readAll(client, "begin")
}

// compareAnswers holds the answers of the clients against the history.
func (r *torture) compareAnswers(record []sighting) {
	r.t.Helper()
	byRV, tokens, deletes := map[int64]sighting{}, map[string]bool{}, map[string]int{}
	for _, s := range record {
		byRV[s.rv] = s
		if s.event == watch.Deleted {
			deletes[s.key]++
		}
	}
	acked, unknown := map[string]int{}, map[string]int{}
	for _, o := range r.history {
		switch {
		case o.unknown:
			tokens[o.token] = true
			if o.verb == "delete" {
				unknown[o.key]++
			}
		case o.verb == "delete" && o.found:
			acked[o.key]++
		case (o.verb == "create" || o.verb == "update") && o.found:
			tokens[o.token] = true
			if s, ok := byRV[o.rv]; !ok || s.state != o.state {
				r.t.Errorf("%s of %s was acknowledged with resourceVersion %d; the history has there %+v", o.verb, o.key, o.rv, s)
			}
		}
	}
	for _, s := range record {
		if s.event != watch.Deleted && s.token != "" && !tokens[s.token] {
			r.t.Errorf("nobody wrote %+v, or it was refused", s)
		}
	}
	for i := range tortureKeys {
		key := keyName(i)
		if n := deletes[key]; n < acked[key] || n > acked[key]+unknown[key] {
			r.t.Errorf("%d deletes of %s were acknowledged and %d are unknown; the history has %d", acked[key], key, unknown[key], n)
		}
	}
}

// compareStates holds what there is now against the answers, and against the
// last events.
func (r *torture) compareStates(client kubernetes.Interface, record []sighting) {
	r.t.Helper()
	now := r.readAll(client, "get")
	if history := append(r.history, now...); !linearizable(history) {
		r.t.Errorf("the answers of %d clients, with what there is after the kill, are not linearizable", tortureClients)
	}
	last := map[string]sighting{}
	for _, s := range record {
		last[s.key] = s
	}
	for _, o := range now {
		s, ok := last[o.key]
		if ok && (s.event != watch.Deleted) != o.found || ok && o.found && s.rv != o.rv {
			r.t.Errorf("the last event of %s is %+v; it is now %+v", o.key, s, o)
		}
	}
}

func (r *torture) compareJobs(client kubernetes.Interface) {
	r.t.Helper()
	jobs, err := client.BatchV1().Jobs(metav1.NamespaceDefault).List(r.t.Context(), metav1.ListOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	has := map[string]types.UID{}
	for i := range jobs.Items {
		r.testimony.hear(&jobs.Items[i], "list of Jobs")
		has[jobs.Items[i].Name] = jobs.Items[i].UID
	}
	for name, uid := range r.jobs {
		if has[name] != uid {
			r.t.Errorf("Job %s with UID %s was acknowledged; there is %q", name, uid, has[name])
		}
	}
}

// tidy deletes what catchUp made.
func (r *torture) tidy(client kubernetes.Interface) {
	r.t.Helper()
	jobs, maps := client.BatchV1().Jobs(metav1.NamespaceDefault), client.CoreV1().ConfigMaps(metav1.NamespaceDefault)
	for _, w := range r.witnesses {
		for _, s := range w.touched() {
			err := jobs.Delete(r.t.Context(), s, metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationBackground)})
			if apierrors.IsNotFound(err) {
				err = maps.Delete(r.t.Context(), s, metav1.DeleteOptions{})
			}
			if err != nil {
				r.t.Error(err)
			}
		}
	}
}

// readAll gets every key, one after the other.
func (r *torture) readAll(client kubernetes.Interface, verb string) []operation {
	r.t.Helper()
	c := &tortured{r: r, client: client, id: tortureClients}
	var all []operation
	for i := range tortureKeys {
		o := c.do(r.t.Context(), request{verb: "get", key: keyName(i)})
		if o.unknown {
			r.t.Fatalf("no answer to a get of %s", o.key)
		}
		o.verb = verb
		all = append(all, o)
	}
	return all
}

func keyName(i int) string { return fmt.Sprintf("key-%d", i) }

// tortured is one client.
type tortured struct {
	r      *torture
	client kubernetes.Interface
	id     int
	kill   int
	random *rand.Rand
	ack    func()
}

// work makes requests until one has no answer, or ctx ends.
func (c *tortured) work(ctx context.Context) []operation {
	var history []operation
	for i := 0; ctx.Err() == nil; i++ {
		if i%100 == 10*c.id {
			c.createJob(ctx, fmt.Sprintf("job-%d-%d-%d", c.kill, c.id, i))
		}
		verb := []string{"create", "create", "update", "update", "update", "delete", "get"}[c.random.Intn(7)]
		o := c.do(ctx, request{verb: verb, key: keyName(c.random.Intn(tortureKeys)), token: fmt.Sprintf("%d-%d-%d", c.kill, c.id, i)})
		history = append(history, o)
		if o.unknown {
			return history
		}
		if o.found && verb != "get" {
			c.ack()
		}
	}
	return history
}

// do carries a request out. A refusal is an answer; an error without one leaves
// the outcome unknown.
func (c *tortured) do(ctx context.Context, q request) operation {
	o := operation{request: q, client: c.id, call: time.Since(c.r.began)}
	got, err := c.send(ctx, q)
	o.ret = time.Since(c.r.began)
	switch {
	case err == nil:
		o.found = true
		if q.verb == "delete" {
			break // its answer does not tell the object
		}
		o.rv, o.state = c.r.testimony.hear(got, q.verb)
		if q.verb == "get" {
			o.value = got.Data["token"]
		}
	case apierrors.IsNotFound(err), apierrors.IsAlreadyExists(err):
	case apierrors.ReasonForError(err) != metav1.StatusReasonUnknown:
		c.r.t.Errorf("%s %s: %v", q.verb, q.key, err)
		o.unknown = true
	default:
		o.unknown = true
	}
	return o
}

func (c *tortured) send(ctx context.Context, q request) (*corev1.ConfigMap, error) {
	maps := c.client.CoreV1().ConfigMaps(metav1.NamespaceDefault)
	switch q.verb {
	case "create":
		return maps.Create(ctx, c.configMap(q), createOptions)
	case "update":
		return maps.Update(ctx, c.configMap(q), metav1.UpdateOptions{})
	case "delete":
		return nil, maps.Delete(ctx, q.key, metav1.DeleteOptions{})
	}
	return maps.Get(ctx, q.key, metav1.GetOptions{})
}

// configMap is of any size up to some pages of the file.
func (c *tortured) configMap(q request) *corev1.ConfigMap {
	data := map[string]string{"token": q.token, "pad": strings.Repeat("x", c.random.Intn(16<<10))}
	data["sum"] = sum(data)
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: q.key}, Data: data}
}

func (c *tortured) createJob(ctx context.Context, name string) {
	j := validJob()
	j.Name = name
	j.Spec.Template.Spec.Containers[0].Command = []string{"true"}
	created, err := c.client.BatchV1().Jobs(metav1.NamespaceDefault).Create(ctx, j, createOptions)
	if err != nil {
		return
	}
	c.r.testimony.hear(created, "create of a Job")
	c.r.uids.Lock()
	defer c.r.uids.Unlock()
	c.r.jobs[name] = created.UID
}
