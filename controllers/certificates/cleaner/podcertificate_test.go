package cleaner

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestPodCertificateRequestsStayAQuarterOfAnHour(t *testing.T) {
	request := func(issued, deleted bool) *certificatesv1.PodCertificateRequest {
		r := &certificatesv1.PodCertificateRequest{ObjectMeta: metav1.ObjectMeta{Name: "req", CreationTimestamp: metav1.NewTime(noon())}}
		if issued {
			r.Status.Conditions = []metav1.Condition{{Type: certificatesv1.PodCertificateRequestConditionTypeIssued, Status: metav1.ConditionTrue}}
		}
		if deleted {
			r.DeletionTimestamp = &metav1.Time{Time: noon()}
		}
		return r
	}
	end := noon().Add(15 * time.Minute)
	for name, tc := range map[string]struct {
		request *certificatesv1.PodCertificateRequest
		now     time.Time
		want    plan
	}{
		"a new one stays":                            {request(false, false), noon(), plan{WakeAt: end}},
		"one that was answered stays as long":        {request(true, false), noon(), plan{WakeAt: end}},
		"just before its end it stays":               {request(false, false), end.Add(-1), plan{WakeAt: end}},
		"after a quarter of an hour it goes":         {request(false, false), end, plan{Delete: true}},
		"one that was answered goes then, too":       {request(true, false), end, plan{Delete: true}},
		"one that is being deleted is left in peace": {request(false, true), end, plan{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, decide(tc.request, podCertificateExpiry(tc.request), tc.now)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}
