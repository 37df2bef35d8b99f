// Package settings remembers what a cluster in a data directory is like, so that a server
// that is started again without flags goes on with it as it was.
package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/kubesim-dev/kubesim/internal/datadir"
)

// File is the name of the file in the data directory.
const File = "settings.json"

// Settings belong to a cluster, not to the server that runs it.
type Settings struct {
	// Name is the cluster's, empty for one without.
	Name string `json:"name,omitempty"`
	// Seed and StartTime are from when the cluster began, and never change. No start time
	// means that it began with the machine's.
	Seed      uint64     `json:"seed"`
	StartTime *time.Time `json:"startTime,omitempty"`
	// Clock, Speed and Paused are how its clock moves.
	Clock  string  `json:"clock"`
	Speed  float64 `json:"speed"`
	Paused bool    `json:"paused,omitempty"`
	// Nodes is how many simulated nodes it has.
	Nodes int `json:"nodes"`
}

// Load returns the settings of a data directory; nil if it has none.
func Load(dir *datadir.Dir) (*Settings, error) {
	path := dir.File(File)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) { // who opens the folder says so
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("settings %s: %w", path, datadir.Cause(err))
	}
	s := &Settings{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields() // a setting of a newer kubesim must not be lost
	if err := decoder.Decode(s); err != nil {
		return nil, fmt.Errorf("settings %s: %w: correct the file, or remove it and say with flags what the cluster is like", path, err)
	}
	return s, nil
}

// Save writes the settings of a data directory.
func (s *Settings) Save(dir *datadir.Dir) error {
	path := dir.File(File)
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return nil
	}
	if err := datadir.WriteFile(path, text); err != nil {
		return fmt.Errorf("settings %s: %w", path, datadir.Cause(err))
	}
	return nil
}
