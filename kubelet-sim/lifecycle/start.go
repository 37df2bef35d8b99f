package lifecycle

import (
	"context"
	"time"

	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/environment"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
	"github.com/kubesim-dev/kubesim/kubelet-sim/runas"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
)

// start creates the container and starts it. Source:
// kubeGenericRuntimeManager.startContainer in k8s.io/kubernetes
// pkg/kubelet/kuberuntime v1.37.2.
func (r *Reconciler) start(ctx context.Context, run *podRun, i int) {
	c := &run.Containers[i]
	d, at := r.draw(run, i), c.At
	run.Cursor = at
	spec, err := r.programSpec(run, i, c.Image, d, at)
	if err != nil {
		c.Activity, c.Reason, c.Message, c.Blocked, c.Killed = podstate.Idle, podstate.ReasonCreateConfigError, err.Error(), true, false
		r.blockOn(run, err)
		run.dirty = true
		run.event(ctx, i, event.Failed(err))
		return
	}
	effects := scripted(&spec, c.Script, run.onStep(i))
	run.begin(r, i, d, at)
	run.parts[i].effects = effects
	spec.Output = run.outputOf(i)
	run.event(ctx, i, event.Created())
	process, err := r.cfg.Runtime.Start(spec, at)
	if err != nil {
		spec.Root.Release()
		run.failedToStart(i, err)
		run.event(ctx, i, event.Failed(err))
		return
	}
	run.parts[i].process, run.parts[i].root = process, spec.Root
	r.startStats(run, i, d, at)
	run.event(ctx, i, event.Started())
	run.collect(i, at)
	if l := run.Spec(run.pod, i).Lifecycle; l != nil && l.PostStart != nil {
		r.beginPostStart(run, i, at)
		return
	}
	r.startProbing(run, i, at)
}

// begin enters a new instance of container i, and forgets the one before the
// last.
func (run *podRun) begin(r *Reconciler, i int, d podstate.Draw, at time.Time) {
	c := &run.Containers[i]
	if c.Last != nil {
		r.cfg.Logs.DropLog(run.name.Namespace, run.name.Name, c.Last.ID)
	}
	spec := podstate.WithImage(run.Spec(run.pod, i), c.Image)
	im := r.images.Get(spec.Image)
	in := &podstate.Instance{
		User: runas.Status(r.cfg.Runtime, run.pod, spec),
		ID:   d.ContainerID(), Attempt: d.Attempt, StartedAt: at,
		ImageID: im.ID, Image: im.Full, SpecImage: spec.Image, Script: c.Script,
	}
	c.Script, c.Tries = nil, c.Tries+1
	c.Last, c.Current = c.Current, in
	c.Activity, c.Kill, c.Killed, c.Unhealthy, c.Again = podstate.Running, nil, false, "", false
	c.Actual = nil
	c.Started, c.Ready, c.Probes = spec.StartupProbe == nil, spec.ReadinessProbe == nil, nil
	if spec.Lifecycle == nil || spec.Lifecycle.PostStart == nil { // else the status stays as it is
		c.Reason, c.Message = "", ""
	}
	run.parts[i].log = r.cfg.Logs.NewLog(run.name.Namespace, run.name.Name, in.ID, run.account.Of(stats.Storage))
	run.dirty = true
}

// failedToStart records an instance that never ran, as containerd reports it.
func (run *podRun) failedToStart(i int, err error) {
	c := &run.Containers[i]
	in := c.Current
	in.Exited, in.ExitCode, in.Reason, in.Message = true, podstate.ExitStartError, podstate.ReasonStartError, err.Error()
	in.FinishedAt, in.StartedAt = in.StartedAt, time.Unix(0, 0).UTC()
	run.parts[i].log.End(in.FinishedAt)
	c.Activity, c.Reason, c.Message = podstate.Idle, podstate.ReasonRunContainerError, err.Error()
	run.tellEnd(i)
}

// makeRoot makes a container's file system: the image's, the files that the
// kubelet manages and the volumes.
func (r *Reconciler) makeRoot(run *podRun, c *corev1.Container, vars map[string]string, now time.Time) (*vfs.FS, error) {
	root, err := r.cfg.Runtime.Root(c.Image, now)
	if err != nil {
		return nil, err
	}
	for _, file := range [...]struct{ name, text string }{
		{"/etc/hosts", environment.HostsFile(run.pod, &run.State, r.cfg.ClusterDomain)},
		{"/etc/resolv.conf", environment.ResolvConf(run.pod, r.cfg.ClusterDomain, r.cfg.ClusterDNS)},
	} {
		if err := root.WriteFile(file.name, []byte(file.text), 0o644, now); err != nil {
			return nil, err
		}
	}
	if err := run.volumes.Mount(root, c, vars, now); err != nil {
		return nil, err
	}
	return root, nil
}

// programSpec says what container i runs of an image, or why it cannot be created. Source:
// generateContainerConfig in k8s.io/kubernetes pkg/kubelet/kuberuntime v1.37.2.
func (r *Reconciler) programSpec(run *podRun, i int, image string, d podstate.Draw, at time.Time) (program.Spec, error) {
	c := podstate.WithImage(run.Spec(run.pod, i), image)
	env, vars, err := environment.Make(r.view, run.pod, &run.State, c)
	if err != nil {
		return program.Spec{}, err
	}
	command, err := environment.ExpandAll(c.Command, vars)
	if err != nil {
		return program.Spec{}, err
	}
	args, err := environment.ExpandAll(c.Args, vars)
	if err != nil {
		return program.Spec{}, err
	}
	user := runas.Of(r.cfg.Runtime, run.pod, c)
	if err := user.VerifyNonRoot(r.cfg.Runtime, run.pod, c); err != nil {
		return program.Spec{}, err
	}
	root, err := r.makeRoot(run, c, vars, at)
	if err != nil {
		return program.Spec{}, err
	}
	root.Charge(run.account.Of(stats.Storage))
	return program.Spec{
		Image: c.Image, Command: command, Args: args, Env: env,
		WorkingDir: c.WorkingDir, Hostname: environment.Hostname(run.pod),
		User: user.UID, Group: user.GID, Groups: user.Groups, ReadOnlyRoot: user.ReadOnlyRoot,
		Root:                   root,
		RunsOn:                 (run.Containers[i].Role == podstate.Regular || run.Containers[i].Role == podstate.Sidecar) && podutil.ContainerShouldRestart(*c, run.pod.Spec, 0),
		UnknownRuntime:         r.cfg.UnknownRuntime,
		Seed:                   d.Seed(),
		StdinOpen:              c.Stdin,
		TTY:                    c.TTY,
		TerminationMessagePath: c.TerminationMessagePath,
		MemoryLimit:            c.Resources.Limits.Memory().Value(),
		CPULimit:               c.Resources.Limits.Cpu().MilliValue(),
		Spent:                  func(at time.Time, cpu time.Duration) { run.spent(i, at, cpu) },
		Netns:                  run.netns,
		Account:                run.account.Of(stats.Memory),
		Network:                podNetwork{r, run},
		Woken:                  func(at time.Time) { r.woken(run, i, at) },
	}, nil
}
