package engine

import (
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestWhatIsAppendedIsWhatTheLibraryMarshals compares bytes; of maps, whose order the
// library may choose, it takes at most one entry.
func TestWhatIsAppendedIsWhatTheLibraryMarshals(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		number, text := rapid.Int64(), rapid.String()
		texts := rapid.SliceOfN(text, 0, 30)
		entry := rapid.Custom(func(rt *rapid.T) checkpointEntry {
			e := checkpointEntry{
				Controller: text.Draw(rt, "controller"), KeyKind: text.Draw(rt, "key kind"), Namespace: text.Draw(rt, "namespace"), Name: text.Draw(rt, "name"),
				At: number.Draw(rt, "at"), Kind: kind(rapid.IntRange(0, 2).Draw(rt, "kind")), Seq: number.Draw(rt, "seq"),
				Failures: int(number.Draw(rt, "failures")), Wakes: int(number.Draw(rt, "wakes")), Idle: rapid.Bool().Draw(rt, "idle"), Order: number.Draw(rt, "order"),
			}
			if rapid.Bool().Draw(rt, "has a note") {
				e.Note = rapid.SliceOf(rapid.Byte()).Draw(rt, "note")
			}
			return e
		})
		c := &checkpoint{
			Full: rapid.Bool().Draw(rt, "full"), Now: number.Draw(rt, "now"), Build: text.Draw(rt, "build"), Seed: rapid.Uint64().Draw(rt, "seed"),
			EventsAt: number.Draw(rt, "events at"), EventsSeq: number.Draw(rt, "events seq"), Seq: number.Draw(rt, "seq"), Order: number.Draw(rt, "order"),
			Random: rapid.SliceOf(rapid.Byte()).Draw(rt, "random"), Entries: rapid.SliceOfN(entry, 0, 300).Draw(rt, "entries"),
		}
		if c.Full {
			c.Reconcilers = texts.Draw(rt, "reconcilers")
		}
		o := &correlation{Order: number.Draw(rt, "order"), Spam: map[string]*bucket{}, Alike: map[string]*alike{}, Seen: map[string]*seen{}}
		s := &seen{
			Count: rapid.Int32().Draw(rt, "count"), First: number.Draw(rt, "first"), Order: number.Draw(rt, "order"),
			Name: text.Draw(rt, "name"), ResourceVersion: text.Draw(rt, "resourceVersion"),
		}
		if rapid.Bool().Draw(rt, "has entries") {
			o.Spam[text.Draw(rt, "type")] = &bucket{Tokens: rapid.Float64().Draw(rt, "tokens"), At: number.Draw(rt, "at")}
			o.Alike[text.Draw(rt, "key")] = &alike{Messages: texts.Draw(rt, "messages"), At: number.Draw(rt, "at")}
			o.Seen[text.Draw(rt, "equal")] = s
		}
		for _, v := range []interface{ append([]byte) []byte }{c, o, s} {
			want, err := cbor.Marshal(v)
			if err != nil {
				rt.Fatal(err)
			}
			if diff := cmp.Diff(want, v.append(nil)); diff != "" {
				rt.Fatalf("%+v (-marshalled +appended):\n%s", v, diff)
			}
		}
	})
}
