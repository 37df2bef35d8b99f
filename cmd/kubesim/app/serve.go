package app

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	pluginlog "k8s.io/apiserver/plugin/pkg/audit/log"
	cliflag "k8s.io/component-base/cli/flag"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/cluster"
	"github.com/kubesim-dev/kubesim/internal/datadir"
	"github.com/kubesim-dev/kubesim/internal/handlers"
	"github.com/kubesim-dev/kubesim/internal/memory"
	"github.com/kubesim-dev/kubesim/internal/recording"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
	"github.com/kubesim-dev/kubesim/storage"
)

// serveFlags are what serve's flags set.
type serveFlags struct {
	cluster.Options
	storage string
	mode    string
	start   string
	logFile string
	record  string
	memory  string
	verbose int
	// audit is as its flags say, even if nothing is to be audited.
	audit apiserver.AuditConfig
	// admissionConfig is the file of that flag.
	admissionConfig string
	// featureGates are set for the whole process, as upstream's are.
	featureGates map[string]bool
}

func newServe(s streams) *cobra.Command {
	f := &serveFlags{}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a simulated cluster until interrupted",
		Long: "Run a simulated cluster until interrupted.\n\n" +
			"Prints one line with the kubeconfig to use once every node is Ready; logs and errors go to stderr.\n\n" +
			"A data directory remembers its cluster's seed, start time, clock, speed and nodes: a server that is\n" +
			"started again without these flags goes on as it was. 'kubesim up' does the same in the background.",
		Example: "  kubesim serve --clock auto\n  kubesim serve --ephemeral --listen 127.0.0.1:0 --kubeconfig ./kubeconfig",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.completeStorage(cmd.Flags()); err != nil {
				return usageError{err}
			}
			kept, err := f.recall(cmd.Flags())
			if err != nil {
				return err
			}
			return f.serve(cmd.Context(), s, kept)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.DataDir, "data-dir", "", "`directory` that keeps the cluster (default ~/.kubesim)")
	flags.BoolVar(&f.Ephemeral, "ephemeral", false, "write nothing durably: faster, and gone when the machine crashes; without --data-dir gone at the end")
	f.addStorage(flags)
	f.addSettings(flags)
	flags.StringVar(&f.Listen, "listen", "127.0.0.1:6443", "`address` of the API; port 0 for any free one")
	flags.StringVar(&f.Kubeconfig, "kubeconfig", "", "`file` to merge the cluster's entries into, beside DATA-DIR/kubeconfig")
	flags.StringVar(&f.Name, "name", "", "`name` of the cluster: its entries in a kubeconfig are called kubesim-NAME (default: they are called kubesim)")
	flags.DurationVar(&f.AutoMax, "auto-max", 0, "how far clock mode auto moves virtual time after one write, for example 24h; 0 for no limit but the end of time")
	flags.StringVar(&f.memory, "memory", "", "`size` of what all Pods may hold of this machine's memory, for example 512Mi: who takes too much is killed or evicted, or finds the disk full (default: a quarter of the machine's)")
	flags.StringSliceVar(&f.Controllers, "controllers", []string{"*"}, "controllers to run: '*' for all, 'foo' switches foo on, '-foo' off")
	flags.DurationVar(&f.CompactionInterval, "compaction-interval", 0, "virtual time for which old revisions are kept (default 5m, and never fewer than 10000 revisions)")
	flags.StringVar(&f.ServiceClusterIPRange, "service-cluster-ip-range", apiserver.DefaultServiceClusterIPRange, "`range` of IPv4 addresses for Services, as kube-apiserver's; the cluster keeps it")
	flags.StringVar(&f.Authorization, "authorization", apiserver.AuthorizationRBAC, "RBAC or AlwaysAllow")
	flags.StringVar(&f.TokenAuthFile, "token-auth-file", "", "`file` of static bearer tokens, as kube-apiserver's")
	flags.StringSliceVar(&f.DisableAdmissionPlugins, "disable-admission-plugins", nil, "admission plugins to leave out")
	flags.StringVar(&f.admissionConfig, "admission-control-config-file", "", "`file` that configures admission plugins, as kube-apiserver's")
	flags.StringVar(&f.audit.PolicyFile, "audit-policy-file", "", "`file` that says which requests of clients to log, as kube-apiserver's")
	flags.StringVar(&f.audit.Path, "audit-log-path", "", "`file` to append the audit log to")
	flags.StringVar(&f.audit.Format, "audit-log-format", pluginlog.FormatJson, "`format` of the audit log: json or legacy")
	flags.Var(cliflag.NewMapStringBool(&f.featureGates), "feature-gates", "`gates` of the release to switch on or off, as kube-apiserver's: Foo=true,Bar=false")
	flags.StringVar(&f.record, "record", "", "`file` to write what clients do to, as a scenario that 'kubesim run' plays to the same event log")
	flags.StringVar(&f.logFile, "event-log", "", "`file` to write the event log to: a line a revision, in virtual time")
	flags.BoolVar(&f.CheckTrusted, "check-trusted", false, "validate what controllers and kubelets write also where it is trusted")
	_ = flags.MarkHidden("check-trusted") // it exists; for kubesim's own tests
	flags.IntVarP(&f.verbose, "v", "v", 0, "verbosity of the API server's own log on stderr; 0 for none")
	return cmd
}

func (f *serveFlags) complete() error {
	mode, err := engine.ParseMode(f.mode)
	if err != nil {
		return usageError{fmt.Errorf("--clock: %w", err)}
	}
	f.Mode = mode
	if f.record != "" && f.Mode == engine.Realtime {
		return usageError{errors.New("--record: want --clock auto or manual: in realtime it depends on the machine when a request is made, and so what follows")}
	}
	if f.Listen == "" {
		return usageError{errors.New("--listen: want an address, for example 127.0.0.1:6443, or 127.0.0.1:0 for any free port")}
	}
	if f.start != "" {
		if f.Start, err = time.Parse(time.RFC3339, f.start); err != nil {
			return usageError{fmt.Errorf("--start-time %q: want RFC 3339, for example 2026-01-01T00:00:00Z", f.start)}
		}
		if err := engine.CheckTime(f.Start); err != nil { // the year 1 is not "now" either
			return usageError{fmt.Errorf("--start-time %w", err)}
		}
	}
	if f.AutoMax < 0 {
		return usageError{fmt.Errorf("--auto-max %s: want a positive duration, for example 24h, or 0 for no limit", f.AutoMax)}
	}
	if f.memory != "" {
		if f.Memory, err = memory.Parse(f.memory); err != nil {
			return usageError{fmt.Errorf("--memory %w", err)}
		}
	}
	if f.CompactionInterval < 0 {
		return usageError{fmt.Errorf("--compaction-interval %s: want a positive duration, for example 5m", f.CompactionInterval)}
	}
	if err := clusterName(f.Name); err != nil {
		return usageError{fmt.Errorf("--name %w", err)}
	}
	if f.Nodes < 0 || f.Nodes > node.CountMax {
		return usageError{fmt.Errorf("--nodes %d: want 0 to %d", f.Nodes, node.CountMax)}
	}
	if err := engine.CheckSpeed(f.Speed); err != nil {
		return usageError{fmt.Errorf("--speed: %w", err)}
	}
	if f.Authorization != apiserver.AuthorizationRBAC && f.Authorization != apiserver.AuthorizationAlwaysAllow {
		return usageError{fmt.Errorf("--authorization %q: want RBAC or AlwaysAllow", f.Authorization)}
	}
	if f.AdmissionConfiguration, err = apiserver.ReadAdmissionConfiguration(f.admissionConfig); err != nil {
		return usageError{fmt.Errorf("--admission-control-config-file %s: %w", f.admissionConfig, err)}
	}
	if f.audit.PolicyFile != "" || f.audit.Path != "" {
		if err := f.audit.Validate(); err != nil {
			return usageError{err}
		}
		f.Audit = &f.audit
	}
	if _, err := f.ServiceRange(); err != nil {
		return usageError{err}
	}
	if err := cluster.CheckControllers(f.Controllers); err != nil {
		return usageError{fmt.Errorf("--controllers %w", err)}
	}
	return nil
}

func (f *serveFlags) serve(ctx context.Context, s streams, kept *kept) (err error) {
	if err := f.complete(); err != nil {
		return err
	}
	cluster.Quiet(f.verbose, s.err)
	f.Warn = func(text string) { fmt.Fprintf(s.err, "kubesim: %s\n", text) }
	kept.follow(&f.Options)
	if err := utilfeature.DefaultMutableFeatureGate.SetFromMap(f.featureGates); err != nil {
		return usageError{fmt.Errorf("--feature-gates: %w", err)}
	}
	if f.logFile != "" {
		log, err := datadir.CreatePrivate(f.logFile)
		if err != nil {
			return fmt.Errorf("--event-log %s: %w", f.logFile, datadir.Cause(err))
		}
		defer log.Close()
		f.Log = log
	}
	f.Handlers = handlers.For(nil)
	if f.record != "" {
		file, err := datadir.CreatePrivate(f.record)
		if err != nil {
			return fmt.Errorf("--record %s: %w", f.record, datadir.Cause(err))
		}
		defer file.Close()
		r := recording.New(file, &f.Options, f.featureGates)
		f.Recorder, f.Handlers = r, handlers.For(r)
	}
	c, err := cluster.Start(ctx, f.Options)
	if err != nil {
		return err
	}
	defer func() {
		// A file that was damaged under us is not to be touched again: parts of the
		// cluster may be stuck over it.
		if !errors.Is(err, storage.ErrCorrupt) {
			c.Close()
		}
	}()
	if err := c.AwaitReady(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	if err := kept.removeNodes(ctx, c); err != nil {
		return err
	}
	memory.TuneGC()
	debug.SetMemoryLimit(memory.SoftLimit(f.Memory))
	// What the start needed goes back to the machine at once.
	debug.FreeOSMemory()
	fmt.Fprintf(s.out, "export KUBECONFIG=%s\n", shellQuote(c.Kubeconfig()))
	return c.Wait(ctx)
}

// shellQuote quotes a path that a shell would take apart.
func shellQuote(path string) string {
	if !strings.ContainsAny(path, " '\"\\$`!*?[](){};&|<>~#\t\n") {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
