package stream

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)

func status(s corev1.ContainerStatus) *corev1.Pod {
	s.Name = "c"
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c"}}},
		Status:     corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{s}},
	}
}

func running() *corev1.Pod {
	return status(corev1.ContainerStatus{ContainerID: "1", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}})
}

func waiting(reason string) *corev1.Pod {
	return status(corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}})
}

func ptr[T any](v T) *T { return &v }

// filled is the log of a container that printed a line a second from noon on.
func filled(store *Store) *Log {
	store.SetPod(running())
	l := store.NewLog("ns", "p", "1", nil)
	l.Append(noon, false, []byte("one\n"))
	l.Append(noon.Add(time.Second), true, []byte("two\n"))
	l.Append(noon.Add(2*time.Second), false, []byte("thr"))
	l.Append(noon.Add(3*time.Second), false, []byte("ee\nfour"))
	return l
}

func TestOptions(t *testing.T) {
	for name, tc := range map[string]struct {
		opts corev1.PodLogOptions
		want string
	}{
		"everything":       {corev1.PodLogOptions{}, "one\ntwo\nthree\nfour"},
		"the last lines":   {corev1.PodLogOptions{TailLines: ptr(int64(2))}, "three\nfour"},
		"no lines":         {corev1.PodLogOptions{TailLines: ptr(int64(0))}, ""},
		"the first bytes":  {corev1.PodLogOptions{LimitBytes: ptr(int64(6))}, "one\ntw"},
		"the last seconds": {corev1.PodLogOptions{SinceSeconds: ptr(int64(9))}, "two\nthree\nfour"},
		"since an instant": {corev1.PodLogOptions{SinceTime: ptr(metav1.NewTime(noon.Add(2 * time.Second)))}, "three\nfour"},
		"standard error":   {corev1.PodLogOptions{Stream: ptr(corev1.LogStreamStderr)}, "two\n"},
		"timestamps": {corev1.PodLogOptions{Timestamps: true, TailLines: ptr(int64(2))},
			"2025-01-01T12:00:03.000000000Z three\n2025-01-01T12:00:05.000000000Z four"},
	} {
		t.Run(name, func(t *testing.T) {
			store := &Store{}
			filled(store).End(noon.Add(5 * time.Second))
			logs, err := NewLogs(store, func() time.Time { return noon.Add(10 * time.Second) })
			if err != nil {
				t.Fatal(err)
			}
			r, err := logs.Logs(t.Context(), "ns", "p", &tc.opts)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	two := running()
	two.Spec.Containers = append(two.Spec.Containers, corev1.Container{Name: "d"})
	for name, tc := range map[string]struct {
		pod  *corev1.Pod
		opts corev1.PodLogOptions
		want string
	}{
		"a container that waits":    {waiting("ContainerCreating"), corev1.PodLogOptions{}, `container "c" in pod "p" is waiting to start: ContainerCreating`},
		"an image that is not had":  {waiting("ErrImagePull"), corev1.PodLogOptions{}, `container "c" in pod "p" is waiting to start: image can't be pulled`},
		"an image that is tried":    {waiting("ImagePullBackOff"), corev1.PodLogOptions{}, `container "c" in pod "p" is waiting to start: trying and failing to pull image`},
		"no instance before":        {running(), corev1.PodLogOptions{Previous: true}, `previous terminated container "c" in pod "p" not found`},
		"a container without a log": {running(), corev1.PodLogOptions{}, `unable to retrieve container logs for 1`},
		"an unknown container":      {running(), corev1.PodLogOptions{Container: "x"}, `container x is not valid for pod p`},
		"which of two":              {two, corev1.PodLogOptions{}, `a container name must be specified for pod p, choose one of: [c d]`},
		"no status":                 {two, corev1.PodLogOptions{Container: "d"}, `container "d" in pod "p" is not available`},
	} {
		t.Run(name, func(t *testing.T) {
			store := &Store{}
			store.SetPod(tc.pod)
			logs, _ := NewLogs(store, func() time.Time { return noon })
			_, err := logs.Logs(t.Context(), "ns", "p", &tc.opts)
			if err == nil || err.Error() != tc.want {
				t.Errorf("error %v, want %s", err, tc.want)
			}
		})
	}
}

func TestFollow(t *testing.T) {
	store := &Store{}
	l := filled(store)
	logs, _ := NewLogs(store, func() time.Time { return noon })
	r, err := logs.Logs(t.Context(), "ns", "p", &corev1.PodLogOptions{Follow: true, TailLines: ptr(int64(1))})
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	n, err := r.Read(buf)
	if err != nil || string(buf[:n]) != "three\n" {
		t.Fatalf("first read: %q, %v", buf[:n], err)
	}
	go func() {
		l.Append(noon, false, []byte(" and\nfive\n"))
		l.End(noon)
	}()
	rest, err := io.ReadAll(r)
	if err != nil || string(rest) != "four and\nfive\n" {
		t.Errorf("rest: %q, %v", rest, err)
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	store := &Store{}
	filled(store)
	logs, _ := NewLogs(store, func() time.Time { return noon })
	ctx, cancel := context.WithCancel(t.Context())
	r, err := logs.Logs(ctx, "ns", "p", &corev1.PodLogOptions{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	go cancel()
	if _, err := io.ReadAll(r); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

func TestALogIsBounded(t *testing.T) {
	l := &Log{}
	text := []byte(strings.Repeat("x", 1000) + "\n")
	const total = 100_000
	for range total {
		l.Append(noon, false, text)
	}
	kept := 0
	lines, all := int64(0), l.view(0)
	for entry, ok := all.next(); ok; entry, ok = all.next() {
		kept, lines = kept+len(entry.text), lines+1
	}
	if kept > 2*fileMax || kept < SizeMax {
		t.Errorf("%d bytes are kept, in two files of at most %d", kept, fileMax)
	}
	if first := l.blocks[0].first; lines+first != total || l.end != total {
		t.Errorf("%d lines kept, %d dropped", lines, first)
	}
	l.Append(noon, false, []byte(strings.Repeat("y", 3*lineMax)))
	last := l.view(l.end - 1)
	if entry, ok := last.next(); !ok || len(entry.text) > lineMax {
		t.Errorf("a line of %d bytes", len(entry.text))
	}
}

func TestRotation(t *testing.T) {
	full := strings.Repeat(strings.Repeat("x", 1000)+"\n", SizeMax/1000)
	for name, tc := range map[string]struct {
		write func(l *Log)
		now   time.Time
		tail  int64
		want  string
	}{
		"a log that is not full stays": {func(l *Log) {
			l.Append(noon, false, []byte("one\n"))
			l.Append(noon.Add(time.Hour), false, []byte("two\n"))
		}, noon.Add(2 * time.Hour), -1, "one\ntwo\n"},
		"a full one is read until the kubelet looks": {func(l *Log) {
			l.Append(noon, false, []byte(full))
			l.Append(noon.Add(9*time.Second), false, []byte("two\n"))
		}, noon.Add(9 * time.Second), 1, "two\n"},
		"then nothing is left": {func(l *Log) {
			l.Append(noon, false, []byte(full))
		}, noon.Add(10 * time.Second), -1, ""},
		"but what is written later": {func(l *Log) {
			l.Append(noon, false, []byte(full))
			l.Append(noon.Add(12*time.Second), false, []byte("two\n"))
		}, noon.Add(15 * time.Second), 5, "two\n"},
		"the log of a container that has ended stays": {func(l *Log) {
			l.Append(noon, false, []byte(full))
			l.Append(noon.Add(time.Second), false, []byte("end\n"))
			l.End(noon.Add(time.Second))
		}, noon.Add(time.Hour), 1, "end\n"},
	} {
		t.Run(name, func(t *testing.T) {
			l := &Log{}
			tc.write(l)
			ctx, cancel := context.WithCancel(t.Context())
			got, err := io.ReadAll(newReader(ctx, cancel, l, nil, selection{tail: tc.tail, limit: -1}, tc.now))
			if err != nil || string(got) != tc.want {
				t.Errorf("read %d bytes, %.20q, %v, want %q", len(got), got, err, tc.want)
			}
		})
	}
}

func TestWhoFollowsALogMissesNothing(t *testing.T) {
	l := &Log{}
	l.Append(noon, false, []byte("one\n"))
	ctx, cancel := context.WithCancel(t.Context())
	r := newReader(ctx, cancel, l, nil, selection{tail: -1, limit: -1, follow: true}, noon)
	l.Append(noon, false, []byte(strings.Repeat(strings.Repeat("x", 1000)+"\n", SizeMax/1000)))
	l.Append(noon.Add(time.Minute), false, []byte("two\n"))
	l.End(noon.Add(time.Minute))
	got, err := io.ReadAll(r)
	if err != nil || !strings.HasPrefix(string(got), "one\nx") || !strings.HasSuffix(string(got), "x\ntwo\n") {
		t.Errorf("read %d bytes, from %.10q, %v", len(got), got, err)
	}
}
