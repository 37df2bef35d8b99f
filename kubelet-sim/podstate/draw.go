package podstate

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

// Draw derives the numbers of one container instance from the seed: a Pod that
// is run again after a restart of the server draws the same.
type Draw struct {
	random    *engine.Random
	pod       *corev1.Pod
	container string
	Attempt   int32
}

// NewDraw returns the draw of one instance of a container.
func NewDraw(random *engine.Random, pod *corev1.Pod, container string, attempt int32) Draw {
	return Draw{random, pod, container, attempt}
}

// Number is the one that the instance has for a purpose.
func (d Draw) Number(what string) uint64 {
	return d.random.Derive(fmt.Sprintf("%s/%s/%d/%s", d.pod.UID+types.UID(seenAt(d.pod)), d.container, d.Attempt, what))
}

// Step is for a step of a script that is left to chance. It differs between tries
// of one instance, whose image could not be pulled at first.
func (d Draw) Step(try, step int) uint64 { return d.Number(fmt.Sprintf("try/%d/step/%d", try, step)) }

// Seed is for the container's program.
func (d Draw) Seed() uint64 { return d.Number("program") }

// ContainerID looks like containerd's.
func (d Draw) ContainerID() string {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], d.Number("id"))
	sum := sha256.Sum256(n[:])
	return "containerd://" + hex.EncodeToString(sum[:])
}

// ExecID is the name that containerd gives a command which is started at an
// instant.
func (d Draw) ExecID(at time.Time) string {
	sum := sha256.Sum256(binary.LittleEndian.AppendUint64(nil, d.Number("exec "+at.Format(time.RFC3339Nano))))
	return hex.EncodeToString(sum[:])
}

// StartAt is when the instance starts if it is created at after. The second is
// after's or the next one; the fraction is the instance's own, so that the
// exact instant can be told from a status, which has whole seconds only.
func (d Draw) StartAt(after time.Time) time.Time {
	fraction := d.fraction()
	at := after.Truncate(time.Second).Add(fraction)
	if at.Before(after) {
		at = at.Add(time.Second)
	}
	return at
}

// Exactly returns the instant of which a status shows the second.
func (d Draw) Exactly(second time.Time) time.Time {
	return second.Truncate(time.Second).Add(d.fraction()).UTC()
}

func (d Draw) fraction() time.Duration {
	return time.Duration(d.Number("start") % uint64(time.Second))
}

// Between returns a duration from lo to hi, in milliseconds and smaller steps.
func Between(n uint64, lo, hi time.Duration) time.Duration {
	return lo + time.Duration(n%uint64(hi-lo))
}

// ControllerOf is the reference to the Pod's controller, nil if it has none.
func ControllerOf(pod *corev1.Pod) *metav1.OwnerReference {
	return metav1.GetControllerOfNoCopy(pod)
}

// PodTitle is how messages name a Pod. Source: format.Pod in k8s.io/kubernetes
// pkg/kubelet/util/format v1.37.2.
func PodTitle(pod *corev1.Pod) string {
	return fmt.Sprintf("%s_%s(%s)", pod.Name, pod.Namespace, pod.UID)
}

// Seconds is t as a status shows it, without the fraction. Source:
// normalizeStatus in k8s.io/kubernetes pkg/kubelet/status v1.37.2.
func Seconds(t time.Time) metav1.Time { return metav1.NewTime(t.Truncate(time.Second)) }
