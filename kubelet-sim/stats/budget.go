package stats

// Budget is the memory of the host that the Pods of a cluster share. Whatever keeps
// bytes for a Pod charges them to the Pod's Account before it keeps them, and gives
// them back when it does not any more: processes, pipes and connections, files, logs.
// What of it a holder is refused fails in its own way, as on a node that is full.
//
// A figure depends only on what is held. So a run that is repeated, or replayed after a
// restart, is charged the same.
//
// It belongs to the engine's goroutine.
type Budget struct {
	// limit is never exceeded by more than a share for each account. Unit: bytes.
	limit   int64
	held    int64
	sharing int64 // accounts of Pods that have not ended
}

// Kind is what of a node the bytes take.
type Kind int

// Memory is what processes hold, Storage what lies on the node's disk.
const (
	Memory Kind = iota
	Storage
	kinds
)

// AccountMax is what one Pod may hold, however much memory there is. Unit: bytes.
const AccountMax = 512 << 20

// lowPart is the part of the budget that is kept free: from there on Pods are evicted.
// Source: nodefs.available<10%, the kubelet's default, DefaultEvictionHard in
// k8s.io/kubernetes pkg/kubelet/eviction v1.37.2.
const lowPart = 10

// sharedPart is the part of the budget that what belongs to no Pod may hold.
const sharedPart = 4

// NewBudget returns a budget of limit bytes, of which nothing is held.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit} }

// Limit is how much there is. Unit: bytes.
func (b *Budget) Limit() int64 { return b.limit }

// Held is how much is held. Unit: bytes.
func (b *Budget) Held() int64 { return b.held }

// Threshold is how much may be held before Pods are evicted. Unit: bytes.
func (b *Budget) Threshold() int64 { return b.limit - b.limit/lowPart }

// share is what each account may hold when there is nothing left.
func (b *Budget) share() int64 { return b.limit / max(b.sharing, 1) }

// Account is what one Pod holds, or a disk that Pods share.
type Account struct {
	budget *Budget
	limit  int64
	held   [kinds]int64
	// alone: it has no share. shared: it never had one.
	alone, shared bool
	// Replaying: what is charged was held before, and is not refused.
	Replaying bool
}

// Open returns the account of a Pod.
func (b *Budget) Open() *Account {
	b.sharing++
	return &Account{budget: b, limit: AccountMax}
}

// OpenShared returns an account for what belongs to no Pod, and so cannot be evicted.
func (b *Budget) OpenShared() *Account {
	return &Account{budget: b, limit: b.limit / sharedPart, alone: true, shared: true}
}

// Of returns the part of the account that is charged with what is of a kind.
func (a *Account) Of(k Kind) Part { return Part{a, k} }

// Held is what the account holds of a kind. Unit: bytes.
func (a *Account) Held(k Kind) int64 { return a.held[k] }

// Total is what the account holds. Unit: bytes.
func (a *Account) Total() int64 {
	total := int64(0)
	for _, n := range a.held {
		total += n
	}
	return total
}

// Retire says that the Pod has ended: it has no share any more.
func (a *Account) Retire() {
	if !a.alone {
		a.alone = true
		a.budget.sharing--
	}
}

// Close gives back everything that the account still holds.
func (a *Account) Close() {
	a.Retire()
	a.budget.held -= a.Total()
	a.budget, a.held = &Budget{limit: a.budget.limit}, [kinds]int64{}
}

// Part is an Account as a holder of one kind sees it.
type Part struct {
	account *Account
	kind    Kind
}

// Hold charges n more bytes, or gives them back if n is negative. It is false, and
// charges nothing, where there is no room for them: the Pod holds as much as one may,
// or all memory is used up and the Pod has had its share of it.
func (p Part) Hold(n int64) bool {
	a := p.account
	if n > 0 && !a.Replaying && a.refuses(n) {
		return false
	}
	a.held[p.kind] += n
	a.budget.held += n
	return true
}

// Force charges n bytes that are held already.
func (p Part) Force(n int64) {
	p.account.held[p.kind] += n
	p.account.budget.held += n
}

func (a *Account) refuses(n int64) bool {
	total := a.Total() + n
	if total > a.limit {
		return true
	}
	return a.budget.held+n > a.budget.limit && (a.shared || total > a.budget.share())
}
