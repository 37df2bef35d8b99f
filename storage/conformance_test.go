package storage

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
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

	"github.com/kubesim-dev/kubesim/internal/overlay"
)

// testPrefix is what the suites' transformer puts before each stored value.
const testPrefix = "test!"

// subject is what a suite tests: a Store, or upstream's watch cache in front of
// it. The hooks that suites ask for are the fixture's, that is, the Store's.
type subject struct {
	storage.Interface
	*fixture
	// lists are those that reached the store under a watch cache; nil without.
	lists *st.KubernetesRecorder
}

func (s *subject) cached() bool { return s.lists != nil }

// suite is one of upstream's.
type suite struct {
	name string
	run  func(ctx context.Context, t *testing.T, s *subject)
	// needsTransformer: it makes stored values unreadable by changing the
	// transformer, so it cannot run on a resource without one.
	needsTransformer bool
	// clusterScoped: its keys have no namespace.
	clusterScoped bool
	// gate, if set, is a feature that the suite runs with in these states.
	gate   featuregate.Feature
	states []bool
	// notBare and notCached, if set, are the reasons why it says nothing of a
	// bare Store, or of one behind the watch cache.
	notBare, notCached string
}

// States of a suite's gate.
var (
	on   = []bool{true}
	off  = []bool{false}
	both = []bool{true, false}
)

// Why upstream does not run some suites behind the watch cache either.
const (
	ignoresLimit = "pages a list of resourceVersion 0; from the watch cache such a list comes whole"
	ownBookmarks = "asks for the store's progress notifications; the watch cache sends bookmarks on its own schedule"
	readBefore   = "makes stored values unreadable; the watch cache has read them before, and answers from memory"
)

// simple is a suite that takes a storage.Interface only.
func simple(name string, run func(context.Context, *testing.T, storage.Interface)) suite {
	return suite{name: name, run: func(ctx context.Context, t *testing.T, s *subject) { run(ctx, t, s) }}
}

// visible is a simple suite that expects a watch to begin with what it created
// before. A watch cache follows the store; Create has to wait for it.
func visible(name string, run func(context.Context, *testing.T, storage.Interface)) suite {
	return suite{name: name, run: func(ctx context.Context, t *testing.T, s *subject) { run(ctx, t, waitingCreate{s}) }}
}

// notApplicable lists what upstream exports beside the suites.
func notApplicable() map[string]string {
	return map[string]string{
		"RunBenchmarkWriteThroughput": "a benchmark, see bench_test.go",
		"RunBenchmarkStoreList":       "a benchmark, see bench_test.go",
		"RunBenchmarkStoreStats":      "a benchmark, see bench_test.go",
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
		{name: "RunTestCreate", run: func(ctx context.Context, t *testing.T, s *subject) {
			st.RunTestCreate(ctx, t, s, s.validateKey)
		}},
		{name: "RunTestCreateWithTTL", run: func(ctx context.Context, t *testing.T, s *subject) {
			expireInRealTime(ctx, t, s.db)
			st.RunTestCreateWithTTL(ctx, t, s)
		}},
		{name: "RunTestGuaranteedUpdateWithTTL", run: func(ctx context.Context, t *testing.T, s *subject) {
			expireInRealTime(ctx, t, s.db)
			st.RunTestGuaranteedUpdateWithTTL(ctx, t, s)
		}},
		{name: "RunTestGuaranteedUpdate", needsTransformer: true, run: func(ctx context.Context, t *testing.T, s *subject) {
			st.RunTestGuaranteedUpdate(ctx, t, s, s.validateKey)
		}},
		{name: "RunTestGuaranteedUpdateChecksStoredData", needsTransformer: true, run: func(ctx context.Context, t *testing.T, s *subject) {
			st.RunTestGuaranteedUpdateChecksStoredData(ctx, t, s)
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
		// Without snapshots the suite counts how often etcd was read for one list.
		{name: "RunTestList", gate: features.ListFromCacheSnapshot, states: on, run: func(ctx context.Context, t *testing.T, s *subject) {
			st.RunTestList(ctx, t, s, s.compact, s.cached(), s.lists)
		}},
		{name: "RunTestConsistentList", gate: features.ListFromCacheSnapshot, states: both, run: func(ctx context.Context, t *testing.T, s *subject) {
			st.RunTestConsistentList(ctx, t, s, s.bump, s.cached(), true, s.cached() && enabled(features.ListFromCacheSnapshot))
		}},
		{name: "RunTestGetListNonRecursive", gate: features.ListFromCacheSnapshot, states: both, run: func(ctx context.Context, t *testing.T, s *subject) {
			st.RunTestGetListNonRecursive(ctx, t, s.bump, s)
		}},
		{name: "RunTestListContinuation", run: func(ctx context.Context, t *testing.T, s *subject) {
			st.RunTestListContinuation(ctx, t, s, s.validateCalls)
		}},
		{name: "RunTestListPaginationRareObject", run: func(ctx context.Context, t *testing.T, s *subject) {
			st.RunTestListPaginationRareObject(ctx, t, s, s.validateCalls)
		}},
		{name: "RunTestListContinuationWithFilter", run: func(ctx context.Context, t *testing.T, s *subject) {
			st.RunTestListContinuationWithFilter(ctx, t, s, s.validateCalls)
		}},
		{name: "RunTestListInconsistentContinuation", notCached: ignoresLimit, run: func(ctx context.Context, t *testing.T, s *subject) {
			st.RunTestListInconsistentContinuation(ctx, t, s, s.compact)
		}},
		{name: "RunTestCompactRevision", gate: features.ListFromCacheSnapshot, states: on, run: func(ctx context.Context, t *testing.T, s *subject) {
			st.RunTestCompactRevision(ctx, t, s, s.bump, s.compact)
		}},
		{name: "RunTestStats", gate: features.SizeBasedListCostEstimate, states: both, run: func(ctx context.Context, t *testing.T, s *subject) {
			sized := enabled(features.SizeBasedListCostEstimate)
			if sized && !s.cached() { // the watch cache asks for it itself
				if err := s.EnableResourceSizeEstimation(func(context.Context) ([]string, error) { return nil, nil }); err != nil {
					t.Fatal(err)
				}
			}
			st.RunTestStats(ctx, t, s, s.codec, s.transformerOrIdentity(), sized)
		}},
		{name: "RunTestTransformationFailure", notCached: readBefore, needsTransformer: true, run: func(ctx context.Context, t *testing.T, s *subject) {
			st.RunTestTransformationFailure(ctx, t, s)
		}},
		{name: "RunTestListResourceVersionMatch", needsTransformer: true, run: func(ctx context.Context, t *testing.T, s *subject) {
			st.RunTestListResourceVersionMatch(ctx, t, s)
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
		simple("RunTestNamespaceScopedWatch", st.RunTestNamespaceScopedWatch),
		simple("RunSendInitialEventsBackwardCompatibility", st.RunSendInitialEventsBackwardCompatibility),
		visible("RunWatchSemantics", st.RunWatchSemantics),
		visible("RunWatchSemanticInitialEventsExtended", st.RunWatchSemanticInitialEventsExtended),
		visible("RunWatchListMatchSingle", st.RunWatchListMatchSingle),
		{name: "RunTestClusterScopedWatch", clusterScoped: true, run: func(ctx context.Context, t *testing.T, s *subject) {
			st.RunTestClusterScopedWatch(ctx, t, s)
		}},
		{name: "RunTestWatchFromZero", run: func(ctx context.Context, t *testing.T, s *subject) {
			st.RunTestWatchFromZero(ctx, t, s, s.forget)
		}},
		{name: "RunOptionalTestProgressNotify", notCached: ownBookmarks, run: func(ctx context.Context, t *testing.T, s *subject) {
			every(t, s.db.NotifyProgress)
			st.RunOptionalTestProgressNotify(ctx, t, s, s.bump)
		}},
		{name: "RunTestWatchDispatchBookmarkEvents", run: func(ctx context.Context, t *testing.T, s *subject) {
			st.RunTestWatchDispatchBookmarkEvents(ctx, t, s, s.cached())
		}},
		{
			name:    "RunTestOptionalWatchBookmarksWithCorrectResourceVersion",
			notBare: "waits for the bookmarks that the watch cache sends of its own accord; upstream does not run it on etcd3 either",
			run: func(ctx context.Context, t *testing.T, s *subject) {
				st.RunTestOptionalWatchBookmarksWithCorrectResourceVersion(ctx, t, s)
			},
		},
		{name: "RunTestWatchError", notCached: readBefore, needsTransformer: true, run: func(ctx context.Context, t *testing.T, s *subject) {
			st.RunTestWatchError(ctx, t, s)
		}},
		{name: "RunWatchErrorIsBlockingFurtherEvents", notCached: readBefore, needsTransformer: true, run: func(ctx context.Context, t *testing.T, s *subject) {
			st.RunWatchErrorIsBlockingFurtherEvents(ctx, t, s)
		}},
	}
}

// corruptSuites are about objects that cannot be read, and their unsafe deletion.
func corruptSuites() []suite {
	const gate = features.AllowUnsafeMalformedObjectDeletion
	corrupt := &corruptError{"data from the storage is not transformable", errors.New("bits flipped")}
	return []suite{
		{name: "RunTestGetListWithErrorAggregation", notCached: readBefore, needsTransformer: true, gate: gate, states: on, run: func(ctx context.Context, t *testing.T, s *subject) {
			st.RunTestGetListWithErrorAggregation(ctx, t, s, corrupt)
		}},
		{name: "RunTestGetListWithoutErrorAggregation", notCached: readBefore, needsTransformer: true, gate: gate, states: off, run: func(ctx context.Context, t *testing.T, s *subject) {
			st.RunTestGetListWithoutErrorAggregation(ctx, t, s, corrupt)
		}},
		{name: "RunTestWatchWithUnsafeDelete", notCached: readBefore, needsTransformer: true, gate: gate, states: on, run: func(ctx context.Context, t *testing.T, s *subject) {
			st.RunTestWatchWithUnsafeDelete(ctx, t, s, corrupt)
		}},
		{name: "RunTestDeleteWithConflictAndMissingExpectedTransformOrDecodeError", needsTransformer: true, gate: gate, states: on, run: func(ctx context.Context, t *testing.T, s *subject) {
			st.RunTestDeleteWithConflictAndMissingExpectedTransformOrDecodeError(ctx, t, s, s.failing.fails.Store)
		}},
		{name: "RunTestDeleteExpectedTransformOrDecodeError", needsTransformer: true, gate: gate, states: on, run: func(ctx context.Context, t *testing.T, s *subject) {
			st.RunTestDeleteExpectedTransformOrDecodeError(ctx, t, s, s.failing.fails.Store)
			tr := &failingTransformer{Transformer: *s.transformer.Load()}
			s.setTransformer(tr)
			s.failing.fails.Store(false)
			st.RunTestDeleteExpectedTransformOrDecodeError(ctx, t, s, tr.fails.Store)
		}},
		{name: "RunTestDeleteWithSuggestionAndMissingExpectedTransformOrDecodeError", gate: gate, states: on, run: func(ctx context.Context, t *testing.T, s *subject) {
			st.RunTestDeleteWithSuggestionAndMissingExpectedTransformOrDecodeError(ctx, t, s)
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
// The former are durable, the latter ephemeral: the two answer at different times.
func TestConformsToUpstream(t *testing.T) {
	for _, s := range allSuites() {
		if s.notBare != "" {
			continue
		}
		s.inEachState(t, "transformed", func(t *testing.T) {
			s.run(t.Context(), t, bare(s.fixture(t, true)))
		})
		if !s.needsTransformer {
			s.inEachState(t, "plain", func(t *testing.T) {
				s.run(t.Context(), t, bare(s.fixture(t, false)))
			})
		}
	}
}

// TestConformsBehindWatchCache runs them again through upstream's watch cache,
// as the servers that use one see the store.
func TestConformsBehindWatchCache(t *testing.T) {
	serveConsistentReads(t)
	for _, s := range allSuites() {
		if s.notCached != "" {
			continue
		}
		s.inEachState(t, "", func(t *testing.T) {
			s.run(t.Context(), t, behindWatchCache(t, s.fixture(t, s.needsTransformer), s.clusterScoped))
		})
	}
}

// inEachState runs test once for each state of the suite's gate. Gates are
// global, so suites cannot run in parallel.
func (s suite) inEachState(t *testing.T, variant string, test func(*testing.T)) {
	if s.gate == "" {
		t.Run(path.Join(s.name, variant), test)
		return
	}
	for _, state := range s.states {
		t.Run(path.Join(s.name, variant, fmt.Sprintf("%s=%t", s.gate, state)), func(t *testing.T) {
			featuregatetesting.SetFeatureGateDuringTest(t, utilfeature.DefaultFeatureGate, s.gate, state)
			test(t)
		})
	}
}

func (s suite) fixture(t *testing.T, transformed bool) *fixture {
	if !transformed {
		return newFixture(t, setup{now: time.Now, ephemeral: true})
	}
	transformer := newPrefixTransformer()
	f := newFixture(t, setup{transformer: transformer, now: time.Now})
	f.setTransformer(transformer) // the suites' own errors, not marked by reportCorrupt
	return f
}

func bare(f *fixture) *subject { return &subject{Interface: f.Store, fixture: f} }

func enabled(f featuregate.Feature) bool { return utilfeature.DefaultFeatureGate.Enabled(f) }

// TestEverySuiteOfUpstreamIsKnown reads upstream's source: a suite that a new
// release adds has to be run, or listed with its reason.
func TestEverySuiteOfUpstreamIsKnown(t *testing.T) {
	known := notApplicable()
	for _, s := range allSuites() {
		known[s.name] = "runs"
	}
	suites := filepath.Join(overlay.ModuleDir(t, "k8s.io/apiserver"), "pkg/storage/testing")
	for _, file := range overlay.Sources(t, suites, false) {
		src := overlay.Read(t, file)
		for _, m := range regexp.MustCompile(`(?m)^func (Run\w+)\(`).FindAllStringSubmatch(src, -1) {
			if known[m[1]] == "" {
				t.Errorf("%s is neither run nor listed as not applicable", m[1])
			}
		}
	}
}

func expireInRealTime(ctx context.Context, t *testing.T, db *DB) {
	ctx = context.WithoutCancel(ctx) // it ends before what every stops does
	every(t, func() {
		if err := db.Expire(ctx, time.Now()); err != nil {
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
