package controllers_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// editPod changes the only Pod from outside.
func editPod(w *world, edit func(*corev1.Pod)) {
	w.t.Helper()
	w.do(func(ctx context.Context) error {
		pod := list[*corev1.Pod](w.fakeAPI)[0].DeepCopy()
		edit(pod)
		_, err := w.Update(ctx, client, engine.Pods, "", pod)
		return err
	})
}

func TestAPodWithoutOwnerIsAdoptedAgain(t *testing.T) {
	w := fullWorld(t, engine.Manual, always(time.Hour, 0))
	w.create(engine.Jobs, newJob("pi"))
	editPod(w, func(pod *corev1.Pod) { pod.OwnerReferences, pod.Finalizers = nil, nil })
	pods := list[*corev1.Pod](w.fakeAPI)
	if len(pods) != 1 || metav1.GetControllerOf(pods[0]) == nil || len(pods[0].Finalizers) != 1 {
		t.Errorf("Pods: %v\n%s", pods, w.log)
	}
}

// The reference that the Pod has already is made the controller's: an API object
// has one reference to an owner.
func TestAPodThatStillRefersToItsJobIsAdoptedAgain(t *testing.T) {
	w := fullWorld(t, engine.Manual, always(time.Hour, 0))
	w.create(engine.Jobs, newJob("pi"))
	before := list[*corev1.Pod](w.fakeAPI)[0].OwnerReferences
	editPod(w, func(pod *corev1.Pod) { pod.OwnerReferences[0].Controller = nil })
	if diff := cmp.Diff(before, list[*corev1.Pod](w.fakeAPI)[0].OwnerReferences); diff != "" {
		t.Errorf("owner references (-want +got):\n%s\n%s", diff, w.log)
	}
}

func TestANewPodWithoutOwnerIsAdoptedAfterASecond(t *testing.T) {
	w := fullWorld(t, engine.Manual, always(time.Hour, 0))
	w.create(engine.Jobs, newJob("pi"))
	first := list[*corev1.Pod](w.fakeAPI)[0]
	w.advance(time.Minute)
	w.create(engine.Pods, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "late", Labels: first.Labels}, Spec: first.Spec,
	})
	w.advance(999 * time.Millisecond)
	if late, _ := get[*corev1.Pod](w.fakeAPI, engine.Pods, "default", "late"); late == nil || metav1.GetControllerOf(late) != nil {
		t.Errorf("it is adopted too soon\n%s", w.log)
	}
	// One Pod is enough: the newer one goes.
	w.advance(time.Millisecond)
	if diff := cmp.Diff([]string{"SuccessfulCreate", "SuccessfulDelete"}, eventsOf(w, "job-controller")); diff != "" {
		t.Errorf("Events (-want +got):\n%s\n%s", diff, w.log)
	}
}

func TestAPodThatIsGivenAnotherIndexIsReplaced(t *testing.T) {
	w := fullWorld(t, engine.Manual, always(time.Hour, 0))
	w.create(engine.Jobs, newJob("pi", func(s *batchv1.JobSpec) { s.CompletionMode = new(batchv1.IndexedCompletion) }))
	w.advance(time.Minute)
	editPod(w, func(pod *corev1.Pod) { pod.Annotations[batchv1.JobCompletionIndexAnnotation] = "7" })
	w.advance(time.Minute)
	want := []string{"SuccessfulCreate", "SuccessfulDelete", "SuccessfulCreate"}
	if diff := cmp.Diff(want, eventsOf(w, "job-controller")); diff != "" {
		t.Errorf("Events (-want +got):\n%s\n%s", diff, w.log)
	}
}

func TestAPodThatLosesItsLabelsIsReleasedAndReplaced(t *testing.T) {
	w := fullWorld(t, engine.Manual, always(time.Hour, 0))
	w.create(engine.Jobs, newJob("pi"))
	editPod(w, func(pod *corev1.Pod) { pod.Labels = nil })
	w.advance(time.Second)
	released, owned := 0, 0
	for _, pod := range list[*corev1.Pod](w.fakeAPI) {
		if metav1.GetControllerOf(pod) == nil {
			released++
			if len(pod.Finalizers) > 0 {
				t.Errorf("released with finalizers %v", pod.Finalizers)
			}
		} else {
			owned++
		}
	}
	if released != 1 || owned != 1 {
		t.Errorf("%d released, %d owned; want 1 of each\n%s", released, owned, w.log)
	}
}

func TestAJobOfAnotherControllerIsLeftAlone(t *testing.T) {
	w := fullWorld(t, engine.Auto, always(time.Second, 0))
	other := "example.com/mine"
	w.create(engine.Jobs, newJob("pi", func(s *batchv1.JobSpec) { s.ManagedBy = &other }))
	j, _ := get[*batchv1.Job](w.fakeAPI, engine.Jobs, "default", "pi")
	if pods := list[*corev1.Pod](w.fakeAPI); len(pods) > 0 || j.Status.StartTime != nil {
		t.Errorf("Pods %v, status %v", pods, j.Status)
	}
}

func TestAPodOfADeletedJobLosesItsFinalizer(t *testing.T) {
	w := jobWorld(t, engine.Manual, always(time.Hour, 0))
	w.create(engine.Jobs, newJob("pi"))
	w.remove(engine.Jobs, "default", "pi", metav1.DeleteOptions{})
	if pods := list[*corev1.Pod](w.fakeAPI); len(pods) != 1 || len(pods[0].Finalizers) > 0 {
		t.Errorf("Pods: %v\n%s", pods, w.log)
	}
}

func TestAJobThatTakesTheNameOfAnotherDoesNotCountItsPods(t *testing.T) {
	w := jobWorld(t, engine.Auto, always(time.Minute, 0))
	if err := w.engine.SetMode(t.Context(), engine.Manual, 0); err != nil {
		t.Fatal(err)
	}
	w.create(engine.Jobs, newJob("pi"))
	w.remove(engine.Jobs, "default", "pi", metav1.DeleteOptions{})
	w.create(engine.Jobs, newJob("pi"))
	w.advance(2 * time.Minute)
	j, _ := get[*batchv1.Job](w.fakeAPI, engine.Jobs, "default", "pi")
	if j.Status.Succeeded != 1 || len(list[*corev1.Pod](w.fakeAPI)) != 2 {
		t.Errorf("%d succeeded of %d Pods\n%s", j.Status.Succeeded, len(list[*corev1.Pod](w.fakeAPI)), w.log)
	}
}
