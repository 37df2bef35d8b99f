package differential

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"
)

// applications draws what keeps Pods running, instead of letting them end.
func applications() *rapid.Generator[*workload] {
	return rapid.Custom(func(t *rapid.T) *workload {
		w := &workload{}
		verbs := appVerbs
		switch pick(t, "kind", 0, 0, 0, 1, 1, 2, 3, 4) {
		case 0:
			w.Deployment = drawDeployment(t)
			verbs = slices.Concat(verbs, rolloutVerbs, deploymentVerbs)
		case 1:
			w.StatefulSet = drawStatefulSet(t)
			verbs = slices.Concat(verbs, rolloutVerbs, statefulSetVerbs)
		case 2:
			w.ReplicaSet = &appsv1.ReplicaSet{
				TypeMeta: typeMeta("apps/v1", "ReplicaSet"), ObjectMeta: metav1.ObjectMeta{Name: "w"},
				Spec: appsv1.ReplicaSetSpec{Replicas: drawReplicas(t), MinReadySeconds: drawMinReady(t), Selector: selector(), Template: drawAppTemplate(t)},
			}
		case 3:
			template := drawAppTemplate(t)
			w.ReplicationController = &corev1.ReplicationController{
				TypeMeta: typeMeta("v1", "ReplicationController"), ObjectMeta: metav1.ObjectMeta{Name: "w"},
				Spec: corev1.ReplicationControllerSpec{Replicas: drawReplicas(t), MinReadySeconds: drawMinReady(t), Selector: selector().MatchLabels, Template: &template},
			}
		case 4:
			w.DaemonSet = drawDaemonSet(t)
			verbs = slices.Concat(slices.DeleteFunc(slices.Clone(verbs), func(v string) bool { return v == "scale" }), rolloutVerbs, daemonSetVerbs)
		}
		if oneIn(t, 4, "budget") {
			w.Budget = drawBudget(t)
		}
		for range pick(t, "steps", 0, 1, 2, 3, 4, 5, 6) {
			w.Steps = apart(append(w.Steps, drawAppStep(t, verbs)))
		}
		return w
	})
}

func typeMeta(version, kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: version, Kind: kind}
}

func selector() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"app": "w"}}
}

func drawReplicas(t *rapid.T) *int32 {
	return ptr.To(pick(t, "replicas", int32(1), 2, 3, 4, 5))
}

// drawMinReady draws seconds that end before users act, after Pods that are ready at
// the beginning of a measure.
func drawMinReady(t *rapid.T) int32 { return pick(t, "minReadySeconds", int32(0), 0, 2, 12) }

func drawAmount(t *rapid.T, label string, from ...string) *intstr.IntOrString {
	return ptr.To(intstr.Parse(pick(t, label, from...)))
}

func drawDeployment(t *rapid.T) *appsv1.Deployment {
	d := &appsv1.Deployment{
		TypeMeta: typeMeta("apps/v1", "Deployment"), ObjectMeta: metav1.ObjectMeta{Name: "w"},
		Spec: appsv1.DeploymentSpec{
			Replicas: drawReplicas(t), Selector: selector(), Template: drawAppTemplate(t), MinReadySeconds: drawMinReady(t),
			ProgressDeadlineSeconds: maybe[int32](t, 2, "progressDeadlineSeconds", 14, 24, 54),
			RevisionHistoryLimit:    maybe[int32](t, 4, "revisionHistoryLimit", 0, 1, 2),
			Paused:                  oneIn(t, 16, "paused"),
		},
	}
	if oneIn(t, 4, "Recreate") {
		d.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType
		// If all old Pods go at once, upstream sees that, or some of them go, which is progress.
		grace := d.Spec.Template.Spec.TerminationGracePeriodSeconds
		*grace = max(*grace, 1)
	} else if rapid.Bool().Draw(t, "rollingUpdate") {
		d.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{
			MaxSurge:       drawAmount(t, "maxSurge", "1", "0", "2", "50%"),
			MaxUnavailable: drawAmount(t, "maxUnavailable", "1", "2", "25%", "50%"),
		}
	}
	return d
}

func drawStatefulSet(t *rapid.T) *appsv1.StatefulSet {
	s := &appsv1.StatefulSet{
		TypeMeta: typeMeta("apps/v1", "StatefulSet"), ObjectMeta: metav1.ObjectMeta{Name: "w"},
		Spec: appsv1.StatefulSetSpec{
			Replicas: drawReplicas(t), Selector: selector(), Template: drawAppTemplate(t), MinReadySeconds: drawMinReady(t), ServiceName: "w",
			PodManagementPolicy:  pick(t, "podManagementPolicy", appsv1.OrderedReadyPodManagement, appsv1.ParallelPodManagement),
			RevisionHistoryLimit: maybe[int32](t, 4, "revisionHistoryLimit", 0, 1, 2),
		},
	}
	if oneIn(t, 4, "OnDelete") {
		s.Spec.UpdateStrategy.Type = appsv1.OnDeleteStatefulSetStrategyType
	} else if rapid.Bool().Draw(t, "rollingUpdate") {
		s.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{
			Partition:      maybe[int32](t, 2, "partition", 1, 2, 3),
			MaxUnavailable: pick(t, "maxUnavailable", nil, ptr.To(intstr.FromInt32(1)), ptr.To(intstr.FromInt32(2)), ptr.To(intstr.FromString("50%"))),
		}
	}
	if oneIn(t, 4, "ordinals") {
		s.Spec.Ordinals = &appsv1.StatefulSetOrdinals{Start: pick(t, "start", int32(1), 2)}
	}
	if oneIn(t, 2, "claims") {
		s.Spec.VolumeClaimTemplates = []corev1.PersistentVolumeClaim{{
			ObjectMeta: metav1.ObjectMeta{Name: "data"},
			Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
			},
		}}
		const keep, drop = appsv1.RetainPersistentVolumeClaimRetentionPolicyType, appsv1.DeletePersistentVolumeClaimRetentionPolicyType
		s.Spec.PersistentVolumeClaimRetentionPolicy = &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{
			WhenDeleted: pick(t, "whenDeleted", keep, drop), WhenScaled: pick(t, "whenScaled", keep, drop),
		}
	}
	return s
}

func drawDaemonSet(t *rapid.T) *appsv1.DaemonSet {
	d := &appsv1.DaemonSet{
		TypeMeta: typeMeta("apps/v1", "DaemonSet"), ObjectMeta: metav1.ObjectMeta{Name: "w"},
		Spec: appsv1.DaemonSetSpec{
			Selector: selector(), Template: drawAppTemplate(t), MinReadySeconds: drawMinReady(t),
			RevisionHistoryLimit: maybe[int32](t, 4, "revisionHistoryLimit", 0, 1, 2),
		},
	}
	if oneIn(t, 4, "OnDelete") {
		d.Spec.UpdateStrategy.Type = appsv1.OnDeleteDaemonSetStrategyType
	} else if rapid.Bool().Draw(t, "rollingUpdate") {
		d.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateDaemonSet{MaxUnavailable: drawAmount(t, "maxUnavailable", "1", "2", "50%")}
		if rapid.Bool().Draw(t, "surge") {
			d.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateDaemonSet{
				MaxUnavailable: ptr.To(intstr.FromInt32(0)), MaxSurge: drawAmount(t, "maxSurge", "1", "2", "50%"),
			}
		}
	}
	return d
}

func drawBudget(t *rapid.T) *policyv1.PodDisruptionBudget {
	b := &policyv1.PodDisruptionBudget{
		TypeMeta: typeMeta("policy/v1", "PodDisruptionBudget"), ObjectMeta: metav1.ObjectMeta{Name: "w"},
		Spec: policyv1.PodDisruptionBudgetSpec{
			Selector:                   selector(),
			UnhealthyPodEvictionPolicy: maybe(t, 2, "unhealthyPodEvictionPolicy", policyv1.AlwaysAllow, policyv1.IfHealthyBudget),
		},
	}
	if rapid.Bool().Draw(t, "maxUnavailable") {
		b.Spec.MaxUnavailable = drawAmount(t, "budget", "1", "0", "50%")
	} else {
		b.Spec.MinAvailable = drawAmount(t, "budget", "1", "2", "50%")
	}
	return b
}

func drawAppTemplate(t *rapid.T) corev1.PodTemplateSpec {
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "w"}},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: ptr.To(pick(t, "terminationGracePeriodSeconds", int64(1), 0, 12)),
			Containers: []corev1.Container{{
				Name: "c",
				ReadinessProbe: &corev1.Probe{
					ProbeHandler:  corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"test", "-f", "/tmp/ready"}}},
					PeriodSeconds: 2, FailureThreshold: 1,
				},
			}},
		},
	}
	if oneIn(t, 4, "toleration") {
		template.Spec.Tolerations = []corev1.Toleration{{
			Key: faultTaint, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute,
			TolerationSeconds: maybe[int64](t, 2, "tolerationSeconds", 5, 25),
		}}
	}
	c := &template.Spec.Containers[0]
	c.Image, c.Command = behave(pick(t, "behaviour", 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8))
	return template
}

// behaviours are what the container of an application does, in short. Whatever it does, it
// does at the beginning of a measure, so that Pods that are alike do it together.
func behaviours() []string {
	return []string{
		"at 1; touch /tmp/ready; live",
		"at 2; touch /tmp/ready; live",
		"touch /tmp/ready; live",
		"live",
		"exit 1",
		"at 1; touch /tmp/ready; [ $p -ge 8 ] || { m=$(($BEGIN/10)); at 9; exit 1; }; live",
		"at 1; touch /tmp/ready; at 3; exit 0",
		"at 1; touch /tmp/ready; at 3; rm /tmp/ready; at 5; touch /tmp/ready; live",
		"", // its image does not exist
	}
}

// behave is the container of an application.
func behave(n int) (image string, command []string) {
	image = "busybox"
	if behaviours()[n] == "" {
		image = "busybox:non-existent"
	}
	return image, []string{"sh", "-c", "n=$(date +%s); m=$(((n+3)/10)); p=$((m-$BEGIN/10)); " +
		"at() { sleep $(((m+$1)*10-n)) & wait $!; n=$(((m+$1)*10)); }; live() { sleep infinity & wait $!; }; " + behaviours()[n]}
}

// Verbs for all applications, for those with rollouts, and for some of them.
var (
	appVerbs = append([]string{
		"scale", "scale", "minReadySeconds", "delete", "create", "delete pods", "delete pod", "delete pod", "evict", "release", "forget",
		"template", "budget", "crowd", "uncrowd",
	}, nodeVerbs...)
	rolloutVerbs     = []string{"template", "template", "template", "undo", "restart", "strategy", "history"}
	deploymentVerbs  = []string{"pause", "unpause", "unpause", "progressDeadline", "delete set", "surge"}
	daemonSetVerbs   = []string{"maxUnavailable", "maxSurge"}
	statefulSetVerbs = []string{"partition", "maxUnavailable", "retention", "delete claim", "ordinals"}
)

// drawAppStep draws what a user does to an application.
func drawAppStep(t *rapid.T, verbs []string) step {
	s := step{Wait: pick(t, "wait", 1, 2, 3, 5, 7, 12), Verb: pick(t, "verb", verbs...)}
	switch s.Verb {
	case "delete":
		s.Arg = pick(t, "propagation", "Background", "Foreground", "Orphan")
	case "delete pod":
		s.Arg, s.N = pick(t, "grace", "", "0"), pick(t, "which", 0, 1, 2)
	case "evict", "release", "forget", "delete claim":
		s.N = pick(t, "which", 0, 1, 2)
	case "scale", "budget", "partition", "history", "ordinals":
		s.N = pick(t, "n", 0, 1, 2, 3, 5)
	case "minReadySeconds":
		s.N = pick(t, "seconds", 0, 2, 12)
	case "template":
		s.N = pick(t, "behaviour", 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8)
	case "progressDeadline":
		s.N = pick(t, "seconds", 14, 24, 54)
	case "strategy":
		s.Arg = pick(t, "strategy", "RollingUpdate", "Recreate", "OnDelete")
	case "surge":
		s.Arg = pick(t, "surge", "1", "0", "2", "50%")
	case "maxUnavailable", "maxSurge":
		s.Arg = pick(t, "maxUnavailable", "1", "2", "50%")
	case "retention":
		s.Arg = pick(t, "retention", "Retain", "Delete")
	}
	return s
}

// appPatch is the merge patch for a step that edits an application, "" for others.
func appPatch(s step) string {
	amount := func(text string) string {
		out, err := json.Marshal(intstr.Parse(text))
		if err != nil {
			panic(err)
		}
		return string(out)
	}
	switch s.Verb {
	case "scale":
		return fmt.Sprintf(`{"spec":{"replicas":%d}}`, s.N)
	case "minReadySeconds":
		return fmt.Sprintf(`{"spec":{"minReadySeconds":%d}}`, s.N)
	case "template":
		image, command := behave(s.N)
		text, err := json.Marshal(map[string]any{"name": "c", "image": image, "command": command})
		if err != nil {
			panic(err)
		}
		return `{"spec":{"template":{"spec":{"containers":[` + string(text) + `]}}}}`
	case "restart":
		return fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"%d"}}}}}`, s.Wait)
	case "history":
		return fmt.Sprintf(`{"spec":{"revisionHistoryLimit":%d}}`, s.N)
	case "pause", "unpause":
		return fmt.Sprintf(`{"spec":{"paused":%t}}`, s.Verb == "pause")
	case "progressDeadline":
		return fmt.Sprintf(`{"spec":{"progressDeadlineSeconds":%d}}`, s.N)
	case "surge":
		return fmt.Sprintf(`{"spec":{"strategy":{"rollingUpdate":{"maxSurge":%s}}}}`, amount(s.Arg))
	case "maxUnavailable", "maxSurge":
		patch := map[string]string{"maxUnavailable": `"maxUnavailable":%s`, "maxSurge": `"maxUnavailable":0,"maxSurge":%s`}[s.Verb]
		return fmt.Sprintf(`{"spec":{"updateStrategy":{"rollingUpdate":{`+patch+`}}}}`, amount(s.Arg))
	case "partition":
		return fmt.Sprintf(`{"spec":{"updateStrategy":{"rollingUpdate":{"partition":%d}}}}`, s.N)
	case "ordinals":
		return fmt.Sprintf(`{"spec":{"ordinals":{"start":%d}}}`, s.N)
	case "retention":
		return fmt.Sprintf(`{"spec":{"persistentVolumeClaimRetentionPolicy":{"whenDeleted":%q,"whenScaled":%q}}}`, s.Arg, s.Arg)
	}
	return ""
}

// strategyPatch lets an application be updated in another way. What its kind does not
// know is refused.
func (u *user) strategyPatch(s step) string {
	field := "strategy"
	if u.w.Deployment == nil {
		field = "updateStrategy"
	}
	return fmt.Sprintf(`{"spec":{%q:{"$retainKeys":["type"],"type":%q}}}`, field, s.Arg)
}

// crowds reports whether others may take the place of the workload's Pods.
func (w *workload) crowds() bool {
	return slices.ContainsFunc(w.Steps, func(s step) bool { return strings.HasSuffix(s.Verb, "crowd") })
}
