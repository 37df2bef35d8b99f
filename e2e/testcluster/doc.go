// Package testcluster gives a Go test a whole simulated cluster: API server,
// controllers, scheduler and kubelets, in the test's own process and in virtual time.
// No port, no binary and no container is needed, and tests may run in parallel: each
// has a cluster of its own.
//
//	func TestJobIsRetried(t *testing.T) {
//		c := testcluster.Start(t, testcluster.Config{})
//		c.Apply(manifest)
//		c.Eventually(15*time.Minute, func() error { … })
//		c.Golden(t, "retried")
//	}
//
// # What is the same in every run
//
// Two runs with the same Config (and so the same seed) in which the test does the same
// things one after another see the same cluster, byte for byte: names, UIDs, timestamps,
// resource versions, the order of Events, what containers print. That holds on every
// machine, loaded or not, and with other clusters in the same process. A test that
// follows three rules needs no sleeps, no polling and no retries:
//
//   - The clock moves when the test says so: by Advance, Until, Next, Eventually or
//     Consistently in mode Manual, which is the default; in mode Auto also after each
//     write, as far as there is work under way.
//   - A write through Client or RESTConfig is answered when all that it leads to at the
//     present instant has happened. What is read next is the outcome.
//   - Clients that run beside the test, such as an operator, are faster or slower from
//     run to run. While they work virtual time stands still, so that timestamps stay the
//     same; the order of their writes, and with it names, UIDs and resource versions,
//     does not. Wait for what they do with Await before time goes on, and assert the
//     state at the end, not the order. Or let the test run in a bubble of
//     testing/synctest, whose Wait returns when the clients have nothing left to do.
//
// Not the same: the certificates and keys of the connection, and what the test takes
// from the wall clock itself.
//
// # When a test fails
//
// It logs the seed, the end of the timeline (what happened to Pods and Jobs, in virtual
// time), and the command that runs it again:
//
//	go test -run '^TestJobIsRetried$' -testcluster.seed=7
//
// # Flags
//
// The package adds two flags to a test binary. -testcluster.seed=N takes the place of
// every Config.Seed. -testcluster.update rewrites the files of Golden; a boolean flag
// -update of the importing package does that as well.
//
// Feature gates are upstream's and belong to the process, not to a cluster: set them
// once, in TestMain, before the first Start.
package testcluster
