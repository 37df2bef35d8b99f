// Package testcluster gives a Go test a whole simulated cluster: API server,
// controllers, scheduler and kubelets, in the test's own process and in virtual time.
// It needs no port, no binary and no container. Tests may run in parallel: each has a
// cluster of its own.
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
// Two runs with the same Config (and so the same seed) see the same cluster, byte for
// byte, if the test does the same things one after another. Names, UIDs, timestamps,
// resource versions, the order of Events and the output of containers are the same.
// That holds on every machine, loaded or not, and with other clusters in the same
// process. A test that follows three rules needs no sleeps, no polling and no retries:
//
//   - The clock advances when the test says so: by Advance, Until, Next, Eventually or
//     Consistently in mode Manual, which is the default. In mode Auto it also advances
//     after each write, as long as there is work under way.
//   - A write through Client or RESTConfig is answered when everything that it leads to
//     at the present instant has happened. What is read next is the outcome.
//   - Clients that run beside the test, such as an operator, are faster or slower from
//     run to run. While they work, virtual time stands still, so timestamps are the same.
//     But the order of their writes is not, and neither are names, UIDs and resource
//     versions. Wait with Await for what they do before the clock advances, and assert
//     the state at the end, not the order. Or run the test in a testing/synctest bubble,
//     whose Wait returns when the clients have nothing left to do.
//
// These are not the same: the certificates and keys of the connection, the address of
// Webhooks and its certificate, and whatever the test itself takes from the wall clock.
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
// The package adds two flags to a test binary. -testcluster.seed=N overrides every
// Config.Seed. -testcluster.update rewrites the files of Golden. A boolean flag -update
// of the importing package does that as well.
//
// Feature gates are upstream's and belong to the process, not to a cluster. Set them
// once, in TestMain, before the first Start.
package testcluster
