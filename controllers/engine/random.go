package engine

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"

	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/types"
)

// Random is the only source of randomness of a cluster. Names, UIDs and the seeds of
// simulated programs come from it, in the order of the writes that ask for them.
// Several goroutines may use it.
type Random struct {
	mu   sync.Mutex
	seed uint64
	pcg  *rand.PCG
	rand *rand.Rand
}

// NewRandom returns the source of seed. The stream distinguishes the runs of one
// cluster: a server that starts again on its data passes the store's revision, so that
// no name or UID of an earlier run comes back.
func NewRandom(seed, stream uint64) *Random {
	pcg := rand.NewPCG(seed, stream)
	return &Random{seed: seed, pcg: pcg, rand: rand.New(pcg)}
}

// state returns the source's position in its sequence.
func (r *Random) state() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, err := r.pcg.MarshalBinary()
	if err != nil {
		panic(fmt.Sprintf("engine: the state of a PCG: %v", err)) // it cannot fail
	}
	return b
}

// setState goes back to the position at which state was taken.
func (r *Random) setState(b []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.pcg.UnmarshalBinary(b); err != nil {
		return fmt.Errorf("engine: the state of the random source: %w", err)
	}
	return nil
}

// Uint64 returns the next number.
func (r *Random) Uint64() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rand.Uint64()
}

// UID returns the next random UUID (version 4).
func (r *Random) UID() types.UID {
	r.mu.Lock()
	defer r.mu.Unlock()
	var id uuid.UUID
	binary.LittleEndian.PutUint64(id[:8], r.rand.Uint64())
	binary.LittleEndian.PutUint64(id[8:], r.rand.Uint64())
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return types.UID(id.String())
}

// suffixAlphabet has no vowels, and no digits that look like vowels, so that no word
// appears by chance. Source: alphanums in k8s.io/apimachinery pkg/util/rand v0.37.2.
const suffixAlphabet = "bcdfghjklmnpqrstvwxz2456789"

// Suffix returns n characters for a generated name.
func (r *Random) Suffix(n int) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := make([]byte, n)
	for i := range b {
		b[i] = suffixAlphabet[r.rand.IntN(len(suffixAlphabet))]
	}
	return string(b)
}

// Derive returns a number that depends only on the seed and on name, not on what was
// drawn before. So two Pods' programs do not disturb each other, and a program that is
// replayed after a restart draws the same numbers.
func (r *Random) Derive(name string) uint64 {
	h := fnv.New64a()
	var seed [8]byte
	binary.LittleEndian.PutUint64(seed[:], r.seed)
	h.Write(seed[:])
	h.Write([]byte(name))
	return h.Sum64()
}
