package task

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

// Finalizer keeps a Task until its report is written.
const Finalizer = "example.com/report"

// Operator runs a Job for each Task. When a Task is deleted, a ConfigMap NAME-report stays
// and says how it ended.
type Operator struct {
	Client client.Client
}

// SetupWithManager adds the operator to a manager.
func (o *Operator) SetupWithManager(m manager.Manager) error {
	return builder.ControllerManagedBy(m).For(&Task{}).Owns(&batchv1.Job{}).Complete(o)
}

// Reconcile implements reconcile.Reconciler.
func (o *Operator) Reconcile(ctx context.Context, r reconcile.Request) (reconcile.Result, error) {
	task := &Task{}
	if err := o.Client.Get(ctx, r.NamespacedName, task); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	before := task.DeepCopyObject().(*Task)
	// A patch replaces all finalizers: it is refused if somebody else has changed the Task.
	unchanged := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if task.DeletionTimestamp != nil {
		if !controllerutil.ContainsFinalizer(task, Finalizer) {
			return reconcile.Result{}, nil
		}
		if err := o.report(ctx, task); err != nil {
			return reconcile.Result{}, err
		}
		controllerutil.RemoveFinalizer(task, Finalizer)
		return reconcile.Result{}, client.IgnoreNotFound(o.Client.Patch(ctx, task, unchanged))
	}
	if controllerutil.AddFinalizer(task, Finalizer) {
		return reconcile.Result{}, o.Client.Patch(ctx, task, unchanged)
	}
	job, err := o.job(ctx, task)
	if err != nil {
		return reconcile.Result{}, err
	}
	if phase := phaseOf(job); task.Status.Phase != phase {
		task.Status.Phase = phase
		return reconcile.Result{}, o.Client.Status().Patch(ctx, task, client.MergeFrom(before))
	}
	return reconcile.Result{}, nil
}

// report writes how the Task has ended.
func (o *Operator) report(ctx context.Context, t *Task) error {
	return client.IgnoreAlreadyExists(o.Client.Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: t.Name + "-report"},
		Data:       map[string]string{"phase": t.Status.Phase},
	}))
}

// job returns the Job of a Task, which is made if it is not there.
func (o *Operator) job(ctx context.Context, t *Task) (*batchv1.Job, error) {
	job := &batchv1.Job{}
	err := o.Client.Get(ctx, client.ObjectKeyFromObject(t), job)
	if !apierrors.IsNotFound(err) {
		return job, err
	}
	job = &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: t.Name},
		Spec: batchv1.JobSpec{
			ActiveDeadlineSeconds: &t.Spec.TimeoutSeconds,
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever,
				Containers:    []corev1.Container{{Name: "task", Image: "busybox", Command: []string{"sh", "-c", t.Spec.Command}}},
			}},
		},
	}
	if err := controllerutil.SetControllerReference(t, job, o.Client.Scheme()); err != nil {
		return nil, err
	}
	// The cache may not know it yet.
	return job, client.IgnoreAlreadyExists(o.Client.Create(ctx, job))
}

func phaseOf(job *batchv1.Job) string {
	for _, c := range job.Status.Conditions {
		if (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue {
			return string(c.Type)
		}
	}
	return "Running"
}
