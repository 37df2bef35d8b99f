package script

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// PodScripts are the scripts.
const PodScripts engine.Resource = "podscripts." + v1alpha1.GroupName

// statusName is the status reconciler's name in the queue and in the event log.
const statusName = "podscript"

// statusBatch is how long a status may lag behind the Pods: it is written once for
// all that happens in the meantime. Unit: virtual time. As the Job controller's
// syncJobBatchPeriod.
const statusBatch = time.Second

// matchedIndex files Pods under the scripts that have run them, activeIndex those
// of them that have not finished.
const (
	matchedIndex = "podscript/matched"
	activeIndex  = "podscript/active"
)

// StatusConfig is what NewStatus needs to know.
type StatusConfig struct {
	Engine *engine.Engine
	// API is written to.
	API engine.API
}

// Status keeps the status of every PodScript: it counts the Pods whose annotation
// names the script, and notes when the newest of them was started, which outlives
// the Pod.
type Status struct {
	cfg  StatusConfig
	view *engine.View
	who  engine.Identity
	// Notes are when the newest Pod of a script was started.
	engine.Notes[metav1.Time]
}

var (
	_ engine.Rememberer = (*Status)(nil)
	_ engine.Batcher    = (*Status)(nil)
)

// NewStatus returns the reconciler. It must be called before the engine starts.
func NewStatus(cfg StatusConfig) (*Status, error) {
	if cfg.Engine == nil || cfg.API == nil {
		return nil, errors.New("script: StatusConfig.Engine or API is nil")
	}
	s := &Status{
		cfg: cfg, view: cfg.Engine.View(), who: engine.ControllerIdentity("podscript-controller"),
		Notes: engine.Notes[metav1.Time]{},
	}
	s.view.Track(PodScripts)
	s.view.Index(engine.Pods, matchedIndex, func(obj engine.Object) []string { return ranBy(obj.(*corev1.Pod)) })
	s.view.Index(engine.Pods, activeIndex, func(obj engine.Object) []string {
		if pod := obj.(*corev1.Pod); !podutil.IsPodTerminal(pod) {
			return ranBy(pod)
		}
		return nil
	})
	return s, nil
}

// ranBy returns the names of the scripts that have run pod, nil for no Pod.
func ranBy(pod *corev1.Pod) []string {
	if pod == nil || pod.Annotations[v1alpha1.ScriptAnnotation] == "" {
		return nil
	}
	return strings.Split(pod.Annotations[v1alpha1.ScriptAnnotation], ",")
}

// Name implements engine.Reconciler.
func (s *Status) Name() string { return statusName }

func statusKey(name string) engine.Key { return engine.Key{Controller: statusName, Name: name} }

// Observe implements engine.Reconciler.
func (s *Status) Observe(c engine.Commit) []engine.Key {
	switch c.Resource {
	case PodScripts:
		return []engine.Key{statusKey(c.Object.GetName())}
	case engine.Pods:
		old, _ := c.Old.(*corev1.Pod)
		pod := c.Object.(*corev1.Pod)
		if c.Type == watch.Deleted {
			pod, old = nil, pod
		}
		return s.podKeys(old, pod)
	}
	return nil
}

// podKeys are the scripts to whose status it matters that old becomes pod; each may
// be nil.
func (s *Status) podKeys(old, pod *corev1.Pod) []engine.Key {
	before, after := ranBy(old), ranBy(pod)
	ended := old != nil && pod != nil && podutil.IsPodTerminal(old) != podutil.IsPodTerminal(pod)
	var keys []engine.Key
	for _, name := range after {
		begun := !slices.Contains(before, name)
		if begun {
			s.note(name, pod)
		}
		if begun || ended {
			keys = append(keys, statusKey(name))
		}
	}
	for _, name := range before {
		if !slices.Contains(after, name) {
			keys = append(keys, statusKey(name))
		}
	}
	return keys
}

// note remembers that the script has begun to run pod.
func (s *Status) note(name string, pod *corev1.Pod) {
	key := types.NamespacedName{Name: name}
	known := s.Notes[key]
	if start := pod.Status.StartTime; start != nil && known.Before(start) {
		s.Notes[key] = *start
		s.cfg.Engine.Touch(statusKey(name))
	}
}

// Batch implements engine.Batcher.
func (s *Status) Batch(c engine.Commit) time.Duration {
	if c.Resource == engine.Pods {
		return statusBatch
	}
	return 0
}

// Reconcile implements engine.Reconciler.
func (s *Status) Reconcile(ctx context.Context, key engine.Key, _ time.Time) (engine.Wake, error) {
	found, ok := engine.Get[*v1alpha1.PodScript](s.view, PodScripts, "", key.Name)
	if !ok {
		delete(s.Notes, types.NamespacedName{Name: key.Name})
		return engine.Wake{}, nil
	}
	next := *found
	next.Status = status(&found.Status, s.Notes[types.NamespacedName{Name: key.Name}],
		s.view.CountByIndex(engine.Pods, matchedIndex, key.Name), s.view.CountByIndex(engine.Pods, activeIndex, key.Name))
	if apiequality.Semantic.DeepEqual(next.Status, found.Status) {
		return engine.Wake{}, nil
	}
	_, err := s.cfg.API.Update(ctx, s.who, PodScripts, "status", &next)
	if apierrors.IsNotFound(err) {
		err = nil // its deletion is on the way to us
	}
	return engine.Wake{}, err
}

// status is what follows old, of matches Pods, active of which have not finished;
// the newest was started at newest, or is not known.
func status(old *v1alpha1.PodScriptStatus, newest metav1.Time, matches, active int) v1alpha1.PodScriptStatus {
	next := v1alpha1.PodScriptStatus{Matches: int32(matches), Active: int32(active), LastMatchTime: old.LastMatchTime}
	if !newest.IsZero() && (old.LastMatchTime == nil || old.LastMatchTime.Before(&newest)) {
		next.LastMatchTime = &newest
	}
	return next
}
