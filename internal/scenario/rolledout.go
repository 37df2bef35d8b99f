package scenario

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// rolloutCondition wants a rollout to have ended well, as kubectl rollout status judges it.
type rolloutCondition struct{ target target }

func (c rolloutCondition) check(w *World) error {
	r, err := w.resource(c.target.ref.Type)
	if err != nil {
		return err
	}
	if r.Group != appsv1.GroupName || r.Kind != "Deployment" && r.Kind != "StatefulSet" && r.Kind != "DaemonSet" {
		return fmt.Errorf("%s: want a Deployment, a StatefulSet or a DaemonSet", c.target.ref)
	}
	return nil
}

func (c rolloutCondition) version(w *World) int64 { return w.version(c.target.ref) }

func (c rolloutCondition) holds(w *World, _ moment) bool {
	done, _ := c.status(w)
	return done
}

func (c rolloutCondition) explain(w *World, _ moment) detail {
	d := c.target.detail(w)
	d.Expected = c.target.ref.text + " is rolled out"
	_, d.Actual = c.status(w)
	return d
}

func (c rolloutCondition) status(w *World) (done bool, text string) {
	items, _, err := w.items(c.target.ref)
	if err != nil || len(items) == 0 {
		return false, "there is no " + c.target.ref.text
	}
	switch workload := items[0].object.(type) {
	case *appsv1.Deployment:
		return deploymentStatus(workload)
	case *appsv1.DaemonSet:
		return daemonSetStatus(workload)
	case *appsv1.StatefulSet:
		return statefulSetStatus(workload)
	}
	return false, fmt.Sprintf("it is a %T", items[0].object)
}

// deploymentStatus is DeploymentStatusViewer.Status of k8s.io/kubectl
// pkg/polymorphichelpers v0.37.2, and so are the two others.
func deploymentStatus(d *appsv1.Deployment) (bool, string) {
	waiting := fmt.Sprintf("Waiting for deployment %q rollout to finish: ", d.Name)
	if d.Generation > d.Status.ObservedGeneration {
		return false, "Waiting for deployment spec update to be observed..."
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse && c.Reason == "ProgressDeadlineExceeded" {
			return false, fmt.Sprintf("deployment %q exceeded its progress deadline", d.Name)
		}
	}
	s := d.Status
	switch {
	case d.Spec.Replicas != nil && s.UpdatedReplicas < *d.Spec.Replicas:
		return false, waiting + fmt.Sprintf("%d out of %d new replicas have been updated...", s.UpdatedReplicas, *d.Spec.Replicas)
	case s.Replicas > s.UpdatedReplicas:
		return false, waiting + fmt.Sprintf("%d old replicas are pending termination...", s.Replicas-s.UpdatedReplicas)
	case s.AvailableReplicas < s.UpdatedReplicas:
		return false, waiting + fmt.Sprintf("%d of %d updated replicas are available...", s.AvailableReplicas, s.UpdatedReplicas)
	}
	return true, fmt.Sprintf("deployment %q successfully rolled out", d.Name)
}

// onlyRolling is said of a workload whose Pods are replaced when somebody deletes them.
const onlyRolling = "rollout status is only available for RollingUpdate strategy type"

func daemonSetStatus(d *appsv1.DaemonSet) (bool, string) {
	waiting := fmt.Sprintf("Waiting for daemon set %q rollout to finish: ", d.Name)
	s := d.Status
	switch {
	case d.Spec.UpdateStrategy.Type != appsv1.RollingUpdateDaemonSetStrategyType:
		return false, onlyRolling
	case d.Generation > s.ObservedGeneration:
		return false, "Waiting for daemon set spec update to be observed..."
	case s.UpdatedNumberScheduled < s.DesiredNumberScheduled:
		return false, waiting + fmt.Sprintf("%d out of %d new pods have been updated...", s.UpdatedNumberScheduled, s.DesiredNumberScheduled)
	case s.NumberAvailable < s.DesiredNumberScheduled:
		return false, waiting + fmt.Sprintf("%d of %d updated pods are available...", s.NumberAvailable, s.DesiredNumberScheduled)
	}
	return true, fmt.Sprintf("daemon set %q successfully rolled out", d.Name)
}

func statefulSetStatus(set *appsv1.StatefulSet) (bool, string) {
	s, strategy, replicas := set.Status, set.Spec.UpdateStrategy, int32(1)
	if set.Spec.Replicas != nil {
		replicas = *set.Spec.Replicas
	}
	switch {
	case strategy.Type != appsv1.RollingUpdateStatefulSetStrategyType:
		return false, onlyRolling
	case s.ObservedGeneration == 0 || set.Generation > s.ObservedGeneration:
		return false, "Waiting for statefulset spec update to be observed..."
	case s.ReadyReplicas < replicas:
		return false, fmt.Sprintf("Waiting for %d pods to be ready...", replicas-s.ReadyReplicas)
	case strategy.RollingUpdate != nil:
		if part := strategy.RollingUpdate.Partition; part != nil && s.UpdatedReplicas < replicas-*part {
			return false, fmt.Sprintf("Waiting for partitioned roll out to finish: %d out of %d new pods have been updated...", s.UpdatedReplicas, replicas-*part)
		}
		return true, fmt.Sprintf("partitioned roll out complete: %d new pods have been updated...", s.UpdatedReplicas)
	case s.UpdateRevision != s.CurrentRevision:
		return false, fmt.Sprintf("waiting for statefulset rolling update to complete %d pods at revision %s...", s.UpdatedReplicas, s.UpdateRevision)
	}
	return true, fmt.Sprintf("statefulset rolling update complete %d pods at revision %s...", s.CurrentReplicas, s.CurrentRevision)
}
