package defaultservicecidr

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestDecide(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	object := func(cidr string, conditions ...metav1.Condition) *networkingv1.ServiceCIDR {
		return &networkingv1.ServiceCIDR{
			ObjectMeta: metav1.ObjectMeta{Name: "kubernetes"}, Spec: networkingv1.ServiceCIDRSpec{CIDRs: []string{cidr}},
			Status: networkingv1.ServiceCIDRStatus{Conditions: conditions},
		}
	}
	isReady := metav1.Condition{Type: "Ready", Status: "True", Message: "Kubernetes default Service CIDR is ready", LastTransitionTime: metav1.NewTime(noon)}
	leaving := object("10.96.0.0/12")
	leaving.DeletionTimestamp = &metav1.Time{Time: noon}
	for name, tc := range map[string]struct {
		have *networkingv1.ServiceCIDR
		want plan
	}{
		"there is none":                {nil, plan{Create: object("10.96.0.0/12")}},
		"nobody says that it is ready": {object("10.96.0.0/12"), plan{Status: object("10.96.0.0/12", isReady)}},
		"somebody says that it is not": {object("10.96.0.0/12", metav1.Condition{Type: "Ready", Status: "False"}), plan{}},
		"it is another server's":       {object("10.96.0.0/16"), plan{}},
		"it is being deleted":          {leaving, plan{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, decide(tc.have, "10.96.0.0/12", noon)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}
