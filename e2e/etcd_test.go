package e2e

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/utils/ptr"
)

// quickElection lets a test see a new leader in a moment.
var quickElection = []string{"--leader-elect-lease-duration=2s", "--leader-elect-renew-deadline=1500ms", "--leader-elect-retry-period=200ms"}

// serve starts a kubesim server on this etcd.
func (e *etcdServer) serve(t *testing.T, args ...string) *server {
	t.Helper()
	return newServer(t, append([]string{"--etcd-servers", e.url}, args...)...)
}

// address is where the server listens.
func (s *server) address(t *testing.T) string {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(config.Host, "https://")
}

// leader waits until one of the servers leads, and returns it and another one.
func leader(t *testing.T, servers ...*server) (leads, follows *server) {
	t.Helper()
	var holder string
	for deadline := time.Now().Add(untilMax); time.Now().Before(deadline); time.Sleep(untilInterval) {
		lease, err := clientOf(t, servers[0]).CoordinationV1().Leases(metav1.NamespaceSystem).Get(t.Context(), "kubesim", metav1.GetOptions{})
		if err != nil {
			continue
		}
		holder, _, _ = strings.Cut(ptr.Deref(lease.Spec.HolderIdentity, ""), "_")
		i := slices.IndexFunc(servers, func(s *server) bool { return s.address(t) == holder })
		if i < 0 {
			continue
		}
		if len(servers) > 1 {
			follows = servers[(i+1)%len(servers)]
		}
		return servers[i], follows
	}
	t.Fatalf("after %v the leader is %q, none of the %d servers", untilMax, holder, len(servers))
	return nil, nil
}

// indexedJob has as many Pods as completions, each of an index of its own, and
// runs for some seconds.
func indexedJob(name string, completions int32) *batchv1.Job {
	j := validJob()
	j.Name = name
	runs(j, "echo index $JOB_COMPLETION_INDEX; sleep 1")
	j.Spec.CompletionMode = ptr.To(batchv1.IndexedCompletion)
	j.Spec.Completions, j.Spec.Parallelism = ptr.To(completions), ptr.To[int32](2)
	return j
}

// checkRanOnce fails unless each index of the Job ran in exactly one Pod.
func checkRanOnce(t *testing.T, client kubernetes.Interface, name string, completions int) {
	t.Helper()
	job, err := client.BatchV1().Jobs(metav1.NamespaceDefault).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if int(job.Status.Succeeded) != completions || job.Status.Failed != 0 {
		t.Errorf("Job %s: %d Pods succeeded and %d failed, want %d and 0", name, job.Status.Succeeded, job.Status.Failed, completions)
	}
	pods, err := client.CoreV1().Pods(metav1.NamespaceDefault).List(t.Context(), metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + name})
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for i := range pods.Items {
		got = append(got, pods.Items[i].Labels[batchv1.JobCompletionIndexAnnotation])
	}
	for i := range completions {
		want = append(want, fmt.Sprint(i))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the Pods of Job %s have the indexes %v, want each once: %v", name, got, want)
	}
}

// state is what a server says there is: the resourceVersions of Jobs and Pods.
func state(t *testing.T, client kubernetes.Interface) map[types.UID]string {
	t.Helper()
	all := map[types.UID]string{}
	jobs, err := client.BatchV1().Jobs("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs.Items {
		all[j.UID] = j.ResourceVersion
	}
	pods, err := client.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pods.Items {
		all[p.UID] = p.ResourceVersion
	}
	return all
}

// logOf follows what a Job's first Pod prints, to its end.
func logOf(t *testing.T, client kubernetes.Interface, job string) string {
	t.Helper()
	pods, err := client.CoreV1().Pods(metav1.NamespaceDefault).List(t.Context(), metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + job})
	if err != nil || len(pods.Items) == 0 {
		t.Fatalf("Job %s has no Pods: %v", job, err)
	}
	log, err := client.CoreV1().Pods(metav1.NamespaceDefault).GetLogs(pods.Items[0].Name, &corev1.PodLogOptions{Follow: true}).DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(log)
}

// TestServersShareACluster starts two servers at the same moment on an empty
// etcd, and uses the cluster through the one that does not lead.
func TestServersShareACluster(t *testing.T) {
	t.Parallel()
	etcd := newEtcd(t)
	var servers [2]*server
	var starting sync.WaitGroup
	for i := range servers {
		starting.Go(func() {
			dir := t.TempDir()
			s, err := startServer(dir, append(os.Environ(), "HOME="+dir, "TMPDIR="+dir), "--etcd-servers", etcd.url)
			if err != nil {
				t.Error(err)
				return
			}
			servers[i] = s
		})
	}
	starting.Wait()
	if t.Failed() {
		return
	}
	defer func() {
		for _, s := range servers {
			if err := s.stop(); err != nil {
				t.Error(err)
			}
		}
	}()
	leads, follows := leader(t, servers[:]...)
	here, there := clientOf(t, follows), clientOf(t, leads)

	t.Run("a Job created at one runs at the other, and its watcher sees the end", func(t *testing.T) {
		watch, err := here.BatchV1().Jobs(metav1.NamespaceDefault).Watch(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer watch.Stop()
		if _, err := here.BatchV1().Jobs(metav1.NamespaceDefault).Create(t.Context(), indexedJob("shared", 2), createOptions); err != nil {
			t.Fatal(err)
		}
		timeout := time.After(untilMax)
		for done := false; !done; {
			select {
			case event := <-watch.ResultChan():
				job, ok := event.Object.(*batchv1.Job)
				done = ok && finished(job)
			case <-timeout:
				t.Fatalf("after %v the watcher has not seen the Job end", untilMax)
			}
		}
		checkRanOnce(t, there, "shared", 2)
	})
	t.Run("a command runs at the other", func(t *testing.T) {
		newPod(t, here, "box", "busybox", "sleep", "100000")
		config := configOf(t, follows)
		eventually(t, func() error {
			return execIn(t.Context(), config, here, remotecommand.StreamOptions{Stdout: io.Discard}, "box", "true")
		})
		if got := output(t, config, here, "box", "hostname"); got != "box\n" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("both say the same", func(t *testing.T) {
		if one, other := state(t, here), state(t, there); !maps.Equal(one, other) || len(one) == 0 {
			t.Errorf("one server has\n%v\nthe other\n%v", one, other)
		}
	})
	t.Run("both print what the containers printed", func(t *testing.T) {
		for what, client := range map[string]kubernetes.Interface{"the leader": there, "the other": here} {
			if log := logOf(t, client, "shared"); !strings.HasPrefix(log, "index ") {
				t.Errorf("%s prints %q, want index …", what, log)
			}
		}
	})
	t.Run("no name and no UID comes twice", func(t *testing.T) { checkNoneTwice(t, here, there) })
	t.Run("what one server has been told the other enforces", func(t *testing.T) {
		if _, err := there.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "later"}}, createOptions); err != nil {
			t.Fatal(err)
		}
		// A namespace is usable at once where it was created; elsewhere a moment
		// later, as with several kube-apiservers.
		eventually(t, func() error {
			_, err := here.CoreV1().ConfigMaps("later").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, createOptions)
			return err
		})
	})
	t.Run("a server with another seed is refused", func(t *testing.T) {
		other := exec.Command("kubesim", "serve", "--etcd-servers", etcd.url, "--seed", "2", "--listen", "127.0.0.1:0", "--data-dir", t.TempDir())
		if out, err := other.CombinedOutput(); err == nil || !strings.Contains(string(out), "--seed 2: the cluster in etcd has --seed 1") {
			t.Errorf("serve --seed 2 says %q (%v), want that the cluster has --seed 1", out, err)
		}
	})
	t.Run("time cannot be moved", func(t *testing.T) {
		out, err := exec.Command("kubesim", "clock", "advance", "1h", "--kubeconfig", follows.kubeconfig).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "its time is the wall clock's and cannot be moved") {
			t.Errorf("clock advance says %q (%v), want that time cannot be moved", out, err)
		}
	})
}

// eventually tries again until f succeeds.
func eventually(t *testing.T, f func() error) {
	t.Helper()
	eventuallyIn(t, untilMax, f)
}

// eventuallyIn is eventually with another bound. Unit: wall time.
func eventuallyIn(t *testing.T, bound time.Duration, f func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(bound); time.Now().Before(deadline); time.Sleep(untilInterval) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatalf("after %v: %v", bound, err)
}

// checkNoneTwice lets both servers make up names and UIDs at the same time.
func checkNoneTwice(t *testing.T, clients ...kubernetes.Interface) {
	const each = 50
	var mu sync.Mutex
	seen := map[string]bool{}
	var writing sync.WaitGroup
	for _, client := range clients {
		writing.Go(func() {
			for range each {
				made, err := client.CoreV1().ConfigMaps(metav1.NamespaceDefault).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "made-"}}, createOptions)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				seen[made.Name], seen[string(made.UID)] = true, true
				mu.Unlock()
			}
		})
	}
	writing.Wait()
	if want := 2 * each * len(clients); len(seen) != want {
		t.Errorf("there are %d names and UIDs, want %d", len(seen), want)
	}
}

// TestAnotherServerTakesOver kills the leader again and again in the middle of
// its Jobs. A new server joins each time, the Jobs go on under a new leader, and
// in the end each of their Pods has run exactly once.
func TestAnotherServerTakesOver(t *testing.T) {
	t.Parallel()
	const (
		kills       = 3
		jobs        = 3
		completions = 4
	)
	etcd := newEtcd(t)
	servers := []*server{etcd.serve(t, quickElection...), etcd.serve(t, quickElection...)}
	for round := range kills {
		leads, follows := leader(t, servers...)
		client := clientOf(t, follows)
		name := func(i int) string { return fmt.Sprintf("round-%d-job-%d", round, i) }
		for i := range jobs {
			if _, err := client.BatchV1().Jobs(metav1.NamespaceDefault).Create(t.Context(), indexedJob(name(i), completions), createOptions); err != nil {
				t.Fatal(err)
			}
		}
		// The middle: something has run, something runs, something is to come.
		eventually(t, func() error {
			job, err := client.BatchV1().Jobs(metav1.NamespaceDefault).Get(t.Context(), name(0), metav1.GetOptions{})
			if err == nil && job.Status.Succeeded == 0 {
				err = fmt.Errorf("no Pod of %s has succeeded", job.Name)
			}
			return err
		})
		leads.kill()
		servers = []*server{follows, etcd.serve(t, quickElection...)}
		awaitFinished(t, clientOf(t, servers[1]))
		for i := range jobs {
			checkRanOnce(t, clientOf(t, servers[1]), name(i), completions)
		}
	}
}

// TestAFrozenLeaderDoesNoHarm stops the leader's process in the middle of Jobs
// and lets it go on when another server has finished them: it must not run on
// from where it was.
func TestAFrozenLeaderDoesNoHarm(t *testing.T) {
	t.Parallel()
	etcd := newEtcd(t)
	leads, follows := leader(t, etcd.serve(t, quickElection...), etcd.serve(t, quickElection...))
	client := clientOf(t, follows)
	const jobs, completions = 3, 4
	name := func(i int) string { return fmt.Sprintf("frozen-%d", i) }
	for i := range jobs {
		job := indexedJob(name(i), completions)
		runs(job, "sleep 5")
		if _, err := client.BatchV1().Jobs(metav1.NamespaceDefault).Create(t.Context(), job, createOptions); err != nil {
			t.Fatal(err)
		}
	}
	// While Pods run: a write that the leader was about to send when it froze would
	// still be sent, as by upstream's controllers.
	eventually(t, func() error {
		list, err := client.BatchV1().Jobs(metav1.NamespaceDefault).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, job := range list.Items {
			if ptr.Deref(job.Status.Ready, 0) < *job.Spec.Parallelism {
				return fmt.Errorf("not all Pods of %s run", job.Name)
			}
		}
		return nil
	})
	if err := leads.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	leader(t, follows)
	awaitFinished(t, client)
	if err := leads.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	// It serves again, and what it is told runs at the other.
	thawed := clientOf(t, leads)
	if _, err := thawed.BatchV1().Jobs(metav1.NamespaceDefault).Create(t.Context(), indexedJob("thawed", 2), createOptions); err != nil {
		t.Fatal(err)
	}
	awaitFinished(t, thawed)
	checkRanOnce(t, thawed, "thawed", 2)
	for i := range jobs {
		checkRanOnce(t, thawed, name(i), completions)
	}
}

// TestLeadershipIsHandedOver stops the leader as Ctrl-C does: the next one need
// not wait until the lease has run out, which here no test would live to see.
func TestLeadershipIsHandedOver(t *testing.T) {
	t.Parallel()
	etcd := newEtcd(t)
	// The retry period is also what a server has to give the lease back in: seconds, for a
	// busy machine.
	longLease := []string{"--leader-elect-lease-duration=24h", "--leader-elect-renew-deadline=15s", "--leader-elect-retry-period=5s"}
	first := etcd.serve(t, longLease...)
	leader(t, first)
	second := etcd.serve(t, longLease...)
	if err := first.stop(); err != nil {
		t.Error(err)
	}
	leader(t, second)
}

// TestEtcdIsAwayForAWhile kills etcd under two servers. They say so to their
// clients, go on, and lead again once etcd is back.
func TestEtcdIsAwayForAWhile(t *testing.T) {
	t.Parallel()
	etcd := newEtcd(t)
	servers := []*server{etcd.serve(t, quickElection...), etcd.serve(t, quickElection...)}
	leader(t, servers...)
	// Longer than the lease lasts: the leader loses it.
	create := func(s *server, name string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err := clientOf(t, s).CoreV1().ConfigMaps(metav1.NamespaceDefault).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, createOptions)
		return err
	}
	etcd.kill()
	for i, s := range servers {
		if err := create(s, fmt.Sprintf("away-%d", i)); err == nil {
			t.Error("without etcd a write was acknowledged")
		}
	}
	if body, err := clientOf(t, servers[0]).Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(t.Context()); err == nil || !strings.Contains(string(body), "[-]etcd failed") {
		t.Errorf("without etcd /readyz says %q (%v), want that etcd failed", body, err)
	}
	etcd.start(t)
	for i, s := range servers {
		eventually(t, func() error {
			err := create(s, fmt.Sprintf("back-%d", i))
			if apierrors.IsAlreadyExists(err) { // the answer to the try before was late
				return nil
			}
			return err
		})
	}
	leader(t, servers...)
	client := clientOf(t, servers[0])
	if _, err := client.BatchV1().Jobs(metav1.NamespaceDefault).Create(t.Context(), indexedJob("afterwards", 3), createOptions); err != nil {
		t.Fatal(err)
	}
	awaitFinished(t, client)
	checkRanOnce(t, client, "afterwards", 3)
	for _, s := range servers {
		// The library for etcd complains on stderr of an etcd that is away: so
		// only how the server ends counts.
		_ = s.cmd.Process.Signal(os.Interrupt)
		_, _ = io.ReadAll(s.stdout)
		if err := s.cmd.Wait(); err != nil {
			t.Errorf("the server ended with %v; stderr:\n%s", err, s.stderr)
		}
	}
}

// TestSecuredEtcd shows the flags for TLS: with them a server serves, without
// them it is told what is wrong.
func TestSecuredEtcd(t *testing.T) {
	t.Parallel()
	etcd := newSecuredEtcd(t)
	etcd.serve(t, "--etcd-cafile", etcd.certFile, "--etcd-certfile", etcd.certFile, "--etcd-keyfile", etcd.keyFile)
	out, err := exec.Command("kubesim", "serve", "--etcd-servers", etcd.url, "--listen", "127.0.0.1:0", "--data-dir", t.TempDir()).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "signed by unknown authority") || strings.Count(string(out), "\n") != 1 {
		t.Errorf("without a certificate serve says %q (%v), want one line: signed by unknown authority", out, err)
	}
}
