package program

import (
	"testing"
)

// FuzzStart runs any text as a script in each shell for some Resumes: nothing
// may crash, and everything must end.
func FuzzStart(f *testing.F) {
	for _, c := range readTable(f, "testdata/tables/busybox/various.txt") {
		f.Add(c.command, byte(0))
	}
	f.Add("a=(x y); echo ${a[@]:1} <(true) {1..9} [[ -f x ]] $'a\\n' &> f", byte(1))
	catalog := NewCatalog()
	f.Fuzz(func(t *testing.T, script string, shell byte) {
		if len(script) > 4096 {
			return // longer than a script of interest
		}
		spec := [...]Spec{
			{Image: "busybox", Command: []string{"sh", "-c", script}},
			{Image: "bash", Command: []string{"bash", "-c", script}},
			{Image: "debian", Command: []string{"sh", "-c", script}},
		}[shell%3]
		spec.Catalog, spec.Output = catalog, func(Chunk) {}
		p, err := Start(spec, noon())
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		for range 20 {
			s := p.State()
			if s.Exited || s.WakeAt.IsZero() {
				break
			}
			p.Resume(s.WakeAt)
		}
		for _, crash := range p.Crashes() {
			t.Errorf("crash: %s", crash)
		}
	})
}
