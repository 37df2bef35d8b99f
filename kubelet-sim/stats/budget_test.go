package stats

import "testing"

// TestBudget lets three Pods and a shared disk hold parts of a budget of 1,000 bytes.
func TestBudget(t *testing.T) {
	type hold struct {
		who int // 0 to 2: a Pod, 3: the shared disk
		n   int64
		ok  bool
	}
	for name, holds := range map[string][]hold{
		"one may hold all that nobody else does": {{0, 1000, true}, {0, 1, false}},
		"who has had its share finds no room":    {{0, 900, true}, {1, 100, true}, {0, 1, false}},
		"who has not may hold that":              {{0, 1000, true}, {1, 333, true}, {1, 1, false}},
		"what is given back can be held":         {{0, 1000, true}, {0, -500, true}, {0, 500, true}},
		"a shared disk has a quarter":            {{3, 250, true}, {3, 1, false}},
		"and no share when there is nothing":     {{0, 1000, true}, {3, 1, false}},
		"less is never refused":                  {{0, 1000, true}, {1, 300, true}, {0, -1, true}},
	} {
		t.Run(name, func(t *testing.T) {
			b := NewBudget(1000)
			accounts := []*Account{b.Open(), b.Open(), b.Open(), b.OpenShared()}
			want := int64(0)
			for i, h := range holds {
				if got := accounts[h.who].Of(Memory).Hold(h.n); got != h.ok {
					t.Errorf("hold %d: %v, want %v", i, got, h.ok)
				}
				if h.ok {
					want += h.n
				}
			}
			if b.Held() != want {
				t.Errorf("held %d, want %d", b.Held(), want)
			}
			for _, a := range accounts {
				a.Close()
			}
			if b.Held() != 0 {
				t.Errorf("held %d after the end", b.Held())
			}
		})
	}
}

func TestOnePodHoldsNoMoreThanAccountMax(t *testing.T) {
	a := NewBudget(100 * AccountMax).Open()
	if !a.Of(Memory).Hold(AccountMax-1) || !a.Of(Storage).Hold(1) || a.Of(Storage).Hold(1) {
		t.Errorf("it holds %d, want %d at most", a.Total(), AccountMax)
	}
}

func TestWhatIsReplayedIsNotRefused(t *testing.T) {
	b := NewBudget(100)
	a := b.Open()
	a.Replaying = true
	if !a.Of(Memory).Hold(200) || b.Held() != 200 {
		t.Errorf("held %d, want 200", b.Held())
	}
}

func TestTheShareGrowsWhenAPodEnds(t *testing.T) {
	b := NewBudget(1000)
	first, second := b.Open(), b.Open()
	first.Of(Storage).Hold(1000)
	if second.Of(Storage).Hold(501) {
		t.Error("the second Pod got more than half")
	}
	first.Retire()
	first.Retire()
	if !second.Of(Storage).Hold(501) {
		t.Error("the second Pod got no more than half, when it was alone")
	}
}
