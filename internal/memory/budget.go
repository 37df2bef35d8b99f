// Package memory says how much of its host's memory a process may hold: the Pods of a
// cluster, and the garbage collector.
package memory

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
)

// memoryShare is the part of the machine's memory that the Pods of a cluster may hold
// where nobody says how much: a quarter leaves room for what waits for the garbage
// collector, for API objects, and for others.
const memoryShare = 4

// memoryMin is the least that --memory may be: an idle Pod holds some kilobytes. Unit:
// bytes.
const memoryMin = 16 << 20

// memoryUnknown stands for the machine's memory where it cannot be read. Unit: bytes.
const memoryUnknown = 4 << 30

// Parse reads what --memory says, for example 512Mi. Unit: bytes.
func Parse(text string) (int64, error) {
	q, err := resource.ParseQuantity(text)
	if err != nil || q.Value() < memoryMin {
		return 0, fmt.Errorf("%q: want a size of at least 16Mi, for example 512Mi or 2Gi", text)
	}
	return q.Value(), nil
}

// NewBudget returns the memory that the Pods of a cluster share: so many bytes, or for 0
// a part of the machine's.
func NewBudget(bytes int64) *stats.Budget {
	if bytes > 0 {
		return stats.NewBudget(bytes)
	}
	return stats.NewBudget(max(machineMemory()/memoryShare, memoryMin))
}

// clientsPart is the part of the Pods' memory, beside it, that may be kept for clients
// which read slowly.
const clientsPart = 8

// NewLogs returns the store of what containers print, of Pods that share so many bytes,
// see NewBudget.
func NewLogs(bytes int64) *stream.Store {
	return &stream.Store{Buffers: stream.NewBuffers(NewBudget(bytes).Limit() / clientsPart)}
}

// machineMemory is what this process may use: the machine's memory, or what its control
// group leaves it. It is the only place that looks. Unit: bytes.
func machineMemory() int64 {
	most := int64(memoryUnknown)
	if data, err := os.ReadFile("/proc/meminfo"); err == nil {
		if total := meminfoTotal(string(data)); total > 0 {
			most = total
		}
	}
	for _, file := range [...]string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64); err == nil && n > 0 {
			most = min(most, n)
		}
	}
	return most
}

// meminfoTotal reads MemTotal of /proc/meminfo; 0 if it is not there. Unit: bytes.
func meminfoTotal(text string) int64 {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == "MemTotal:" {
			if kb, err := strconv.ParseInt(fields[1], 10, 64); err == nil && kb < math.MaxInt64>>10 {
				return kb << 10
			}
		}
	}
	return 0
}

// collectorRoom is what the process may hold beside half as much again as the Pods'
// memory before garbage is collected harder: API objects, and what requests need. Unit:
// bytes.
const collectorRoom = 512 << 20

// SoftLimit is from where on the process collects garbage harder: gcPercent would else
// let it hold five times of what is in use. Its Pods share so many bytes, see NewBudget.
// Unit: bytes.
func SoftLimit(bytes int64) int64 {
	pods := NewBudget(bytes).Limit()
	return collectorRoom + pods + min(pods/2, math.MaxInt64/4)
}
