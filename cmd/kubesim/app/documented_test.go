package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEverySubcommandIsDocumented: a page, or the README, shows each subcommand.
func TestEverySubcommandIsDocumented(t *testing.T) {
	files, err := filepath.Glob("../../../docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatal("no pages: ", err)
	}
	var pages strings.Builder
	for _, file := range append(files, "../../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pages.Write(text)
	}
	for _, cmd := range newRoot(streams{}).Commands() {
		if !cmd.Hidden && !strings.Contains(pages.String(), "kubesim "+cmd.Name()) {
			t.Errorf("no page shows 'kubesim %s'", cmd.Name())
		}
	}
}
