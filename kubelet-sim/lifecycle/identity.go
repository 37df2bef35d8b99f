package lifecycle

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// draw derives the numbers of one container instance from the seed: a Pod that
// is run again after a restart of the server draws the same.
type draw struct {
	random  *engine.Random
	pod     *corev1.Pod
	name    string
	attempt int32
}

func (d draw) number(what string) uint64 {
	return d.random.Derive(fmt.Sprintf("%s/%s/%d/%s", d.pod.UID+types.UID(seenAt(d.pod)), d.name, d.attempt, what))
}

// step is for a step of a script that is left to chance. It differs between tries
// of one instance, whose image could not be pulled at first.
func (d draw) step(try, step int) uint64 { return d.number(fmt.Sprintf("try/%d/step/%d", try, step)) }

// seed is for the container's program.
func (d draw) seed() uint64 { return d.number("program") }

// containerID looks like containerd's.
func (d draw) containerID() string {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], d.number("id"))
	sum := sha256.Sum256(n[:])
	return "containerd://" + hex.EncodeToString(sum[:])
}

// execID is the name that containerd gives a command which is started at an
// instant.
func (d draw) execID(at time.Time) string {
	sum := sha256.Sum256(binary.LittleEndian.AppendUint64(nil, d.number("exec "+at.Format(time.RFC3339Nano))))
	return hex.EncodeToString(sum[:])
}

// startAt is when the instance starts if it is created at after. The second is
// after's or the next one; the fraction is the instance's own, so that the
// exact instant can be told from a status, which has whole seconds only.
func (d draw) startAt(after time.Time) time.Time {
	fraction := d.fraction()
	at := after.Truncate(time.Second).Add(fraction)
	if at.Before(after) {
		at = at.Add(time.Second)
	}
	return at
}

// exactly returns the instant of which a status shows the second.
func (d draw) exactly(second time.Time) time.Time {
	return second.Truncate(time.Second).Add(d.fraction()).UTC()
}

func (d draw) fraction() time.Duration {
	return time.Duration(d.number("start") % uint64(time.Second))
}

// between returns a duration from lo to hi, in milliseconds and smaller steps.
func between(n uint64, lo, hi time.Duration) time.Duration {
	return lo + time.Duration(n%uint64(hi-lo))
}

func controllerOf(pod *corev1.Pod) *metav1.OwnerReference {
	return metav1.GetControllerOfNoCopy(pod)
}

// podTitle is how messages name a Pod. Source: format.Pod in k8s.io/kubernetes
// pkg/kubelet/util/format v1.37.2.
func podTitle(pod *corev1.Pod) string {
	return fmt.Sprintf("%s_%s(%s)", pod.Name, pod.Namespace, pod.UID)
}
