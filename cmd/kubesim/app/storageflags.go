package app

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/tools/leaderelection"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/cluster"
)

// What --storage may be.
const (
	storageBolt = "bbolt"
	storageEtcd = "etcd"
)

// addStorage adds the flags that say where the cluster lies. Those for etcd have
// the names and defaults of kube-apiserver's and kube-controller-manager's.
func (f *serveFlags) addStorage(flags *pflag.FlagSet) {
	flags.StringVar(&f.storage, "storage", storageBolt, "where the cluster lies: bbolt, a file in the data directory, or etcd, shared by several servers")
	e := &f.Etcd
	flags.StringSliceVar(&e.Servers, "etcd-servers", nil, "`URL`s of etcd's members; implies --storage etcd")
	flags.StringVar(&e.Prefix, "etcd-prefix", "/registry", "what every key in etcd begins with; each prefix is a cluster of its own")
	flags.StringVar(&e.CAFile, "etcd-cafile", "", "`file` of the authority that signed etcd's certificate")
	flags.StringVar(&e.CertFile, "etcd-certfile", "", "`file` of the client certificate for etcd")
	flags.StringVar(&e.KeyFile, "etcd-keyfile", "", "`file` of the client certificate's key")
	flags.DurationVar(&e.LeaseDuration, "leader-elect-lease-duration", 15*time.Second, "with etcd: how long after a leader's last sign of life another server leads")
	flags.DurationVar(&e.RenewDeadline, "leader-elect-renew-deadline", 10*time.Second, "with etcd: how long a leader that cannot renew its lease goes on")
	flags.DurationVar(&e.RetryPeriod, "leader-elect-retry-period", 2*time.Second, "with etcd: how often servers look at the lease")
}

// completeStorage refuses what does not go together.
func (f *serveFlags) completeStorage(flags *pflag.FlagSet) error {
	if flags.Changed("etcd-servers") && !flags.Changed("storage") {
		f.storage = storageEtcd
	}
	switch f.storage {
	case storageBolt:
		return f.completeBolt(flags)
	case storageEtcd:
		return f.completeEtcd(flags)
	}
	return fmt.Errorf("--storage %q: want %s or %s", f.storage, storageBolt, storageEtcd)
}

func (f *serveFlags) completeBolt(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(flag *pflag.Flag) {
		if strings.HasPrefix(flag.Name, "etcd-") || strings.HasPrefix(flag.Name, "leader-elect-") {
			err = fmt.Errorf("--%s: the cluster does not lie in etcd: name etcd's members with --etcd-servers, and leave out --storage bbolt", flag.Name)
		}
	})
	f.Etcd = cluster.EtcdOptions{}
	return err
}

func (f *serveFlags) completeEtcd(flags *pflag.FlagSet) error {
	if len(f.Etcd.Servers) == 0 {
		return errors.New("--storage etcd: want etcd's members too, for example --etcd-servers http://127.0.0.1:2379")
	}
	for _, server := range f.Etcd.Servers {
		if u, err := url.Parse(server); err != nil || u.Scheme == "" || u.Host == "" {
			return fmt.Errorf("--etcd-servers %q: want a URL, for example http://127.0.0.1:2379", server)
		}
	}
	if strings.Trim(f.Etcd.Prefix, "/") == "" {
		return fmt.Errorf("--etcd-prefix %q: want a name, for example /registry", f.Etcd.Prefix)
	}
	if (f.Etcd.CertFile == "") != (f.Etcd.KeyFile == "") {
		return errors.New("--etcd-certfile and --etcd-keyfile: want both or none")
	}
	if err := checkElection(&f.Etcd); err != nil {
		return err
	}
	const instead = "leave it out, or have a cluster of one server with --storage bbolt"
	switch {
	case f.mode != string(engine.Realtime):
		return fmt.Errorf("--clock %s: with --storage etcd several servers write to the cluster, and nobody can hold time still for all of them: %s", f.mode, instead)
	case f.Speed != 1:
		return fmt.Errorf("--speed %v: with --storage etcd time is the wall clock's, so that all servers agree: %s", f.Speed, instead)
	case f.start != "":
		return fmt.Errorf("--start-time %s: with --storage etcd time is the wall clock's, so that all servers agree: %s", f.start, instead)
	case f.Ephemeral:
		return fmt.Errorf("--ephemeral: with --storage etcd it is etcd that writes to the disk (its own flag is --unsafe-no-fsync): %s", instead)
	case flags.Changed("compaction-interval") && f.CompactionInterval <= 0:
		return fmt.Errorf("--compaction-interval %s: want more than 0", f.CompactionInterval)
	}
	return nil
}

// checkElection holds upstream's rules, so that a wrong flag is named.
func checkElection(e *cluster.EtcdOptions) error {
	switch {
	case e.LeaseDuration < time.Second:
		return fmt.Errorf("--leader-elect-lease-duration %s: want 1s or more", e.LeaseDuration)
	case e.RenewDeadline >= e.LeaseDuration:
		return fmt.Errorf("--leader-elect-renew-deadline %s: want less than --leader-elect-lease-duration %s", e.RenewDeadline, e.LeaseDuration)
	case e.RetryPeriod <= 0 || e.RenewDeadline <= time.Duration(leaderelection.JitterFactor*float64(e.RetryPeriod)):
		return fmt.Errorf("--leader-elect-retry-period %s: want more than 0, and less than --leader-elect-renew-deadline %s divided by %v", e.RetryPeriod, e.RenewDeadline, leaderelection.JitterFactor)
	}
	return nil
}
