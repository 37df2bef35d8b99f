package storage

import (
	"context"
	"errors"
	"os"
	"reflect"
	"regexp"
	"runtime"
	"testing"
	"time"

	"k8s.io/apiserver/pkg/features"
	"k8s.io/apiserver/pkg/storage"
	st "k8s.io/apiserver/pkg/storage/testing"
	"k8s.io/apiserver/pkg/storage/value"
	"k8s.io/apiserver/pkg/storage/value/encrypt/identity"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/component-base/featuregate"
	featuregatetesting "k8s.io/component-base/featuregate/testing"
)

// testPrefix is what the suites' transformer puts before each stored value.
const testPrefix = "test!"

// suite is one of upstream's.
type suite struct {
	name string
	run  func(ctx context.Context, t *testing.T, f *fixture)
	// needsTransformer: it makes stored values unreadable by changing the
	// transformer, so it cannot run on a resource without one.
	needsTransformer bool
	// gate, if set, is a feature that the suite wants on (or, gateOff, off).
	gate    featuregate.Feature
	gateOff bool
}

// simple is a suite that takes a storage.Interface only.
func simple(name string, run func(context.Context, *testing.T, storage.Interface)) suite {
	return suite{name: name, run: func(ctx context.Context, t *testing.T, f *fixture) { run(ctx, t, f) }}
}

// notApplicable lists the suites of upstream that say nothing of this store.
func notApplicable() map[string]string {
	return map[string]string{
		"RunTestOptionalWatchBookmarksWithCorrectResourceVersion": "wants the watch cache, which sends bookmarks of its own accord; etcd3 does not run it either",
		"RunBenchmarkWriteThroughput":                             "a benchmark, see bench_test.go",
		"RunBenchmarkStoreList":                                   "a benchmark, see bench_test.go",
		"RunBenchmarkStoreStats":                                  "a benchmark, see bench_test.go",
	}
}

func writeSuites() []suite {
	return []suite{
		simple("RunTestCreateWithKeyExist", st.RunTestCreateWithKeyExist),
		simple("RunTestUnconditionalDelete", st.RunTestUnconditionalDelete),
		simple("RunTestConditionalDelete", st.RunTestConditionalDelete),
		simple("RunTestDeleteWithSuggestion", st.RunTestDeleteWithSuggestion),
		simple("RunTestDeleteWithSuggestionAndConflict", st.RunTestDeleteWithSuggestionAndConflict),
		simple("RunTestDeleteWithConflict", st.RunTestDeleteWithConflict),
		simple("RunTestDeleteWithSuggestionOfDeletedObject", st.RunTestDeleteWithSuggestionOfDeletedObject),
		simple("RunTestValidateDeletionWithSuggestion", st.RunTestValidateDeletionWithSuggestion),
		simple("RunTestValidateDeletionWithOnlySuggestionValid", st.RunTestValidateDeletionWithOnlySuggestionValid),
		simple("RunTestPreconditionalDeleteWithSuggestion", st.RunTestPreconditionalDeleteWithSuggestion),
		simple("RunTestPreconditionalDeleteWithOnlySuggestionPass", st.RunTestPreconditionalDeleteWithOnlySuggestionPass),
		simple("RunTestGuaranteedUpdateWithConflict", st.RunTestGuaranteedUpdateWithConflict),
		simple("RunTestGuaranteedUpdateWithSuggestionAndConflict", st.RunTestGuaranteedUpdateWithSuggestionAndConflict),
		{name: "RunTestCreate", run: func(ctx context.Context, t *testing.T, f *fixture) {
			st.RunTestCreate(ctx, t, f, f.validateKey)
		}},
		{name: "RunTestCreateWithTTL", run: func(ctx context.Context, t *testing.T, f *fixture) {
			expireInRealTime(ctx, t, f)
			st.RunTestCreateWithTTL(ctx, t, f)
		}},
		{name: "RunTestGuaranteedUpdateWithTTL", run: func(ctx context.Context, t *testing.T, f *fixture) {
			expireInRealTime(ctx, t, f)
			st.RunTestGuaranteedUpdateWithTTL(ctx, t, f)
		}},
		{name: "RunTestGuaranteedUpdate", needsTransformer: true, run: func(ctx context.Context, t *testing.T, f *fixture) {
			st.RunTestGuaranteedUpdate(ctx, t, f, f.validateKey)
		}},
		{name: "RunTestGuaranteedUpdateChecksStoredData", needsTransformer: true, run: func(ctx context.Context, t *testing.T, f *fixture) {
			st.RunTestGuaranteedUpdateChecksStoredData(ctx, t, f)
		}},
	}
}

func readSuites() []suite {
	return []suite{
		simple("RunTestGet", st.RunTestGet),
		simple("RunTestGetListRecursivePrefix", st.RunTestGetListRecursivePrefix),
		simple("RunTestListPaging", st.RunTestListPaging),
		simple("RunTestNamespaceScopedList", st.RunTestNamespaceScopedList),
		simple("RunTestKeySchema", st.RunTestKeySchema),
		{name: "RunTestList", run: func(ctx context.Context, t *testing.T, f *fixture) {
			st.RunTestList(ctx, t, f, f.compact, false, nil)
		}},
		{name: "RunTestConsistentList", run: func(ctx context.Context, t *testing.T, f *fixture) {
			st.RunTestConsistentList(ctx, t, f, f.bump, false, true, false)
		}},
		{name: "RunTestGetListNonRecursive", run: func(ctx context.Context, t *testing.T, f *fixture) {
			st.RunTestGetListNonRecursive(ctx, t, f.bump, f)
		}},
		{name: "RunTestListContinuation", run: func(ctx context.Context, t *testing.T, f *fixture) {
			st.RunTestListContinuation(ctx, t, f, f.validateCalls)
		}},
		{name: "RunTestListPaginationRareObject", run: func(ctx context.Context, t *testing.T, f *fixture) {
			st.RunTestListPaginationRareObject(ctx, t, f, f.validateCalls)
		}},
		{name: "RunTestListContinuationWithFilter", run: func(ctx context.Context, t *testing.T, f *fixture) {
			st.RunTestListContinuationWithFilter(ctx, t, f, f.validateCalls)
		}},
		{name: "RunTestListInconsistentContinuation", run: func(ctx context.Context, t *testing.T, f *fixture) {
			st.RunTestListInconsistentContinuation(ctx, t, f, f.compact)
		}},
		{name: "RunTestCompactRevision", gate: features.ListFromCacheSnapshot, run: func(ctx context.Context, t *testing.T, f *fixture) {
			st.RunTestCompactRevision(ctx, t, f, f.bump, f.compact)
		}},
		{name: "RunTestStats", run: func(ctx context.Context, t *testing.T, f *fixture) {
			st.RunTestStats(ctx, t, f, f.codec, f.transformerOrIdentity(), false)
			if err := f.EnableResourceSizeEstimation(func(context.Context) ([]string, error) { return nil, nil }); err != nil {
				t.Fatal(err)
			}
			st.RunTestStats(ctx, t, f, f.codec, f.transformerOrIdentity(), true)
		}},
		{name: "RunTestTransformationFailure", needsTransformer: true, run: func(ctx context.Context, t *testing.T, f *fixture) {
			st.RunTestTransformationFailure(ctx, t, f)
		}},
		{name: "RunTestListResourceVersionMatch", needsTransformer: true, run: func(ctx context.Context, t *testing.T, f *fixture) {
			st.RunTestListResourceVersionMatch(ctx, t, f)
		}},
	}
}

func watchSuites() []suite {
	return []suite{
		simple("RunTestWatch", st.RunTestWatch),
		simple("RunTestDeleteTriggerWatch", st.RunTestDeleteTriggerWatch),
		simple("RunTestWatchFromNonZero", st.RunTestWatchFromNonZero),
		simple("RunTestDelayedWatchDelivery", st.RunTestDelayedWatchDelivery),
		simple("RunTestWatchContextCancel", st.RunTestWatchContextCancel),
		simple("RunTestWatcherTimeout", st.RunTestWatcherTimeout),
		simple("RunTestWatchDeleteEventObjectHaveLatestRV", st.RunTestWatchDeleteEventObjectHaveLatestRV),
		simple("RunTestWatchInitializationSignal", st.RunTestWatchInitializationSignal),
		simple("RunTestClusterScopedWatch", st.RunTestClusterScopedWatch),
		simple("RunTestNamespaceScopedWatch", st.RunTestNamespaceScopedWatch),
		simple("RunSendInitialEventsBackwardCompatibility", st.RunSendInitialEventsBackwardCompatibility),
		simple("RunWatchSemantics", st.RunWatchSemantics),
		simple("RunWatchSemanticInitialEventsExtended", st.RunWatchSemanticInitialEventsExtended),
		simple("RunWatchListMatchSingle", st.RunWatchListMatchSingle),
		{name: "RunTestWatchFromZero", run: func(ctx context.Context, t *testing.T, f *fixture) {
			st.RunTestWatchFromZero(ctx, t, f, f.compact)
		}},
		{name: "RunOptionalTestProgressNotify", run: func(ctx context.Context, t *testing.T, f *fixture) {
			every(t, f.db.NotifyProgress)
			st.RunOptionalTestProgressNotify(ctx, t, f, f.bump)
		}},
		{name: "RunTestWatchDispatchBookmarkEvents", run: func(ctx context.Context, t *testing.T, f *fixture) {
			st.RunTestWatchDispatchBookmarkEvents(ctx, t, f, false)
		}},
		{name: "RunTestWatchError", needsTransformer: true, run: func(ctx context.Context, t *testing.T, f *fixture) {
			st.RunTestWatchError(ctx, t, f)
		}},
		{name: "RunWatchErrorIsBlockingFurtherEvents", needsTransformer: true, run: func(ctx context.Context, t *testing.T, f *fixture) {
			st.RunWatchErrorIsBlockingFurtherEvents(ctx, t, f)
		}},
	}
}

// corruptSuites are about objects that cannot be read, and their unsafe deletion.
func corruptSuites() []suite {
	const gate = features.AllowUnsafeMalformedObjectDeletion
	corrupt := &corruptError{"data from the storage is not transformable", errors.New("bits flipped")}
	return []suite{
		{name: "RunTestGetListWithErrorAggregation", needsTransformer: true, gate: gate, run: func(ctx context.Context, t *testing.T, f *fixture) {
			st.RunTestGetListWithErrorAggregation(ctx, t, f, corrupt)
		}},
		{name: "RunTestGetListWithoutErrorAggregation", needsTransformer: true, gate: gate, gateOff: true, run: func(ctx context.Context, t *testing.T, f *fixture) {
			st.RunTestGetListWithoutErrorAggregation(ctx, t, f, corrupt)
		}},
		{name: "RunTestWatchWithUnsafeDelete", needsTransformer: true, gate: gate, run: func(ctx context.Context, t *testing.T, f *fixture) {
			st.RunTestWatchWithUnsafeDelete(ctx, t, f, corrupt)
		}},
		{name: "RunTestDeleteWithConflictAndMissingExpectedTransformOrDecodeError", needsTransformer: true, gate: gate, run: func(ctx context.Context, t *testing.T, f *fixture) {
			st.RunTestDeleteWithConflictAndMissingExpectedTransformOrDecodeError(ctx, t, f, f.failing.fails.Store)
		}},
		{name: "RunTestDeleteExpectedTransformOrDecodeError", needsTransformer: true, gate: gate, run: func(ctx context.Context, t *testing.T, f *fixture) {
			st.RunTestDeleteExpectedTransformOrDecodeError(ctx, t, f, f.failing.fails.Store)
			tr := &failingTransformer{Transformer: *f.transformer.Load()}
			f.setTransformer(tr)
			f.failing.fails.Store(false)
			st.RunTestDeleteExpectedTransformOrDecodeError(ctx, t, f, tr.fails.Store)
		}},
		{name: "RunTestDeleteWithSuggestionAndMissingExpectedTransformOrDecodeError", gate: gate, run: func(ctx context.Context, t *testing.T, f *fixture) {
			st.RunTestDeleteWithSuggestionAndMissingExpectedTransformOrDecodeError(ctx, t, f)
		}},
	}
}

func allSuites() []suite {
	var all []suite
	for _, part := range [][]suite{writeSuites(), readSuites(), watchSuites(), corruptSuites()} {
		all = append(all, part...)
	}
	return all
}

// TestConformsToUpstream runs the suites of the store that this one replaces:
// with a transformer, as etcd3 runs them, and, for the object cache, without.
func TestConformsToUpstream(t *testing.T) {
	for _, s := range allSuites() {
		t.Run(s.name+"/transformed", func(t *testing.T) {
			s.runOn(t, st.NewPrefixTransformer([]byte(testPrefix), false))
		})
		if !s.needsTransformer {
			t.Run(s.name+"/cached", func(t *testing.T) { s.runOn(t, nil) })
		}
	}
}

func (s suite) runOn(t *testing.T, transformer value.Transformer) {
	if s.gate != "" {
		featuregatetesting.SetFeatureGateDuringTest(t, utilfeature.DefaultFeatureGate, s.gate, !s.gateOff)
	}
	f := newFixture(t, setup{transformer: transformer, now: time.Now, ephemeral: true})
	if transformer != nil {
		f.setTransformer(transformer) // the suites' own errors, not marked by reportCorrupt
	}
	s.run(t.Context(), t, f)
}

// TestEverySuiteOfUpstreamIsKnown reads upstream's source: a suite that a new
// release adds has to be run, or listed with its reason.
func TestEverySuiteOfUpstreamIsKnown(t *testing.T) {
	known := notApplicable()
	for _, s := range allSuites() {
		known[s.name] = "runs"
	}
	for _, f := range []any{st.RunTestGet, st.RunTestWatch, st.RunBenchmarkStoreList} {
		file, _ := runtime.FuncForPC(reflect.ValueOf(f).Pointer()).FileLine(reflect.ValueOf(f).Pointer())
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("upstream's source is not at hand: %v; run the tests without -trimpath", err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Run\w+)\(`).FindAllSubmatch(src, -1) {
			if known[string(m[1])] == "" {
				t.Errorf("%s is neither run nor listed as not applicable", m[1])
			}
		}
	}
}

func expireInRealTime(ctx context.Context, t *testing.T, f *fixture) {
	every(t, func() {
		if err := f.db.Expire(ctx, time.Now()); err != nil {
			t.Error(err)
		}
	})
}

func (f *fixture) transformerOrIdentity() value.Transformer {
	if p := f.transformer.Load(); p != nil {
		return *p
	}
	return identity.NewEncryptCheckTransformer()
}
