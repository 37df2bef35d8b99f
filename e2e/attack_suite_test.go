package e2e

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

var (
	attackScale = flag.Int("attack.scale", 1, "how much TestAttacks tries: from 1, a sample, to 10, all")
	attackSeed  = flag.Int64("attack.seed", 1, "decides what a sample has in it, and what is drawn")
)

const attackScaleMax = 10

// TestAttacks attacks the host, the server and the rights of others, each in many
// ways, and says in the end how many were tried and how many were held. It does
// not stop at the first that was not. TestAttackersHoldUpNobody and
// TestKilledServersKeepTheirPromises are attacks too: `make attack` runs all three.
func TestAttacks(t *testing.T) {
	t.Parallel()
	all := &tally{}
	t.Cleanup(func() { t.Logf("seed %d, scale %d:\n%s", *attackSeed, *attackScale, all) })
	for i, one := range []struct {
		name string
		run  func(*testing.T, *assault)
	}{
		{"sandbox", attackSandbox},
		{"specs", attackSpecs},
		{"tunnels", attackTunnels},
		{"rights", attackRights},
		{"bodies", attackBodies},
		{"connections", attackConnections},
		{"pools", attackPools},
		{"times", attackTimes},
		{"greed", attackGreed},
		{"kills", attackKills},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel() // each on servers of its own
			one.run(t, &assault{all, rand.New(rand.NewSource(*attackSeed + int64(i)))})
		})
	}
}

// assault is one part of the attacks. What it draws depends on no other part.
type assault struct {
	*tally
	random *rand.Rand
}

// tally counts the attacks of each kind.
type tally struct {
	mu    sync.Mutex
	kinds []string
	tried map[string]int
	lost  map[string]int
}

// judge counts one attack. A wrong that is not empty says what it has done.
func (a *tally) judge(t *testing.T, kind, what, wrong string) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tried == nil {
		a.tried, a.lost = map[string]int{}, map[string]int{}
	}
	if !slices.Contains(a.kinds, kind) {
		a.kinds = append(a.kinds, kind)
	}
	a.tried[kind]++
	if wrong != "" {
		a.lost[kind]++
		t.Errorf("%s: %.300s: %s", kind, what, wrong)
	}
}

func (a *tally) String() string {
	var b strings.Builder
	tried, held := 0, 0
	for _, kind := range slices.Sorted(slices.Values(a.kinds)) {
		fmt.Fprintf(&b, "%-40s %6d tried %6d held\n", kind, a.tried[kind], a.tried[kind]-a.lost[kind])
		tried, held = tried+a.tried[kind], held+a.tried[kind]-a.lost[kind]
	}
	fmt.Fprintf(&b, "%-40s %6d tried %6d held\n", "all", tried, held)
	return b.String()
}

// sample returns the scale's share of all, in their order.
func sample[T any](a *assault, all []T) []T {
	n := (len(all)*min(*attackScale, attackScaleMax) + attackScaleMax - 1) / attackScaleMax
	chosen := a.random.Perm(len(all))[:n]
	slices.Sort(chosen)
	out := make([]T, n)
	for i, k := range chosen {
		out[i] = all[k]
	}
	return out
}

// times is n at the largest scale, and its share at others.
func times(n int) int { return max(1, n*min(*attackScale, attackScaleMax)/attackScaleMax) }

// tree describes every file below dir, its mode and contents.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %s", path, info.Mode())
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %x", sha256.Sum256(data))
		}
		b.WriteString("\n")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
