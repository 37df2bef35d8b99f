package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/cluster"
	"github.com/kubesim-dev/kubesim/internal/datadir"
	"github.com/kubesim-dev/kubesim/internal/kubeconfig"
	"github.com/kubesim-dev/kubesim/internal/settings"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
)

// kept are the settings that a data directory remembers while a server runs on it. It is
// nil if none does: the folder is temporary, or the cluster lies in etcd.
type kept struct {
	warn func(string)
	dir  *datadir.Dir
	// nodesBefore is how many nodes the cluster had.
	nodesBefore int

	mu  sync.Mutex
	now settings.Settings
}

// addSettings adds the flags of what a data directory remembers.
func (f *serveFlags) addSettings(flags *pflag.FlagSet) {
	flags.StringVar(&f.mode, "clock", string(engine.Realtime), "how virtual time moves: realtime, auto (jumps over idle waits while work is under way) or manual")
	flags.Float64Var(&f.Speed, "speed", 1, "virtual seconds per second in clock mode realtime")
	flags.Uint64Var(&f.Seed, "seed", 1, "decides every name, UID and random number")
	flags.StringVar(&f.start, "start-time", "", "first virtual `instant`, RFC 3339 (default: now)")
	flags.IntVar(&f.Nodes, "nodes", 2, "number of simulated nodes; 0 for an API alone, where Pods stay Pending")
}

// recall lets what the data directory remembers stand for flags that are not given. A flag
// that says something else changes it, or is refused if the cluster cannot change that.
func (f *serveFlags) recall(flags *pflag.FlagSet) (*kept, error) {
	if f.storage != storageBolt || (f.Ephemeral && f.DataDir == "") {
		return nil, nil
	}
	dir, err := datadir.At(f.DataDir)
	if err != nil {
		return nil, err
	}
	was, err := settings.Load(dir)
	if err != nil || was == nil {
		return &kept{dir: dir}, err
	}
	k := &kept{dir: dir}
	given := flags.Changed
	if _, err := os.Stat(dir.File(datadir.StoreFile)); err == nil {
		k.nodesBefore = was.Nodes
		if err := f.contradicts(given, dir.Path, was); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("data directory %s: %w", dir.Path, datadir.Cause(err))
	}
	if !given("seed") {
		f.Seed = was.Seed
	}
	if !given("start-time") && was.StartTime != nil {
		f.start = was.StartTime.Format(time.RFC3339Nano)
	}
	if !given("clock") {
		f.mode = was.Clock
	}
	if !given("speed") {
		f.Speed = was.Speed
	}
	if !given("nodes") {
		f.Nodes = was.Nodes
	}
	if !given("name") {
		f.Name = was.Name
	}
	f.Paused = was.Paused
	return k, nil
}

// contradicts refuses flags that say what a cluster that has begun cannot become.
func (f *serveFlags) contradicts(given func(string) bool, dir string, was *settings.Settings) error {
	const instead = "leave it out, or begin another cluster with another --data-dir"
	if given("seed") && f.Seed != was.Seed {
		return fmt.Errorf("--seed %d: the cluster in %s began with seed %d, from which its names and UIDs follow: %s", f.Seed, dir, was.Seed, instead)
	}
	if !given("start-time") {
		return nil
	}
	start, err := time.Parse(time.RFC3339, f.start)
	switch {
	case err != nil: // complete says so
		return nil
	case was.StartTime == nil:
		return fmt.Errorf("--start-time %s: the cluster in %s began at this machine's time: %s; 'kubesim clock until' moves its time on", f.start, dir, instead)
	case !start.Equal(*was.StartTime):
		return fmt.Errorf("--start-time %s: the cluster in %s began at %s: %s; 'kubesim clock until' moves its time on", f.start, dir, was.StartTime.Format(time.RFC3339Nano), instead)
	}
	return nil
}

// follow remembers the settings of o, and what becomes of them.
func (k *kept) follow(o *cluster.Options) {
	if k == nil {
		return
	}
	k.warn = o.Warn
	k.now = settings.Settings{Name: o.Name, Seed: o.Seed, Clock: string(o.Mode), Speed: o.Speed, Paused: o.Paused, Nodes: o.Nodes}
	if !o.Start.IsZero() {
		start := o.Start.UTC()
		k.now.StartTime = &start
	}
	o.Opened = func(dir *datadir.Dir) error {
		k.mu.Lock()
		defer k.mu.Unlock()
		now := k.now
		now.Nodes = max(now.Nodes, k.nodesBefore) // until removeNodes has removed the others
		return now.Save(dir)
	}
	o.ClockChanged = func(mode engine.Mode, speed float64, paused bool) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.now.Clock, k.now.Speed, k.now.Paused = string(mode), speed, paused
		if err := k.now.Save(k.dir); err != nil {
			k.warn(err.Error())
		}
	}
}

// removeNodes deletes the nodes that the cluster had and is not to have any more, as
// 'kubectl delete node' does.
func (k *kept) removeNodes(ctx context.Context, c *cluster.Cluster) error {
	if k == nil || k.nodesBefore <= k.now.Nodes {
		return nil
	}
	config, err := c.RESTConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	for _, n := range node.List(k.nodesBefore)[k.now.Nodes:] {
		err := client.CoreV1().Nodes().Delete(ctx, n.Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("--nodes %d: %s: %w", k.now.Nodes, n.Name, err)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.nodesBefore = k.now.Nodes
	return k.now.Save(k.dir)
}

var clusterNames = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$`)

// clusterName refuses what no cluster may be called. The empty name is the default
// cluster's.
func clusterName(name string) error {
	switch {
	case name == "" || name == kubeconfig.DefaultName:
		return nil
	case strings.HasPrefix(name, kubeconfig.DefaultName+"-"):
		return fmt.Errorf("%q: that would be a context: its cluster is called %s", name, strings.TrimPrefix(name, kubeconfig.DefaultName+"-"))
	case !clusterNames.MatchString(name):
		return fmt.Errorf("%q: want at most 40 lower-case letters, digits and '-', for example dev", name)
	}
	return nil
}
