package job

import (
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kubesim-dev/kubesim/internal/overlay"
)

// standIns are the functions of upstream's that ours stand in for while its
// tests run, see testdata/upstream/tables_*.go.txt.
var standIns = []string{
	"syncJob", "trackJobStatusAndRemoveFinalizers",
	"matchPodFailurePolicy", "matchSuccessPolicy", "pastBackoffLimitOnFailure", "ensureJobConditionStatus", "getNewFinishedPods",
	"parseIndexesFromString", "has", "calculateSucceededIndexes", "calculateFailedIndexes", "isIndexFailed", "firstPendingIndexes",
	"appendDuplicatedIndexPodsForRemoval", "getPodsWithDelayedDeletionPerIndex", "getNewIndexFailureCounts", "getIndexFailureCount",
	"podGenerateNameWithIndex", "getFinishedTime", "newBackoffRecord", "getRemainingTime", "getRemainingTimePerIndex",
	"recordFinishedPodWithTrackingFinalizer",
}

// upstreamTests are upstream's unit tests that run over our functions. The cases
// of the tables are subtests.
var upstreamTests = []string{
	"TestAppendDuplicatedIndexPodsForRemoval", "TestCalculateFailedIndexes", "TestCalculateSucceededIndexes", "TestControllerSyncJob",
	"TestEnsureJobConditions", "TestFinalizerCleanup", "TestFirstPendingIndexes", "TestGetFinishedTime", "TestGetIndexFailureCount",
	"TestGetNewFinshedPods", "TestGetNewIndexFailureCountValue", "TestGetPodCreationInfoForIndependentIndexes",
	"TestGetPodsWithDelayedDeletionPerIndex", "TestGetRemainingBackoffTime", "TestGetRemainingBackoffTimePerIndex",
	"TestIntervalsHaveIndex", "TestIsIndexFailed", "TestJobBackoffForOnFailure", "TestJobBackoffOnRestartPolicyNever",
	"TestMatchPodFailurePolicy", "TestMatchSuccessPolicy", "TestNewBackoffRecord", "TestPastDeadlineJobFinished",
	"TestPodGenerateNameWithIndex", "TestRecordFinishedPodWithTrackingFinalizer", "TestSingleJobFailedCondition", "TestSyncJobComplete",
	"TestSyncJobDeleted", "TestSyncJobPastDeadline", "TestSyncJobUpdateRequeue", "TestSyncJobWhenManagedBy",
	"TestSyncJobWithJobBackoffLimitPerIndex", "TestSyncJobWithJobPodFailurePolicy", "TestSyncJobWithJobSuccessPolicy",
	"TestTrackJobStatusAndRemoveFinalizers",
}

// upstreamTestsNotRun lists those that are about what there is not here.
var upstreamTestsNotRun = map[string]string{
	"TestAddPod":                                 handlers,
	"TestAddPodOrphan":                           handlers,
	"TestDeletePod":                              handlers,
	"TestDeletePodOrphan":                        handlers,
	"TestJobApiBackoffReset":                     handlers,
	"TestJobBackoff":                             handlers,
	"TestUpdateJobRequeue":                       handlers,
	"TestUpdatePod":                              handlers,
	"TestUpdatePodChangeControllerRef":           handlers,
	"TestUpdatePodOrphanWithNewLabels":           handlers,
	"TestUpdatePodRelease":                       handlers,
	"TestWatchJobs":                              handlers,
	"TestWatchOrphanPods":                        handlers,
	"TestWatchPods":                              handlers,
	"TestSyncOrphanPod":                          handlers,
	"TestSyncOrphanPodsBySelectorRetryOnFailure": handlers,
	"TestGetPodsForJob":                          listers,
	"TestJobPodLookup":                           listers,
	"TestDeleteJobClearsPodExpectations":         expectations,
	"TestFinalizersRemovedExpectations":          expectations,
	"TestSyncJobExpectations":                    expectations,
	"TestUIDTrackingExpectations":                expectations,
	"TestRecordJobPodFailurePolicyActions":       "counts what a map has; ours has a list. TestUpstreamIntegration reads the metric",
	"TestComputePodGroupName":                    gangScheduling,
	"TestComputeWorkloadName":                    gangScheduling,
	"TestCreatePodGroup":                         gangScheduling,
	"TestCreateWorkloadForJob":                   gangScheduling,
	"TestEnsureWorkloadAndPodGroup":              gangScheduling,
	"TestGenerateWorkload":                       gangScheduling,
	"TestShouldManageWorkloadForJob":             gangScheduling,
	"TestSyncGangMinCount":                       gangScheduling,
	"TestSyncJobPodSchedulingGroup":              gangScheduling,
}

const (
	handlers       = "its informers' handlers and its queues; the engine has other ones, see Observe and engine_test.go"
	listers        = "how it lists and adopts over a client; claim and the scripts job-adoption have the same cases"
	expectations   = "its expectations; there are none here, the engine reads its own writes"
	gangScheduling = "gang scheduling (WorkloadWithJob), which is off by default and is not simulated"
)

// upstreamCasesThatDiffer are those that fail here, and why they may.
var upstreamCasesThatDiffer = map[string]string{
	"TestControllerSyncJob/count_ready_pods_when_suspending_a_job_with_unsatisfied_expectations":           expectations,
	"TestControllerSyncJob/job_failures,_unsatisfied_expectations":                                         expectations,
	"TestControllerSyncJob/suspending_a_job_with_unsatisfied_expectations":                                 expectations,
	"TestControllerSyncJob/suspending_a_job_with_unsatisfied_expectations;_PodReplacementPolicy_enabled":   expectations,
	"TestControllerSyncJob/too_many_active_pods,_with_controller_error":                                    firstError,
	"TestTrackJobStatusAndRemoveFinalizers/pod_patch_errors":                                               firstError,
	"TestTrackJobStatusAndRemoveFinalizers/pod_patch_errors_with_partial_success":                          firstError,
	"TestSyncJobWhenManagedBy/job_with_custom_value_of_managedBy;_feature_disabled;_the_status_is_updated": "JobManagedBy is locked on in this release",
}

const firstError = "a step of ours ends at the first Pod that cannot be changed and begins anew; upstream tries the others first (docs/fidelity.md)"

// TestUpstreamsTables runs upstream's own unit tests. Its package comes out of
// the module cache; what standIns lists of it is renamed, and ours takes the
// name: the test's fakes, clocks and tables stay what they are.
func TestUpstreamsTables(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it compiles another test binary")
	}
	binary, all := buildUpstreamsTables(t)
	for _, test := range all {
		if slices.Contains(upstreamTests, test) == (upstreamTestsNotRun[test] != "") {
			t.Errorf("%s must be either in upstreamTests or in upstreamTestsNotRun: is this another release?", test)
		}
	}
	if want := len(upstreamTests) + len(upstreamTestsNotRun); len(all) != want {
		t.Errorf("upstream has %d tests, %d are listed", len(all), want)
	}
	// It fails, as long as there are cases that differ.
	out, _ := exec.CommandContext(t.Context(), binary, "-test.v", "-test.run", "^("+strings.Join(upstreamTests, "|")+")$").CombinedOutput()
	passed, failed := 0, map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^ *--- (PASS|FAIL|SKIP): (\S+) `).FindAllStringSubmatch(string(out), -1) {
		parent := slices.ContainsFunc(slices.Collect(maps.Keys(upstreamCasesThatDiffer)), func(differs string) bool {
			return strings.HasPrefix(differs, m[2]+"/")
		})
		switch {
		case m[1] == "PASS":
			passed++
		case !parent:
			failed[m[2]] = m[1]
		}
	}
	for _, name := range slices.Sorted(maps.Keys(failed)) {
		if upstreamCasesThatDiffer[name] == "" {
			t.Errorf("%s: %s", failed[name], name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(upstreamCasesThatDiffer)) {
		if failed[name] == "" {
			t.Errorf("%s passes, or is not there: take it from upstreamCasesThatDiffer", name)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
	if passed < 350 {
		t.Errorf("%d cases pass, want at least 350", passed)
	}
	t.Logf("%d cases pass, %d differ", passed, len(failed))
}

// buildUpstreamsTables compiles upstream's package with our functions in it, and
// returns the names of its tests.
func buildUpstreamsTables(t *testing.T) (binary string, tests []string) {
	t.Helper()
	o := overlay.New(t)
	tests = o.LayPackage(t, upstreamDir(t), "../upstreamjob", standIns...)
	o.Lay(t, "zz_export.go", "testdata/upstream/tables_export.go.txt")
	o.Lay(t, "../upstreamjob/tables_leaves.go", "testdata/upstream/tables_leaves.go.txt")
	o.Lay(t, "../upstreamjob/tables_sync.go", "testdata/upstream/tables_sync.go.txt")
	return o.Build(t, "../upstreamjob"), tests
}
