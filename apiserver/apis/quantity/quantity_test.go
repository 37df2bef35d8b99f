package quantity

import (
	"bytes"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestCheck(t *testing.T) {
	long := strings.Repeat("9", 400)
	for name, tc := range map[string]struct {
		body    string
		refused bool
	}{
		"nothing":                          {``, false},
		"what is used":                     {`{"cpu": "100m", "memory": "1.5e3Gi", "x": "1e18"}`, false},
		"the largest exponent":             {`{"cpu": "1e999"}`, false},
		"an exponent":                      {`{"spec": [{"cpu": "1e1000"}]}`, true},
		"a negative one":                   {`{"cpu": "1e-999999999"}`, true},
		"a number":                         {`{"cpu": 1E+999999999}`, true},
		"zeroes before it":                 {`{"cpu": "1e0000018"}`, false},
		"a long quantity":                  {`{"cpu": "` + long + `"}`, true},
		"a long quantity with a suffix":    {`{"cpu": "` + long + `Ki"}`, true},
		"a label that looks so":            {`{"labels": {"commit": "12e4567"}}`, false},
		"a ConfigMap's text":               {`{"data": {"n": "` + long + `", "m": "1e99999"}}`, false},
		"a variable":                       {`{"env": [{"name": "SHA", "value": "12e4567"}]}`, false},
		"an HPA's value":                   {`{"target": {"type": "Value", "value": "1e99999"}}`, true},
		"a name that begins so":            {`{"name": "1e99999-x"}`, false},
		"a name":                           {`{"name": "12e4567"}`, false},
		"an image":                         {`{"image": "app:1e99999"}`, false},
		"YAML":                             {"spec:\n- cpu: '1e99999'\n", true},
		"YAML that is a text":              {"data:\n  a: '1e99999'\n", false},
		"a patch of a quantity":            {`[{"op": "add", "path": "/spec/containers/0/resources/limits/cpu", "value": "1e99999"}]`, true},
		"a patch of a label":               {`[{"op": "add", "path": "/metadata/labels/commit", "value": "12e4567"}]`, false},
		"what cannot be read is not ours":  {`{"cpu": "1e99999"`, false},
		"a hexadecimal digest in a string": {`{"image": "x@sha256:1e99999aa"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := Check("application/json", []byte(tc.body)); (err != nil) != tc.refused {
				t.Errorf("%v, want refused: %t", err, tc.refused)
			}
		})
	}
}

func TestCheckProtobuf(t *testing.T) {
	const contentType, good, bad = "application/vnd.kubernetes.protobuf", "123457", "1e9999"
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "12e4567", Labels: map[string]string{"commit": "12e4567"}}}
	pod.Spec.Containers = []corev1.Container{{
		Name: "12e4567", Image: "12e4567", Env: []corev1.EnvVar{{Name: "SHA", Value: "12e4567"}},
		Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{"cpu": resource.MustParse(good)}},
	}}
	data, err := pod.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(contentType, data); err != nil {
		t.Errorf("a good Pod: %v", err)
	}
	if data = bytes.Replace(data, []byte(good), []byte(bad), 1); Check(contentType, data) == nil {
		t.Errorf("%s was not refused", bad)
	}
}
