package testcluster_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/e2e/testcluster"
)

// What follows is in docs/testing.md, word by word.

const manifests = `
apiVersion: sim.kubesim.dev/v1alpha1
kind: PodScript
metadata: {name: import}
spec:
  match: {image: example.com/import:*}
  attempts:
  - steps: [{log: no database}, {wait: 5s}, {exit: 3}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: import}
spec:
  backoffLimit: 3
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: example.com/import:1}]
`

func TestImportGivesUp(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Config{})
	c.Apply(manifests)
	c.Advance(10 * time.Minute)
	job, err := c.Client().BatchV1().Jobs("default").Get(t.Context(), "import", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// Four attempts, with waits of 10, 20 and 40 seconds between them.
	if job.Status.Failed != 4 || job.Status.Conditions[1].Reason != batchv1.JobReasonBackoffLimitExceeded {
		t.Errorf("the Job's status is %+v", job.Status)
	}
	c.Golden(t, "import-gives-up")
}

// TestThePageShowsTests fails where docs/testing.md shows a test that is not here.
func TestThePageShowsTests(t *testing.T) {
	page, err := os.ReadFile("../../docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	source := ""
	for _, file := range []string{"page_test.go", "beside_test.go", "../../docs/examples/operator/operator_test.go", "../../docs/examples/task/operator_test.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source += string(text)
	}
	shown := 0
	for _, block := range regexp.MustCompile("(?ms)^```go\n(.*?)^```$").FindAllStringSubmatch(string(page), -1) {
		if !strings.Contains(block[1], "testcluster.") {
			continue // another tool's
		}
		shown++
		for part := range strings.SplitSeq(block[1], "\n\n") {
			if !strings.Contains(source, strings.TrimSpace(part)) {
				t.Errorf("no test has this part of the page:\n%s", part)
			}
		}
	}
	if shown < 2 {
		t.Errorf("it shows %d tests, want more", shown)
	}
}
