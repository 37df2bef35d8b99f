package app

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// otherWords are the words of kind, k3d, minikube, kwokctl and kubectl for what kubesim
// calls otherwise. Each is answered with ours; none does anything.
func otherWords() []*cobra.Command {
	const (
		up      = "'kubesim up [NAME]' starts a cluster, and makes it if there is none"
		down    = "'kubesim down [NAME]' stops a cluster"
		kubectl = "that is kubectl's: 'kubesim kubectl %s …' runs it against the cluster"
		images  = "no image has to be loaded: kubesim simulates what containers do, and any image can be named"
		nodes   = "'kubesim up [NAME] --nodes N' says how many nodes a cluster has, also when it is there already"
	)
	answers := []struct{ word, answer string }{
		{"create", up}, {"start", up}, {"stop", down},
		{"cluster", "the commands are 'kubesim up', 'down', 'list', 'status', 'delete', each with a NAME"},
		{"clusters", "'kubesim list' shows the clusters"},
		{"profile", "'kubesim list' shows the clusters, 'kubesim up NAME' makes another"},
		{"load", images}, {"image", images}, {"images", images},
		{"node", nodes}, {"nodes", nodes}, {"scale", nodes + "; Pods: 'kubesim kubectl scale'"},
		{"export", "'kubesim up' has merged the context into your kubeconfig; 'kubesim logs' shows the server's log"},
		{"kubeconfig", "'kubesim up' has merged the context into your kubeconfig; the cluster's own is in its data directory, see 'kubesim status'"},
		{"pause", "'kubesim clock pause' stops the cluster's time, 'kubesim down' its server"},
		{"unpause", "'kubesim clock resume' lets the cluster's time move again"},
		{"addons", "there are no addons: what is served is served from the start"},
		{"dashboard", "there is no dashboard: 'kubesim explain' shows what happened, also as a picture"},
		{"ssh", "a node is simulated: 'kubesim kubectl debug node/node-1 --image=busybox -it' shows its files"},
		{"tunnel", "'kubesim kubectl port-forward' leads to Pods and Services"},
		{"service", "'kubesim kubectl port-forward' leads to Pods and Services"},
		{"etcdctl", "there is no etcd: 'kubesim check' verifies the store, 'kubesim snapshot' saves it"},
	}
	for _, verb := range []string{"get", "describe", "apply", "exec", "edit", "patch", "rollout", "expose", "drain", "top", "wait", "port-forward"} {
		answers = append(answers, struct{ word, answer string }{verb, fmt.Sprintf(kubectl, verb)})
	}
	var commands []*cobra.Command
	for _, a := range answers {
		commands = append(commands, &cobra.Command{
			Use: a.word, Short: a.answer, Hidden: true, DisableFlagParsing: true,
			RunE: func(_ *cobra.Command, args []string) error {
				answer := a.answer
				if a.word == "get" && len(args) > 0 && strings.HasPrefix(args[0], "cluster") {
					answer = "'kubesim list' shows the clusters"
				}
				return usageError{fmt.Errorf("there is no command %q: %s", strings.Join(append([]string{a.word}, firstWord(args)...), " "), answer)}
			},
		})
	}
	return commands
}

// firstWord is the first argument that is no flag.
func firstWord(args []string) []string {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return nil
	}
	return args[:1]
}
