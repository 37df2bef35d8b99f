package app

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/kubesim-dev/kubesim/internal/datadir"
	"github.com/kubesim-dev/kubesim/internal/handlers"
)

func newRecord(s streams) *cobra.Command {
	var kubeconfig, output string
	cmd := &cobra.Command{
		Use:   "record [-o SCENARIO.yaml]",
		Short: "Get what clients have done to a running server, as a scenario",
		Long: "Get what clients have done to a running server, as a scenario that 'kubesim run' plays to the same event log.\n\n" +
			"The server must have been started with --record, in clock mode auto or manual.",
		Example: "  kubesim serve --ephemeral --clock auto --record all.yaml &\n" +
			"  kubesim record -o session.yaml\n" +
			"  kubesim run session.yaml --log session.log",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var r handlers.RecordingStatus
			if err := askServer(cmd.Context(), kubeconfig, http.MethodGet, handlers.RecordPath, nil, &r); err != nil {
				return err
			}
			if r.Gaps > 0 {
				fmt.Fprintf(s.err, "%d things could not be recorded: look for \"not recorded\" in the scenario\n", r.Gaps)
			}
			if output == "" || output == "-" {
				_, err := io.WriteString(s.document, r.Scenario)
				return err
			}
			file, err := datadir.CreatePrivate(output)
			if err == nil {
				_, err = file.WriteString(r.Scenario)
				err = errors.Join(err, file.Close())
			}
			if err != nil {
				return fmt.Errorf("--output %s: %w", output, datadir.Cause(err))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&kubeconfig, "kubeconfig", "", "kubeconfig `file` of the server (default $KUBECONFIG, then ~/.kubesim/kubeconfig)")
	cmd.Flags().StringVarP(&output, "output", "o", "", "`file` to write to (default: stdout)")
	return cmd
}
