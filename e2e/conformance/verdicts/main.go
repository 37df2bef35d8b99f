// Command verdicts reads ginkgo's JSON report and prints a line for each spec
// that ran: pass or fail, and its full name, in the order of names.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/onsi/ginkgo/v2/types"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: verdicts REPORT.json")
		os.Exit(2)
	}
	lines, err := verdicts(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "verdicts:", err)
		os.Exit(1)
	}
	for _, line := range lines {
		fmt.Println(line)
	}
}

func verdicts(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var reports []types.Report
	if err := json.Unmarshal(data, &reports); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var lines []string
	for _, report := range reports {
		for _, spec := range report.SpecReports {
			if spec.LeafNodeType != types.NodeTypeIt || spec.State.Is(types.SpecStateSkipped|types.SpecStatePending) {
				continue
			}
			verdict := "fail"
			if spec.State.Is(types.SpecStatePassed) {
				verdict = "pass"
			}
			lines = append(lines, verdict+" "+spec.FullText())
		}
	}
	slices.SortFunc(lines, func(a, b string) int {
		return slices.Compare([]byte(a[len("pass "):]), []byte(b[len("pass "):]))
	})
	return lines, nil
}
