package explain

import (
	"cmp"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/utils/ptr"
)

// track are the bars of one lane while it is followed.
type track struct {
	container string
	bars      []Bar
	phase     Phase // empty: nothing is shown
	since     time.Time
}

// set lets another phase begin.
func (tr *track) set(phase Phase, at time.Time) {
	if phase == tr.phase {
		return
	}
	if tr.phase != "" && at.After(tr.since) {
		tr.bars = append(tr.bars, Bar{Phase: tr.phase, From: tr.since, To: at})
	}
	tr.phase, tr.since = phase, at
}

// exit ends a phase with an exit code.
func (tr *track) exit(at time.Time, code int32) {
	if at.Before(tr.since) {
		at = tr.since
	}
	phase := cmp.Or(tr.phase, Running)
	tr.bars = append(tr.bars, Bar{Phase: phase, From: tr.since, To: at, Exit: &code})
	tr.phase = ""
	tr.since = at
}

func (tr *track) follow(c *Commit, was, is *corev1.ContainerStatus) {
	if end := newEnd(was, is); end != nil {
		if tr.phase != Running && tr.phase != Terminating && !end.StartedAt.IsZero() && end.StartedAt.Unix() > 0 {
			tr.set(Running, instant(c, end.StartedAt.Time))
		}
		tr.exit(instant(c, end.FinishedAt.Time), end.ExitCode)
	}
	switch {
	case is.State.Running != nil && tr.phase != Terminating:
		tr.set(Running, instant(c, is.State.Running.StartedAt.Time))
	case is.State.Waiting == nil:
	case slices.Contains([]string{"CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull"}, is.State.Waiting.Reason):
		at := c.Time
		if tr.phase == "" { // it waits since its end
			at = tr.since
		}
		tr.set(BackOff, at)
	case tr.phase == "":
		tr.set(Pending, tr.since)
	}
}

// closed are the bars, the last up to the end if it has none.
func (tr *track) closed(end time.Time) []Bar {
	if tr.phase == "" {
		return tr.bars
	}
	return append(slices.Clone(tr.bars), Bar{Phase: tr.phase, From: tr.since, To: end, Open: true})
}

// podBars follow a Pod.
type podBars struct {
	pod    *corev1.Pod
	tracks []*track
	isGone bool
}

func (b *podBars) begin(c *Commit, pod *corev1.Pod) {
	from := c.Time
	if c.Type != watch.Added {
		from = pod.CreationTimestamp.Time
	}
	for _, spec := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		b.tracks = append(b.tracks, &track{container: spec.Name, phase: Pending, since: from})
	}
	b.pod = pod
}

// ended reports whether nothing more happens to the Pod.
func (b *podBars) ended() bool { return b.isGone || b.pod != nil && podutil.IsPodTerminal(b.pod) }

func (b *podBars) gone(at time.Time) {
	b.isGone = true
	for _, tr := range b.tracks {
		tr.set("", at)
	}
}

// event notes when an image is pulled.
func (b *podBars) event(at time.Time, reason, container string) {
	for _, tr := range b.tracks {
		if tr.container != container || tr.phase == Terminating || tr.phase == "" {
			continue
		}
		switch {
		case reason == "Pulling":
			tr.set(Pulling, at)
		case tr.phase == Pulling:
			tr.set(Pending, at)
		}
	}
}

func (b *podBars) follow(c *Commit, old, pod *corev1.Pod) {
	b.pod = pod
	before := allStatuses(old)
	for _, is := range allStatuses(pod) {
		was := corev1.ContainerStatus{}
		if i := slices.IndexFunc(before, func(s corev1.ContainerStatus) bool { return s.Name == is.Name }); i >= 0 {
			was = before[i]
		}
		for _, tr := range b.tracks {
			if tr.container == is.Name {
				tr.follow(c, &was, &is)
			}
		}
	}
	for _, tr := range b.tracks {
		switch {
		case podutil.IsPodTerminal(pod):
			tr.set("", c.Time)
		case pod.DeletionTimestamp != nil && tr.phase != "":
			tr.set(Terminating, c.Time)
		}
	}
}

// jobBars follow a Job.
type jobBars struct {
	track track
	waits []Bar
	end   time.Time
}

func (b *jobBars) begin(c *Commit, job *batchv1.Job) {
	b.track.since = c.Time
	if c.Type != watch.Added {
		b.track.since = job.CreationTimestamp.Time
	}
	b.track.phase = phaseOf(job)
}

func (b *jobBars) gone(at time.Time) {
	b.track.set("", at)
	if b.end.IsZero() {
		b.end = at
	}
}

func (b *jobBars) follow(c *Commit, job *batchv1.Job) {
	b.track.set(phaseOf(job), c.Time)
	if b.end.IsZero() && ending(job) {
		b.end = c.Time
	}
}

func phaseOf(job *batchv1.Job) Phase {
	switch {
	case isTrue(job, batchv1.JobComplete, batchv1.JobFailed):
		return ""
	case ptr.Deref(job.Spec.Suspend, false):
		return Suspended
	}
	return Active
}

func (b *jobBars) backOff(from, until time.Time) {
	b.waits = append(b.waits, Bar{Phase: BackOff, From: from, To: until})
}
