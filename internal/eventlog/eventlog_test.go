package eventlog

import (
	"slices"
	"strings"
	"testing"
)

// begin is what all logs of these tests have.
const begin = `2026-01-01T00:00:00.000000000Z r2 client create namespaces/default
2026-01-01T00:00:00.000000000Z r3 client create jobs.batch/default/pi
2026-01-01T00:00:00.000000000Z r4 job/default/pi create pods/default/pi-68gx5
`

func read(t *testing.T, text string) []Line {
	t.Helper()
	lines, err := Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

const (
	bound   = "2026-01-01T00:00:00.000000000Z r5 scheduler/default/pi-68gx5 update pods/default/pi-68gx5\n"
	soon    = "2026-01-01T00:00:01.500000000Z r6 lifecycle/default/pi-68gx5 update pods/default/pi-68gx5\n"
	later   = "2026-01-01T00:00:02.500000000Z r6 lifecycle/default/pi-68gx5 update pods/default/pi-68gx5\n"
	noted   = "2026-01-01T00:00:00.000000000Z r5 client create configmaps/default/x\n"
	renamed = "2026-01-01T00:00:00.000000000Z r5 scheduler/default/pi-68gx5 create events/default/pi-68gx5.18868b2f4\n"
)

func TestWhereLogsPart(t *testing.T) {
	for name, tc := range map[string]struct {
		a, b string
		// line is where, what the fields, says a part of the cause.
		line  int
		what  []string
		order Order
		says  string
	}{
		"another name": {
			begin, strings.ReplaceAll(begin, "68gx5", "wjc2g"), 3, []string{"object"}, Apart,
			"another --seed, from which names are drawn: what clients did is the same in both logs",
		},
		"another instant": {
			begin + bound + soon, begin + bound + later, 5, []string{"instant"}, Swapped,
			"something takes longer in one of them: what clients did is the same in both logs, in the same order. The log has names, not contents",
		},
		"an input that only one has": {
			begin + bound, begin + noted + bound, 4, []string{"actor", "verb", "object"}, OnlyB,
			"an input from outside that only B.log has, the 3rd of clients: create configmaps/default/x",
		},
		"an input that only the other has": {
			begin + noted + bound, begin + bound, 4, []string{"actor", "verb", "object"}, OnlyA,
			"an input from outside that only A.log has, the 3rd of clients: create configmaps/default/x",
		},
		"an input in place of another": {
			begin + noted, begin + strings.Replace(noted, "/x", "/y", 1), 4, []string{"object"}, Apart,
			"another input from outside, the 3rd of clients: A.log did create configmaps/default/x, and B.log did create configmaps/default/y",
		},
		"inputs in another order": {
			begin + noted + strings.Replace(noted, "/x", "/y", 1), begin + strings.Replace(noted, "/x", "/y", 1) + noted, 4, []string{"object"}, Swapped,
			"clients did the same in another order: as the 3rd, A.log did create configmaps/default/x, and B.log did create configmaps/default/y",
		},
		"time that moves before an input": {
			begin + noted + soon, begin + soon + noted, 4, []string{"instant", "revision", "actor", "verb", "object"}, Swapped,
			"the clock was moved at another time: B.log reaches 2026-01-01T00:00:01.5Z first, A.log does create configmaps/default/x before that",
		},
		"steps in another order": {
			begin + bound + renamed, begin + renamed + bound, 4, []string{"verb", "object"}, Swapped,
			"what clients did is the same in both logs, in the same order. The log has names",
		},
		"another beginning": {
			begin, strings.ReplaceAll(begin, "2026", "2027"), 1, []string{"instant"}, Swapped, "another --start-time",
		},
		"a run that ends earlier": {
			begin + bound, begin, 4, []string{"end"}, Apart, "the run of B.log was stopped earlier, or its clock did not go on: A.log goes on without an input",
		},
		"a client that does more": {
			begin, begin + noted, 4, []string{"end"}, Apart, "an input from outside that only B.log has: create configmaps/default/x",
		},
		"what is no commit": {
			begin + "2026-01-01T00:00:00.000000000Z - client exec pi ls\n", begin + "2026-01-01T00:00:00.000000000Z - client exec pi date\n", 4, []string{"text"}, Apart,
			"another input from outside, the 3rd of clients: A.log did exec pi ls, and B.log did exec pi date",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := Compare(read(t, tc.a), read(t, tc.b))
			if d == nil {
				t.Fatal("the logs are the same")
			}
			first := d.A
			if first == nil {
				first = d.B
			}
			if first.Number != tc.line || !slices.Equal(d.What, tc.what) || d.Order != tc.order {
				t.Errorf("line %d, %q, %q; want line %d, %q, %q", first.Number, d.What, d.Order, tc.line, tc.what, tc.order)
			}
			var out strings.Builder
			if err := Print(&out, "A.log", "B.log", d); err != nil || !strings.Contains(out.String(), "Likely cause: "+tc.says) {
				t.Errorf("%v, want the cause %q in\n%s", err, tc.says, out.String())
			}
		})
	}
}

func TestTheSameLogsHaveNoDifference(t *testing.T) {
	if d := Compare(read(t, begin+bound), read(t, begin+bound)); d != nil {
		t.Errorf("%+v", d)
	}
}

func TestTheLastThatBothSayOfAnObject(t *testing.T) {
	d := Compare(read(t, begin+bound+soon), read(t, begin+bound+later))
	if len(d.Common) != 1 || d.Common[0].Number != 4 {
		t.Errorf("%+v, want line 4", d.Common)
	}
}

func TestWhatIsNoEventLogIsRefused(t *testing.T) {
	for text, says := range map[string]string{
		"":                         "it is empty",
		"apiVersion: v1\n":         `line 1 is none of an event log: "apiVersion: v1"`,
		begin + "2026-01-01T00:00": "line 4 is none of an event log",
		begin + "2026-13-01T00:00:00.000000000Z r5 client create pods/a\n": "line 4: ",
		begin + strings.Repeat("x", lineMax+1):                             "line 4: ",
	} {
		if _, err := Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.30q: got %v, want %q", text, err, says)
		}
	}
}
