package e2e

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// deviations says of each "Deviation:" in the code, in the order in which they stand in
// its file, how the row of docs/fidelity.md begins that tells users of it.
func deviations() map[string][]string {
	return map[string][]string{
		"apiserver/customresource/handler.go":                          {"a CustomResourceDefinition in a compiled-in group", "a creation in a new custom resource"},
		"apiserver/localaudit.go":                                      {"the audit log"},
		"apiserver/bootstrap.go":                                       {"the first objects of a cluster that cannot be written"},
		"apiserver/firstobjects.go":                                    {"flow schemas and priority levels", "an APIService of a group that the server has itself"},
		"apiserver/local.go":                                           {"managedFields"},
		"apiserver/metrics.go":                                         {"metrics-server's ClusterRole"},
		"apiserver/plugin/nodetaint.go":                                {"the taint `not-ready` of a new Node"},
		"apiserver/policy/converters.go":                               {"a MutatingAdmissionPolicy and CustomResourceDefinitions"},
		"apiserver/policy/typecheck.go":                                {"the `status.typeChecking` of a ValidatingAdmissionPolicy"},
		"apiserver/customresource/conversion.go":                       {"a read or a watch for which a conversion webhook"},
		"apiserver/webhook/service.go":                                 {"webhooks that are Services, with etcd", "a webhook in a simulated Pod"},
		"apiserver/registry/allocator.go":                              {"Service addresses and node ports"},
		"apiserver/registry/stamp.go":                                  {"shortened deletion", "the time of an approval", "the times of managedFields that a client sends"},
		"controllers/apiservice/apiservice.go":                         {"an APIService with a Service"},
		"controllers/apiservice/trust.go":                              {"an APIService with a Service"},
		"controllers/certificates/cleaner/cleaner.go":                  {"the cleaners of CertificateSigningRequests"},
		"controllers/clusterroleaggregation/clusterroleaggregation.go": {"the aggregation of ClusterRoles"},
		"controllers/cronjob/apply.go":                                 {"another's Job under the name of the next one"},
		"controllers/cronjob/cronjob.go":                               {"a CronJob's scheduled time"},
		"controllers/customresourcedefinition/decide.go":               {"the condition NonStructuralSchema", "a CustomResourceDefinition that is being deleted"},
		"controllers/daemonset/daemonset.go":                           {"expectations", "a Job, a ReplicaSet, a ReplicationController, a StatefulSet or a DaemonSet whose Pods were refused"},
		"controllers/daemonset/failures.go":                            {"the back-off of a Job, or of a DaemonSet whose Pods fail, after a restart of the server"},
		"controllers/disruption/disruption.go":                         {"a Pod of several budgets"},
		"controllers/endpoint/endpoint.go":                             {"EndpointSlices"},
		"controllers/endpointslice/decide.go":                          {"EndpointSlices"},
		"controllers/endpointslice/endpointslice.go":                   {"EndpointSlices"},
		"controllers/podautoscaler/source.go":                          {"a HorizontalPodAutoscaler with Pods, Object or External metrics"},
		"controllers/localpath/resize.go":                              {"`allowVolumeExpansion`"},
		"controllers/serviceaccount/legacytoken/legacytoken.go":        {"legacy-service-account-token-cleaner"},
		"controllers/engine/correlator.go":                             {"of ten Events that are alike"},
		"controllers/fault/drain.go":                                   {"a Fault's `drain`"},
		"controllers/flowcontrol/flowcontrol.go":                       {"flow schemas and priority levels"},
		"controllers/garbagecollector/garbagecollector.go":             {"the garbage collector's graph"},
		"controllers/ipallocator/ipallocator.go":                       {"IPAddresses that are wrong, or missing"},
		"controllers/job/backoff.go":                                   {"the back-off of a Job, or of a DaemonSet whose Pods fail, after a restart of the server"},
		"controllers/job/job.go":                                       {"expectations"},
		"controllers/job/keys.go":                                      {"a Job, a ReplicaSet, a ReplicationController, a StatefulSet or a DaemonSet whose Pods were refused"},
		"controllers/job/metrics.go":                                   {"metrics of the Job, CronJob and TTL controllers"},
		"controllers/localpath/localpath.go":                           {"what local-path-provisioner does in helper Pods", "what local-path-provisioner does in helper Pods"},
		"controllers/namespace/conditions.go":                          {"a namespace that is being deleted"},
		"controllers/namespace/namespace.go":                           {"a namespace that is being deleted"},
		"controllers/nodelifecycle/metrics.go":                         {"metrics of garbagecollector, podgc"},
		"controllers/nodelifecycle/nodelifecycle.go":                   {"when a Node is NotReady and tainted"},
		"controllers/persistentvolume/persistentvolume.go":             {"a claim that waits"},
		"controllers/podgc/podgc.go":                                   {"podgc"},
		"controllers/replicaset/failures.go":                           {"a ReplicaSet or ReplicationController whose Pods fail as a whole"},
		"controllers/replicaset/replicaset.go":                         {"expectations", "a Job, a ReplicaSet, a ReplicationController, a StatefulSet or a DaemonSet whose Pods were refused"},
		"controllers/scheduler/profile/cycle.go":                       {"which Nodes the scheduler looks at"},
		"controllers/scheduler/profile/framework.go":                   {"the scheduler and gates"},
		"controllers/scheduler/refuse.go":                              {"a Pod that fits nowhere"},
		"controllers/scheduler/scheduler.go":                           {"a Pod whose volumes are being made", "a Pod that fits nowhere"},
		"controllers/scheduler/snapshot/images.go":                     {"the size of an image that Nodes give different sizes"},
		"controllers/statefulset/decide.go":                            {"a StatefulSet whose Pod fails at once"},
		"controllers/statefulset/statefulset.go":                       {"a Job, a ReplicaSet, a ReplicationController, a StatefulSet or a DaemonSet whose Pods were refused"},
		"controllers/tainteviction/decide.go":                          {"a Pod that taint-eviction deletes already"},
		"internal/pki/issue.go":                                        {"a certificate that the cluster signs"},
		"internal/cluster/calls.go":                                    {"such a webhook that does not answer at once"},
		"internal/cluster/quota.go":                                    {"quota"},
		"kubelet-sim/admission/admit.go":                               {"what a kubelet admits"},
		"kubelet-sim/environment/environment.go":                       {"the order of a container's environment"},
		"kubelet-sim/environment/expand.go":                            {"an environment, or what `$(NAME)` puts into a command"},
		"kubelet-sim/eviction/period.go":                               {"an emptyDir over its sizeLimit"},
		"kubelet-sim/eviction/rank.go":                                 {"the memory of the host", "a node under pressure"},
		"kubelet-sim/lifecycle/evict.go":                               {"the memory of the host"},
		"kubelet-sim/lifecycle/node.go":                                {"a kubelet off the network"},
		"kubelet-sim/lifecycle/pull.go":                                {"image pulls"},
		"kubelet-sim/lifecycle/reboot.go":                              {"a machine that reboots"},
		"kubelet-sim/lifecycle/reconcile.go":                           {"a missing ConfigMap or Secret", "a Pod that was deleted with `--force`"},
		"kubelet-sim/lifecycle/resync.go":                              {"when a changed ConfigMap or Secret reaches mounted files"},
		"kubelet-sim/network/dns.go":                                   {"names outside the cluster"},
		"kubelet-sim/node/capacity.go":                                 {"an extended resource that a client writes"},
		"kubelet-sim/node/status.go":                                   {"a new Node"},
		"kubelet-sim/podcertificate/podcertificate.go":                 {"a podCertificate", "a podCertificate", "a podCertificate"},
		"kubelet-sim/podstate/reimage.go":                              {"the image of a container is changed"},
		"kubelet-sim/podstate/resize.go":                               {"a resize of a Pod as a whole"},
		"kubelet-sim/program/applet/date.go":                           {"`date` with a zone"},
		"kubelet-sim/program/applet/dd.go":                             {"`diff`"},
		"kubelet-sim/program/applet/tar.go":                            {"`tar` that has found nothing to pack"},
		"kubelet-sim/program/awk/text.go":                              {"large data in a container"},
		"kubelet-sim/program/image/pull.go":                            {"image pulls"},
		"kubelet-sim/program/image/tree.go":                            {"commands of busybox", "slim images"},
		"kubelet-sim/program/kernel/procfs.go":                         {"large data in a container"},
		"kubelet-sim/program/kernel/signal.go":                         {"jobs of a shell"},
		"kubelet-sim/program/kernel/tty.go":                            {"jobs of a shell"},
		"kubelet-sim/program/match/regexp.go":                          {"text that is no UTF-8"},
		"kubelet-sim/program/shell/split.go":                           {"large data in a container"},
		"kubelet-sim/program/vfs/volume.go":                            {"the name of the directory behind a mounted volume's files"},
		"kubelet-sim/request/request.go":                               {"probes and hooks that ask a server"},
		"kubelet-sim/script/script.go":                                 {"kwok's `pod-complete.stage.kwok.x-k8s.io/"},
		"kubelet-sim/session/exchange.go":                              {"a webhook in a simulated Pod"},
		"kubelet-sim/static/nodefs.go":                                 {"the file system of a node"},
		"kubelet-sim/static/sync.go":                                   {"static Pods", "static Pods"},
		"kubelet-sim/stream/log.go":                                    {"files of a container's log before the newest"},
		"kubelet-sim/volume/claim.go":                                  {"volumes that are not of one node"},
		"kubelet-sim/volume/renew.go":                                  {"the token in a projected volume"},
		"kubelet-sim/volume/storage.go":                                {"other volume types"},
		"kubelet-sim/volume/trustbundle.go":                            {"the certificates of several ClusterTrustBundles"},
		"storage/compact.go":                                           {"a revision for each compaction"},
		"storage/event.go":                                             {"the time of a watch event"},
		"storage/list.go":                                              {"`remainingItemCount` of a page"},
		"storage/lists.go":                                             {"priority and fairness"},
		"storage/state.go":                                             {"an update's first look at the present object"},
	}
}

// TestFidelityPageIsComplete: whoever departs from upstream tells users so.
func TestFidelityPageIsComplete(t *testing.T) {
	page, err := os.ReadFile("../docs/fidelity.md")
	if err != nil {
		t.Fatal(err)
	}
	want, found := deviations(), map[string]int{}
	err = filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel("..", path)
		if n := strings.Count(string(text), "Deviation:"); n > 0 {
			found[filepath.ToSlash(name)] = n
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for file, n := range found {
		if len(want[file]) != n {
			t.Errorf("%s has %d deviations, this test knows of %d: tell users in docs/fidelity.md, and say here in which row", file, n, len(want[file]))
		}
	}
	for _, file := range slices.Sorted(maps.Keys(want)) {
		if found[file] == 0 {
			t.Errorf("%s has no deviation any more: take it out here, and its row out of docs/fidelity.md", file)
		}
		for _, row := range want[file] {
			if !strings.Contains(string(page), "\n| "+row) {
				t.Errorf("docs/fidelity.md has no row %q, for %s", row, file)
			}
		}
	}
}
