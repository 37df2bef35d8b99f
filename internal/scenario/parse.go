package scenario

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/manifest"
)

// Read reads a file. Its errors name file, line and field, a line each.
func Read(path string) (*Scenario, error) {
	documents, err := manifest.Read(path)
	if err != nil {
		return nil, err
	}
	return newScenario(path, documents)
}

// Parse reads what is in a file.
func Parse(path string, data []byte) (*Scenario, error) {
	documents, err := manifest.Parse(path, data)
	if err != nil {
		return nil, err
	}
	return newScenario(path, documents)
}

func newScenario(path string, documents []manifest.Document) (*Scenario, error) {
	first := documents[0]
	if first.Object.GetAPIVersion() != APIVersion || first.Object.GetKind() != Kind {
		return nil, fmt.Errorf("%s: the first document is a %s of %s: want a %s of %s, and manifests after it",
			first.At("kind"), first.Object.GetKind(), first.Object.GetAPIVersion(), Kind, APIVersion)
	}
	for _, d := range documents[1:] {
		if d.Object.GetKind() == Kind && d.Object.GetAPIVersion() == APIVersion {
			return nil, fmt.Errorf("%s: a second %s: want one in a file", d.At("kind"), Kind)
		}
	}
	var f file
	if err := first.Decode(&f); err != nil {
		return nil, err
	}
	s := &Scenario{Name: f.Metadata.Name, File: path, Spec: f.Spec, Manifests: documents[1:], document: first}
	if s.Name == "" {
		s.Name = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	}
	if wrong := s.compile(); len(wrong) > 0 {
		return nil, s.located(wrong)
	}
	return s, nil
}

// located joins what is wrong, a line each, in the order of the file.
func (s *Scenario) located(wrong field.ErrorList) error {
	var lines []string
	for _, one := range wrong {
		text := one.Detail
		if _, none := one.BadValue.(field.OmitValueType); !none && one.Type == field.ErrorTypeInvalid {
			text = string(compactJSON(one.BadValue)) + ": " + text
		}
		lines = append(lines, fmt.Sprintf("%s: %s: %s", s.document.At(one.Field), one.Field, text))
	}
	return errors.New(strings.Join(lines, "\n"))
}

// problems are all that is wrong with a file, gathered on the way.
type problems struct {
	field.ErrorList
	// left is how much virtual time there is after the start.
	left time.Duration
}

func (p *problems) add(path *field.Path, value any, format string, args ...any) {
	p.ErrorList = append(p.ErrorList, field.Invalid(path, value, fmt.Sprintf(format, args...)))
}

// duration reads a duration that is not negative; zero if text is empty.
func (p *problems) duration(path *field.Path, text string) time.Duration {
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		p.add(path, text, "want a duration, for example 90s, 10m or 24h")
	} else if d > p.left {
		p.add(path, text, "it ends after virtual time does (%v): want at most %s", engine.ErrOutOfTime, p.left)
	}
	return d
}

// ref reads a reference to objects.
func (p *problems) ref(path *field.Path, text, kind, namespace string) ref {
	r, err := parseRef(text, kind, namespace)
	if err != nil {
		p.ErrorList = append(p.ErrorList, field.Invalid(path, field.OmitValueType{}, err.Error()))
		return ref{}
	}
	return r
}

// compile judges the spec and makes of it what is played.
func (s *Scenario) compile() field.ErrorList {
	p := &problems{}
	spec := field.NewPath("spec")
	s.Start = defaultStart()
	if text := s.Spec.StartTime; text != "" {
		var err error
		if s.Start, err = time.Parse(time.RFC3339Nano, text); err != nil {
			p.add(spec.Child("startTime"), text, "want RFC 3339, for example 2026-01-01T00:00:00Z")
		} else if err := engine.CheckTime(s.Start); err != nil {
			p.add(spec.Child("startTime"), text, "%v", err)
		}
		s.Start = engine.Within(s.Start.UTC())
	}
	p.left = engine.TimeMax().Sub(s.Start)
	if n := s.Spec.Nodes; n != nil && (*n < 0 || *n > nodesMax) {
		p.add(spec.Child("nodes"), *n, "want 0 to %d", nodesMax)
	}
	if !slices.Contains([]string{"", "manual", "auto"}, s.Spec.Clock) {
		p.add(spec.Child("clock"), s.Spec.Clock, "want manual or auto: in realtime no run is like another")
	}
	if a := s.Spec.Server.Authorization; !slices.Contains([]string{"", "RBAC", "AlwaysAllow"}, a) {
		p.add(spec.Child("server", "authorization"), a, "want RBAC or AlwaysAllow")
	}
	s.autoMax = p.duration(spec.Child("server", "autoMax"), s.Spec.Server.AutoMax)
	s.compaction = p.duration(spec.Child("server", "compactionInterval"), s.Spec.Server.CompactionInterval)
	s.Length = p.duration(spec.Child("for"), s.Spec.For)
	s.compileSteps(p, spec.Child("steps"))
	s.compileExpectations(p, spec.Child("expect"))
	return p.ErrorList
}

// nodesMax is how many nodes a cluster has at most.
const nodesMax = 1000
