package app

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

func newKubectl(s streams) *cobra.Command {
	return &cobra.Command{
		Use:                "kubectl [ARGUMENT...]",
		Short:              "Run kubectl against the server: the one beside this binary, else the one on PATH",
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := findKubectl()
			if err != nil {
				return err
			}
			child := exec.CommandContext(cmd.Context(), path, args...)
			// Ctrl-C reaches kubectl as well; it ends by itself.
			child.Cancel = func() error { return child.Process.Signal(os.Interrupt) }
			child.Stdin, child.Stdout, child.Stderr = s.in, s.document, s.errors
			if !namesKubeconfig(args) {
				kubeconfig, err := findKubeconfig("")
				if err != nil {
					return err
				}
				child.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
			}
			err = child.Run()
			var exit *exec.ExitError
			if errors.As(err, &exit) && exit.ExitCode() > 0 {
				return exitError{exit.ExitCode()}
			}
			return err
		},
	}
}

func namesKubeconfig(args []string) bool {
	for _, arg := range args {
		if arg == "--kubeconfig" || strings.HasPrefix(arg, "--kubeconfig=") {
			return true
		}
	}
	return false
}

func findKubectl() (string, error) {
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), "kubectl")
		if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() {
			return beside, nil
		}
	}
	path, err := exec.LookPath("kubectl")
	if err != nil {
		return "", fmt.Errorf("no kubectl beside kubesim or on PATH: 'make build' puts one into bin/")
	}
	return path, nil
}
