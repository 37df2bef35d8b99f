// Package operator is an example: a small operator of controller-runtime that runs a Job
// for each ConfigMap with a label, and its test against a simulated cluster.
package operator

import (
	"context"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Label marks a ConfigMap whose command, in data.command, is to be run.
const Label = "example.com/task"

// Tasks runs a Job of the same name for each ConfigMap with the label, and writes into
// data.state how it is: Running, Complete or Failed.
type Tasks struct {
	Client client.Client
}

// SetupWithManager adds the operator to a manager.
func (t *Tasks) SetupWithManager(m manager.Manager) error {
	return builder.ControllerManagedBy(m).For(&corev1.ConfigMap{}).Owns(&batchv1.Job{}).Complete(t)
}

// Reconcile implements reconcile.Reconciler.
func (t *Tasks) Reconcile(ctx context.Context, r reconcile.Request) (reconcile.Result, error) {
	task := &corev1.ConfigMap{}
	if err := t.Client.Get(ctx, r.NamespacedName, task); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if _, ok := task.Labels[Label]; !ok || task.DeletionTimestamp != nil {
		return reconcile.Result{}, nil
	}
	job := &batchv1.Job{}
	err := t.Client.Get(ctx, r.NamespacedName, job)
	if apierrors.IsNotFound(err) {
		job = newJob(task)
		if err := controllerutil.SetControllerReference(task, job, t.Client.Scheme()); err != nil {
			return reconcile.Result{}, err
		}
		// The cache may not know it yet.
		err = client.IgnoreAlreadyExists(t.Client.Create(ctx, job))
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	if state := stateOf(job); task.Data["state"] != state {
		changed := task.DeepCopy()
		changed.Data["state"] = state
		return reconcile.Result{}, t.Client.Patch(ctx, changed, client.MergeFrom(task))
	}
	return reconcile.Result{}, nil
}

func newJob(task *corev1.ConfigMap) *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: task.Namespace, Name: task.Name},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			Containers:    []corev1.Container{{Name: "task", Image: "busybox", Command: []string{"sh", "-c", task.Data["command"]}}},
		}}},
	}
}

func stateOf(job *batchv1.Job) string {
	for _, c := range job.Status.Conditions {
		if (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue {
			return string(c.Type)
		}
	}
	return "Running"
}
