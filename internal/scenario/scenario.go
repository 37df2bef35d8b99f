package scenario

import (
	"time"

	"github.com/kubesim-dev/kubesim/internal/manifest"
)

// APIVersion and Kind are the first document's.
const (
	APIVersion = "sim.kubesim.dev/v1alpha1"
	Kind       = "Scenario"
)

// Scenario is a file that was read and is valid.
type Scenario struct {
	// Name is the name in the file, or the file's own name.
	Name string
	// File is the path from which it was read.
	File string
	Spec Spec
	// Start is the first instant.
	Start time.Time
	// Length bounds virtual time. Zero means that the run ends when nothing more is
	// expected.
	Length time.Duration
	// Manifests are applied at the start, in this order.
	Manifests []manifest.Document

	document   manifest.Document
	compaction time.Duration
	autoMax    time.Duration
	steps      []step
	expect     []expectation
}

// file is the first document.
type file struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   metadata `json:"metadata"`
	Spec       Spec     `json:"spec"`
}

type metadata struct {
	Name   string            `json:"name,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
}

// Spec is the content of the first document.
type Spec struct {
	// Description is text for readers.
	Description string `json:"description,omitempty"`
	// Seed decides every name and random number. The default is 1.
	Seed *uint64 `json:"seed,omitempty"`
	// StartTime is the first instant, in RFC 3339. The default is 2026-01-01T00:00:00Z.
	StartTime string `json:"startTime,omitempty"`
	// Nodes is the number of nodes. The default is 2.
	Nodes *int `json:"nodes,omitempty"`
	// Clock is how time advances while a step is done: manual, the default, or auto.
	Clock string `json:"clock,omitempty"`
	// For is how long the scenario is played. If not set, it is played until no work is
	// under way, no step is left, and every expectation with a time is decided.
	For string `json:"for,omitempty"`
	// EndsWithSteps says that the run ends with its last step, whatever is under way.
	EndsWithSteps bool `json:"endsWithSteps,omitempty"`
	// Server says how the server differs from one without flags.
	Server Server `json:"server,omitzero"`
	// Steps are done in this order.
	Steps []Step `json:"steps,omitempty"`
	// Expect is what must come true.
	Expect []Expectation `json:"expect,omitempty"`
}

// Server has the flags of kubesim serve that change what happens.
type Server struct {
	Authorization           string   `json:"authorization,omitempty"`
	Controllers             []string `json:"controllers,omitempty"`
	DisableAdmissionPlugins []string `json:"disableAdmissionPlugins,omitempty"`
	// AdmissionConfiguration has the configurations of admission plugins, by name.
	AdmissionConfiguration map[string]map[string]any `json:"admissionConfiguration,omitempty"`
	CompactionInterval     string                    `json:"compactionInterval,omitempty"`
	AutoMax                string                    `json:"autoMax,omitempty"`
	ServiceClusterIPRange  string                    `json:"serviceClusterIPRange,omitempty"`
	Memory                 string                    `json:"memory,omitempty"`
	FeatureGates           map[string]bool           `json:"featureGates,omitempty"`
}

// Step is one action at its time. Exactly one action must be set.
type Step struct {
	Name string `json:"name,omitempty"`
	// At is the time of the step since the start, and After is the time since the
	// previous step. Without them, the step follows the previous one at once.
	At    string `json:"at,omitempty"`
	After string `json:"after,omitempty"`
	// Instant is when the step was recorded, in RFC 3339. The run fails if the step
	// comes at another instant.
	Instant string `json:"instant,omitempty"`
	// Early says that mode auto was advancing the clock when the recorded command of
	// the clock arrived. Before the command, it advances the clock only to this
	// instant.
	Early bool `json:"early,omitempty"` // clock
	// Namespace is that of objects which name none; default if it is not set.
	Namespace string `json:"namespace,omitempty"`
	// Fails says that the action must be refused. The API server's message must contain
	// this text.
	Fails string `json:"fails,omitempty"`

	// The actions.
	Apply     map[string]any `json:"apply,omitempty"`
	Create    map[string]any `json:"create,omitempty"`
	Delete    string         `json:"delete,omitempty"`
	Patch     string         `json:"patch,omitempty"`
	Scale     string         `json:"scale,omitempty"`
	Suspend   string         `json:"suspend,omitempty"`
	Resume    string         `json:"resume,omitempty"`
	SetImage  string         `json:"setImage,omitempty"`
	Restart   string         `json:"restart,omitempty"`
	Undo      string         `json:"undo,omitempty"`
	Pause     string         `json:"pause,omitempty"`
	Autoscale string         `json:"autoscale,omitempty"`
	Cordon    string         `json:"cordon,omitempty"`
	Uncordon  string         `json:"uncordon,omitempty"`
	Drain     string         `json:"drain,omitempty"`
	Evict     string         `json:"evict,omitempty"`
	Exec      string         `json:"exec,omitempty"`
	Advance   string         `json:"advance,omitempty"`
	Clock     string         `json:"clock,omitempty"`
	Request   *Request       `json:"request,omitempty"`
	Note      string         `json:"note,omitempty"`

	// Additional fields of actions.
	With               any               `json:"with,omitempty"`        // patch
	Type               string            `json:"type,omitempty"`        // patch
	Subresource        string            `json:"subresource,omitempty"` // patch
	Replicas           *int64            `json:"replicas,omitempty"`    // scale
	Images             map[string]string `json:"images,omitempty"`      // setImage, by container
	MinReplicas        *int64            `json:"minReplicas,omitempty"` // autoscale
	MaxReplicas        *int64            `json:"maxReplicas,omitempty"` // autoscale
	CPU                int64             `json:"cpu,omitempty"`         // autoscale; percent of the requests
	ToRevision         int64             `json:"toRevision,omitempty"`  // undo
	GracePeriodSeconds *int64            `json:"gracePeriodSeconds,omitempty"`
	PropagationPolicy  string            `json:"propagationPolicy,omitempty"` // delete
	Container          string            `json:"container,omitempty"`         // exec
	Command            []string          `json:"command,omitempty"`           // exec
	Stdin              string            `json:"stdin,omitempty"`             // exec
	ExitCode           int32             `json:"exitCode,omitempty"`          // exec
	Output             string            `json:"output,omitempty"`            // exec
}

// Request is one request to the API, as a client sent it.
type Request struct {
	Method string `json:"method"`
	// Path may have a query.
	Path        string `json:"path"`
	ContentType string `json:"contentType,omitempty"`
	// Body is text. Base64 is for anything else.
	Body   string `json:"body,omitempty"`
	Base64 []byte `json:"base64,omitempty"`
	// User and Groups are the requesting user's. If they are not set, it is the
	// administrator.
	User      string   `json:"user,omitempty"`
	Groups    []string `json:"groups,omitempty"`
	UserAgent string   `json:"userAgent,omitempty"`
	// Phase is the part of a request that is carried out, if a Fault has delayed it:
	// "judged" is the Fault's part, "delayed" is the rest.
	Phase string `json:"phase,omitempty"`
}

// Expectation is what must come true. Exactly one of object, objects, rollout, event and
// log must be set. It says what to look at.
type Expectation struct {
	Name string `json:"name,omitempty"`
	// Namespace is that of objects which name none; default if it is not set.
	Namespace string `json:"namespace,omitempty"`

	// Object is one object, such as job/pi. Objects are several objects of a kind, such
	// as "pods -l job-name=pi".
	Object  string `json:"object,omitempty"`
	Objects string `json:"objects,omitempty"`
	// CEL is an expression about object or objects.
	CEL string `json:"cel,omitempty"`
	// JSONPath finds something in them. Value is what it must be.
	JSONPath string `json:"jsonPath,omitempty"`
	Value    any    `json:"value,omitempty"`
	// Match is a part that the object, or each of the objects, must have.
	Match map[string]any `json:"match,omitempty"`
	// Exists says whether such an object must exist.
	Exists *bool `json:"exists,omitempty"`

	// Rollout is a Deployment, StatefulSet or DaemonSet whose rollout must have ended well.
	Rollout string `json:"rollout,omitempty"`

	// Event is the reason of an Event; Regarding is the object that it is about, and
	// Type is Normal or Warning.
	Event     string `json:"event,omitempty"`
	Regarding string `json:"regarding,omitempty"`
	Type      string `json:"type,omitempty"`
	// Log are the Pods whose logs are read, such as pod/web or "pods -l app=web".
	Log       string `json:"log,omitempty"`
	Container string `json:"container,omitempty"`
	// Contains and Matches, a regular expression, must be part of a log's line or of an
	// Event's message.
	Contains string `json:"contains,omitempty"`
	Matches  string `json:"matches,omitempty"`
	// Count is the minimum number of such Events, lines or objects. Exactly is the
	// exact number.
	Count   *int64 `json:"count,omitempty"`
	Exactly *int64 `json:"exactly,omitempty"`

	// After is the name of the step from which time is counted. Nothing before that
	// step counts. If not set, it is the start.
	After string `json:"after,omitempty"`
	// Within is how soon it must come true. At is when it must be true. Never says that
	// it must not come true at all or, with Within, not within that time. Without them,
	// it must be true at the end.
	Within string `json:"within,omitempty"`
	At     string `json:"at,omitempty"`
	Never  bool   `json:"never,omitempty"`
}

// Defaults of Spec.
const (
	defaultSeed  = 1
	defaultNodes = 2
	// lengthMax ends a scenario whose work never ends. Unit: virtual time.
	lengthMax = 24 * time.Hour
)

// defaultStart is the first instant of a scenario that sets none.
func defaultStart() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// Seed returns the seed in the file, or the default.
func (s *Scenario) Seed() uint64 {
	if s.Spec.Seed == nil {
		return defaultSeed
	}
	return *s.Spec.Seed
}

// Nodes returns the number of nodes.
func (s *Scenario) Nodes() int {
	if s.Spec.Nodes == nil {
		return defaultNodes
	}
	return *s.Spec.Nodes
}

// Clock returns how time advances while a step is done.
func (s *Scenario) Clock() string {
	if s.Spec.Clock == "" {
		return "manual"
	}
	return s.Spec.Clock
}

// CompactionInterval returns the interval in the file; zero means the default.
func (s *Scenario) CompactionInterval() time.Duration { return s.compaction }

// AutoMax returns how far mode auto advances the clock after one input; zero means no
// limit.
func (s *Scenario) AutoMax() time.Duration { return s.autoMax }

// At returns the file and line of a field.
func (s *Scenario) At(field string) string { return s.document.At(field) }
