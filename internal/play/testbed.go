package play

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/bits"
	"net/http"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/cluster"
	"github.com/kubesim-dev/kubesim/internal/memory"
	"github.com/kubesim-dev/kubesim/internal/pki"
	"github.com/kubesim-dev/kubesim/internal/scenario"
	"github.com/kubesim-dev/kubesim/internal/timeline"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
)

// testbed is a cluster that a scenario is played on. Nobody else reaches it.
type testbed struct {
	c *cluster.Cluster
	// moves counts how often time was moved; restarts: see Config.
	moves    int
	restarts bool
	world    *scenario.World
}

var _ scenario.Cluster = (*testbed)(nil)

// seen is a scenario's world, as a timeline tells it of the cluster.
type seen struct{ *scenario.World }

// Put implements timeline.World.
func (s seen) Put(resource string, obj engine.Object, deleted bool) {
	s.World.Put(resource, obj, deleted)
}

// newTestbed starts a cluster as s wants it, whose world and timeline are w and t. The
// caller must close it.
func newTestbed(ctx context.Context, s *scenario.Scenario, w *scenario.World, t *scenario.Timeline, log io.Writer) (*testbed, error) {
	lines := timeline.New(timeline.Config{All: true, Brief: true, Start: s.Start, Sink: t.Add, World: seen{w}})
	mode, err := engine.ParseMode(s.Clock())
	if err != nil {
		return nil, err
	}
	server := s.Spec.Server
	if server.Authorization == "" {
		server.Authorization = apiserver.AuthorizationRBAC
	}
	if len(server.Controllers) == 0 {
		server.Controllers = []string{"*"}
	}
	if err := cluster.CheckControllers(server.Controllers); err != nil {
		return nil, fmt.Errorf("%s: spec.server.controllers: %w", s.At("spec.server.controllers"), err)
	}
	if _, err := apiserver.ParseServiceRange(server.ServiceClusterIPRange); err != nil {
		return nil, fmt.Errorf("%s: spec.server.serviceClusterIPRange: %w", s.At("spec.server.serviceClusterIPRange"), err)
	}
	podMemory := int64(0)
	if server.Memory != "" {
		if podMemory, err = memory.Parse(server.Memory); err != nil {
			return nil, fmt.Errorf("%s: spec.server.memory: %w", s.At("spec.server.memory"), err)
		}
	}
	c, err := cluster.Start(ctx, cluster.Options{
		Ephemeral: true, Mode: mode, Speed: 1, AutoMax: s.AutoMax(), Seed: s.Seed(), Start: s.Start, Nodes: s.Nodes(), Controllers: server.Controllers,
		Authorization: server.Authorization, DisableAdmissionPlugins: server.DisableAdmissionPlugins,
		AdmissionConfiguration: server.AdmissionConfiguration,
		ServiceClusterIPRange:  server.ServiceClusterIPRange,
		CompactionInterval:     s.CompactionInterval(), Memory: podMemory, Log: log, Follower: lines, NoOpenAPI: true,
	})
	if err != nil {
		return nil, err
	}
	st := &testbed{c: c, world: w}
	st.know()
	if err := c.AwaitRest(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return st, nil
}

func (s *testbed) close() { s.c.Close() }

// know tells the world which kinds of objects there are, now and later.
func (s *testbed) know() {
	known := map[string]scenario.Resource{}
	s.c.FollowResources(func(change apiserver.ServedChange) {
		if change.Gone {
			delete(known, change.String())
		} else {
			known[change.String()] = scenario.Resource{
				Group: change.Group, Version: change.Kind.Version, Kind: change.Kind.Kind, Plural: change.Resource, Names: change.ShortNames, Namespaced: change.Namespaced,
			}
		}
		all := make([]scenario.Resource, 0, len(known))
		for _, name := range slices.Sorted(maps.Keys(known)) {
			all = append(all, known[name])
		}
		s.world.Know(all)
	})
}

// Now implements scenario.Cluster.
func (s *testbed) Now() time.Time { return s.c.Now() }

// Next implements scenario.Cluster.
func (s *testbed) Next() time.Time { return s.c.Status().Next }

// Working implements scenario.Cluster.
func (s *testbed) Working() bool { return s.c.Status().Working }

// Until implements scenario.Cluster.
func (s *testbed) Until(ctx context.Context, t time.Time) error {
	s.moves++
	if s.restarts && bits.OnesCount(uint(s.moves)) == 1 {
		if err := s.c.Restart(); err != nil {
			return err
		}
		s.know()
	}
	return s.c.Until(ctx, t)
}

// Hold implements scenario.Cluster.
func (s *testbed) Hold(until time.Time) { s.c.Hold(until) }

// Clock implements scenario.Cluster.
func (s *testbed) Clock(ctx context.Context, c scenario.ClockCommand) error {
	switch c.Action {
	case "advance":
		return s.c.Advance(ctx, c.Duration)
	case "until":
		return s.c.Until(ctx, c.Time)
	case "next":
		return s.c.Next(ctx)
	case "pause":
		return s.c.Pause(ctx)
	case "resume":
		return s.c.Resume(ctx)
	case "mode":
		return s.c.SetMode(ctx, engine.Mode(c.Mode), 0)
	}
	return fmt.Errorf("clock %s: this is no command of the clock", c.Action)
}

// Do implements scenario.Cluster: through the API server's own handlers, without a
// port, as the user of the request.
func (s *testbed) Do(ctx context.Context, r scenario.Request) (int, []byte, error) {
	if r.User == "" {
		r.User, r.Groups = pki.Administrator, []string{pki.Administrators}
	}
	client := s.c.Client().CoreV1().RESTClient()
	req := client.Verb(r.Method).RequestURI(r.Path).MaxRetries(0).
		SetHeader("Accept", runtime.ContentTypeJSON).SetHeader("Impersonate-User", r.User)
	if len(r.Groups) > 0 {
		req.SetHeader("Impersonate-Group", r.Groups...)
	}
	if r.ContentType != "" {
		req.SetHeader("Content-Type", r.ContentType)
	}
	if r.UserAgent != "" {
		req.SetHeader("User-Agent", r.UserAgent)
	}
	if len(r.Base64) > 0 {
		req.Body(r.Base64)
	} else if r.Body != "" {
		req.Body([]byte(r.Body))
	}
	status, body, err := answerOf(req.Do(apiserver.WithPhase(ctx, apiserver.Phase(r.Phase))))
	if err == nil {
		err = s.c.AwaitRest(ctx) // the answer may have come early
	}
	return status, body, err
}

// answerOf tells an answer, whatever it is, from none.
func answerOf(result rest.Result) (status int, body []byte, err error) {
	result.StatusCode(&status)
	body, err = result.Raw()
	if status != 0 && err != nil && (status < http.StatusOK || status >= http.StatusBadRequest) {
		err = nil // the body says it
	}
	if status == 0 && err == nil {
		err = errors.New("the API server has not answered")
	}
	return status, body, err
}

// Exec implements scenario.Cluster.
func (s *testbed) Exec(ctx context.Context, e scenario.ExecRequest) (scenario.Execution, error) {
	command, err := s.c.Exec(ctx, stream.Target{Namespace: e.Namespace, Pod: e.Pod, Container: e.Container}, e.Command, e.Stdin)
	if command == nil {
		return nil, err
	}
	return command, err
}
