package differential

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
)

// workload is what users do in one namespace, and to the two nodes that prefer
// its Pods.
//
// A workload keeps to a measure of ten seconds, so that what happens does not
// depend on which of two Pods is some milliseconds faster: it begins, as a Pod's
// programs end, at an instant that ten divides; users act more than seven seconds later,
// when whatever follows from an end runs again; deadlines pass at the fifth. A Job
// may end two seconds later than it could; with a TTL of three seconds it is gone well
// before users look, or well after, whatever ended it.
type workload struct {
	// Season is the index of an instant in seasons, when the workload begins.
	Season int
	// Pods are there before all else.
	Pods []*corev1.Pod `json:",omitempty"`
	// Budget is there before what makes the Pods.
	Budget *policyv1.PodDisruptionBudget `json:",omitempty"`
	// One of these is not nil.
	Job                   *batchv1.Job                  `json:",omitempty"`
	CronJob               *batchv1.CronJob              `json:",omitempty"`
	Deployment            *appsv1.Deployment            `json:",omitempty"`
	StatefulSet           *appsv1.StatefulSet           `json:",omitempty"`
	DaemonSet             *appsv1.DaemonSet             `json:",omitempty"`
	ReplicaSet            *appsv1.ReplicaSet            `json:",omitempty"`
	ReplicationController *corev1.ReplicationController `json:",omitempty"`
	Steps                 []step                        `json:",omitempty"`
}

// measure is what the instants of a workload are multiples of; userAt is when
// in it users act.
const (
	measure = 10 * time.Second
	userAt  = 7500 * time.Millisecond
)

// step is what a user does next.
type step struct {
	// Wait is the number of measures since the step before.
	Wait int
	// Verb is a key of verbs; Arg and N say more.
	Verb string
	Arg  string `json:",omitempty"`
	N    int    `json:",omitempty"`
}

// seasons are where a cluster's time may begin: a plain day, and the nights in
// which Berlin's daylight-saving time begins and ends.
func seasons() []time.Time {
	return []time.Time{
		time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2000, 3, 26, 0, 30, 0, 0, time.UTC),
		time.Date(2000, 10, 29, 0, 30, 0, 0, time.UTC),
	}
}

// warmUp is how long a cluster runs before its workloads begin.
const warmUp = 30 * time.Second

// isApp reports whether the workload keeps Pods running.
func (w *workload) isApp() bool { return w.Job == nil && w.CronJob == nil }

// begins is when the workload does.
func (w *workload) begins() time.Time { return seasons()[w.Season].Add(warmUp) }

// String is what a failing test prints: JSON that kubectl takes, by and large.
func (w *workload) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "season %s\n", seasons()[w.Season].Format(time.RFC3339))
	for _, p := range w.Pods {
		b.WriteString(compact(p) + "\n")
	}
	if w.Budget != nil {
		b.WriteString(compact(w.Budget) + "\n")
	}
	b.WriteString(compact(w.owner().object) + "\n")
	at := userAt
	for _, s := range w.Steps {
		at += time.Duration(s.Wait) * measure
		fmt.Fprintf(&b, "after %s: %s %s %d\n", at, s.Verb, s.Arg, s.N)
	}
	return b.String()
}

// GoString keeps rapid's log readable.
func (w *workload) GoString() string { return "\n" + w.String() }

// compact drops what says nothing from an object's JSON.
func compact(obj any) string {
	text, err := json.Marshal(obj)
	if err != nil {
		return err.Error()
	}
	return strings.NewReplacer(`"creationTimestamp":null,`, "", `,"status":{}`, "", `,"resources":{}`, "", `"metadata":{},`, "").Replace(string(text))
}
