package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	const (
		pass = `{"Action":"pass","Package":"github.com/kubesim-dev/kubesim/storage","Test":"TestA","Elapsed":1.5}` + "\n"
		skip = `{"Action":"output","Package":"github.com/kubesim-dev/kubesim/storage","Test":"TestB/x","Output":"no tool\n"}` + "\n" +
			`{"Action":"skip","Package":"github.com/kubesim-dev/kubesim/storage","Test":"TestB/x"}` + "\n"
		fail = `{"Action":"output","Package":"github.com/kubesim-dev/kubesim/storage","Test":"TestC","Output":"wrong\n"}` + "\n" +
			`{"Action":"fail","Package":"github.com/kubesim-dev/kubesim/storage","Test":"TestC"}` + "\n"
		broken = `{"Action":"build-output","ImportPath":"x","Output":"x.go:1: no\n"}` + "\n" +
			`{"Action":"fail","Package":"github.com/kubesim-dev/kubesim/x","FailedBuild":"x"}` + "\n"
	)
	for name, tc := range map[string]struct {
		events         string
		expected       []string
		says, hasError string
	}{
		"what passes is listed":                 {pass, nil, "1.5 storage TestA", ""},
		"what fails is shown, and is an error":  {pass + fail, nil, "wrong", "failed: storage TestC"},
		"what does not build is an error":       {pass + broken, nil, "x.go:1: no", "failed: x"},
		"a skip is an error":                    {pass + skip, nil, "skipped: storage TestB/x\nno tool", "storage TestB/x"},
		"a skip that is expected is none":       {pass + skip, []string{"storage TestB/x"}, "2 tests, 1 of them skipped", ""},
		"all subtests may be expected":          {pass + skip, []string{"storage TestB/*"}, "2 tests, 1 of them skipped", ""},
		"another package's skip is not this":    {pass + skip, []string{"e2e TestB/x"}, "", "storage TestB/x"},
		"a package without tests is no skip":    {pass + `{"Action":"skip","Package":"github.com/kubesim-dev/kubesim/y"}`, nil, "1 tests, 0 of them", ""},
		"that no test has run is an error":      {"", nil, "", "no test has run"},
		"what is not of go test is passed on":   {"make: hello\n" + pass, nil, "make: hello\n", ""},
		"the last line needs no end of its own": {strings.TrimSpace(pass), nil, "TestA", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			err := report(strings.NewReader(tc.events), &out, tc.expected)
			if !strings.Contains(out.String(), tc.says) {
				t.Errorf("it prints\n%s\nwant %q in it", out.String(), tc.says)
			}
			if (err != nil) != (tc.hasError != "") || err != nil && !strings.Contains(err.Error(), tc.hasError) {
				t.Errorf("error %v, want one with %q", err, tc.hasError)
			}
		})
	}
}
