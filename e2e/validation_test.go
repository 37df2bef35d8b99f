package e2e

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/batch"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	api "k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	"k8s.io/kubernetes/pkg/registry/batch/cronjob"
	"k8s.io/kubernetes/pkg/registry/batch/job"
	"k8s.io/kubernetes/pkg/registry/core/pod"
	"k8s.io/utils/ptr"
)

// TestErrorsAreUpstreams compares what the server says about wrong objects
// with what upstream's own defaults, strategies and validation say of them.
func TestErrorsAreUpstreams(t *testing.T) {
	client := newServerClient(t, "--ephemeral", "--nodes", "0")
	for name, mutate := range map[string]func(*batchv1.Job){
		"restartPolicy Always":              func(j *batchv1.Job) { j.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyAlways },
		"no restartPolicy":                  func(j *batchv1.Job) { j.Spec.Template.Spec.RestartPolicy = "" },
		"a restartPolicy that is none":      func(j *batchv1.Job) { j.Spec.Template.Spec.RestartPolicy = "Sometimes" },
		"a name with capitals":              func(j *batchv1.Job) { j.Name = "Db_Migration" },
		"a name that is too long for Pods":  func(j *batchv1.Job) { j.Name = fmt.Sprintf("%0260d", 1) },
		"a label that is none":              func(j *batchv1.Job) { j.Labels = map[string]string{"a b": "c d"} },
		"no container":                      func(j *batchv1.Job) { j.Spec.Template.Spec.Containers = nil },
		"a container without an image":      func(j *batchv1.Job) { j.Spec.Template.Spec.Containers[0].Image = "" },
		"two containers of one name":        func(j *batchv1.Job) { twice(&j.Spec.Template.Spec) },
		"a negative parallelism":            func(j *batchv1.Job) { j.Spec.Parallelism = ptr.To[int32](-1) },
		"a negative backoffLimit":           func(j *batchv1.Job) { j.Spec.BackoffLimit = ptr.To[int32](-1) },
		"a negative deadline":               func(j *batchv1.Job) { j.Spec.ActiveDeadlineSeconds = ptr.To[int64](-1) },
		"Indexed without completions":       indexed,
		"per-index limit without Indexed":   func(j *batchv1.Job) { j.Spec.BackoffLimitPerIndex = ptr.To[int32](1) },
		"a policy that needs Never":         podFailurePolicy,
		"requests above limits":             requestsAboveLimits,
		"a mount without a volume":          func(j *batchv1.Job) { mount(&j.Spec.Template.Spec, "nowhere") },
		"an environment variable of no key": func(j *batchv1.Job) { env(&j.Spec.Template.Spec) },
	} {
		t.Run("Job with "+name, func(t *testing.T) {
			j := validJob()
			mutate(j)
			_, err := client.BatchV1().Jobs(j.Namespace).Create(t.Context(), j.DeepCopy(), metav1.CreateOptions{})
			compare(t, upstreamSays(t, j, &batch.Job{}, job.Strategy, batch.Kind("Job")), err)
		})
	}
	for name, mutate := range map[string]func(*batchv1.CronJob){
		"a schedule that is none":  func(c *batchv1.CronJob) { c.Spec.Schedule = "at noon" },
		"a time zone that is none": func(c *batchv1.CronJob) { c.Spec.TimeZone = ptr.To("Mars/Base") },
		"a name that is too long":  func(c *batchv1.CronJob) { c.Name = fmt.Sprintf("c%053d", 1) },
		"an unknown policy":        func(c *batchv1.CronJob) { c.Spec.ConcurrencyPolicy = "Maybe" },
	} {
		t.Run("CronJob with "+name, func(t *testing.T) {
			c := &batchv1.CronJob{ObjectMeta: validJob().ObjectMeta, Spec: batchv1.CronJobSpec{
				Schedule: "@daily", JobTemplate: batchv1.JobTemplateSpec{Spec: validJob().Spec},
			}}
			mutate(c)
			_, err := client.BatchV1().CronJobs(c.Namespace).Create(t.Context(), c.DeepCopy(), metav1.CreateOptions{})
			compare(t, upstreamSays(t, c, &batch.CronJob{}, cronjob.Strategy, batch.Kind("CronJob")), err)
		})
	}
	for name, mutate := range map[string]func(*corev1.Pod){
		"no container":        func(p *corev1.Pod) { p.Spec.Containers = nil },
		"a port out of range": func(p *corev1.Pod) { p.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 70000}} },
		"a mount to nowhere":  func(p *corev1.Pod) { mount(&p.Spec, "nowhere") },
		"a bad toleration":    func(p *corev1.Pod) { p.Spec.Tolerations = []corev1.Toleration{{Operator: "Perhaps", Key: "k"}} },
		"a bad image policy":  func(p *corev1.Pod) { p.Spec.Containers[0].ImagePullPolicy = "Rarely" },
	} {
		t.Run("Pod with "+name, func(t *testing.T) {
			p := &corev1.Pod{ObjectMeta: validJob().ObjectMeta, Spec: *validJob().Spec.Template.Spec.DeepCopy()}
			mutate(p)
			_, err := client.CoreV1().Pods(p.Namespace).Create(t.Context(), p.DeepCopy(), metav1.CreateOptions{})
			compare(t, upstreamSays(t, p, &api.Pod{}, pod.Strategy, api.Kind("Pod")), err)
		})
	}
}

// TestDecodingErrorsAreUpstreams does the same for manifests that are no
// objects: upstream's strict decoder is asked.
func TestDecodingErrorsAreUpstreams(t *testing.T) {
	client := newServerClient(t, "--ephemeral", "--nodes", "0")
	decoder := serializer.NewCodecFactory(legacyscheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	for name, spec := range map[string]string{
		"an unknown field":            `{"backofflimit": 3}`,
		"several unknown fields":      `{"a": 1, "template": {"spec": {"restart": "Never"}}}`,
		"a field that is given twice": `{"backoffLimit": 3, "backoffLimit": 4}`,
		"a string for a number":       `{"backoffLimit": "three"}`,
		"a list for an object":        `{"template": []}`,
	} {
		t.Run(name, func(t *testing.T) {
			manifest := []byte(`{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"x"},"spec":` + spec + `}`)
			_, _, err := decoder.Decode(manifest, nil, nil)
			want := apierrors.NewBadRequest(fmt.Sprintf("Job in version %q cannot be handled as a Job: %v", "v1", err))
			got := client.BatchV1().RESTClient().Post().AbsPath("/apis/batch/v1/namespaces/default/jobs").
				Param("fieldValidation", "Strict").SetHeader("Content-Type", runtime.ContentTypeJSON).
				Body(manifest).Do(t.Context()).Error()
			compare(t, want.Error(), got)
		})
	}
}

func compare(t *testing.T, want string, got error) {
	t.Helper()
	if got == nil {
		t.Fatalf("the server accepts it; upstream says: %s", want)
	}
	if diff := cmp.Diff(want, got.Error()); diff != "" {
		t.Errorf("error text (-upstream +kubesim):\n%s", diff)
	}
}

// upstreamSays returns the error that upstream's strategy has for obj.
func upstreamSays(t *testing.T, obj, internal runtime.Object, strategy rest.RESTCreateStrategy, kind schema.GroupKind) string {
	t.Helper()
	legacyscheme.Scheme.Default(obj)
	if err := legacyscheme.Scheme.Convert(obj, internal, nil); err != nil {
		t.Fatal(err)
	}
	meta, err := apimeta.Accessor(internal)
	if err != nil {
		t.Fatal(err)
	}
	rest.FillObjectMetaSystemFields(meta)
	ctx := genericapirequest.WithNamespace(t.Context(), metav1.NamespaceDefault)
	ctx = genericapirequest.WithRequestInfo(ctx, &genericapirequest.RequestInfo{APIGroup: kind.Group, APIVersion: "v1"})
	if err = rest.BeforeCreate(strategy, ctx, internal); err == nil {
		t.Fatalf("upstream finds nothing wrong with this %s", kind)
	}
	return err.Error()
}

func validJob() *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "valid", Namespace: metav1.NamespaceDefault},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			Containers:    []corev1.Container{{Name: "c", Image: "busybox"}},
		}}},
	}
}

func twice(s *corev1.PodSpec) { s.Containers = append(s.Containers, s.Containers[0]) }

func mount(s *corev1.PodSpec, volume string) {
	s.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: volume, MountPath: "/data"}}
}

func env(s *corev1.PodSpec) {
	s.Containers[0].Env = []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{}}}}
}

func indexed(j *batchv1.Job) {
	j.Spec.CompletionMode, j.Spec.Parallelism = ptr.To(batchv1.IndexedCompletion), ptr.To[int32](2)
}

func requestsAboveLimits(j *batchv1.Job) {
	j.Spec.Template.Spec.Containers[0].Resources = corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2")},
		Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")},
	}
}

func podFailurePolicy(j *batchv1.Job) {
	j.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
	j.Spec.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
		Action:      batchv1.PodFailurePolicyActionFailJob,
		OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: []int32{0, 1}},
	}}}
}

// newServerClient starts a server with args for the test and returns a client
// of it without limits.
func newServerClient(t *testing.T, args ...string) *kubernetes.Clientset {
	t.Helper()
	return clientOf(t, newServer(t, args...))
}

func clientOf(t *testing.T, s *server) *kubernetes.Clientset {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}
