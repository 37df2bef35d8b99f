package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubesim-dev/kubesim/internal/datadir"
	"github.com/kubesim-dev/kubesim/internal/explain"
	"github.com/kubesim-dev/kubesim/internal/explain/picture"
	"github.com/kubesim-dev/kubesim/internal/handlers"
)

// explainCommand is `kubesim explain`.
type explainCommand struct {
	kubeconfig, namespace, output string
	dot, svg, json                bool
	commits, numbered             bool
	s                             streams
}

func newExplain(s streams) *cobra.Command {
	e := &explainCommand{s: s}
	cmd := &cobra.Command{
		Use:   "explain (job|pod|cronjob|deployment|replicaset|statefulset|daemonset|hpa) NAME",
		Short: "Tell what happened to an object of a running server, and why",
		Long: "Tell what happened to a Job, a Pod, a CronJob, a Deployment, a ReplicaSet, a StatefulSet, a DaemonSet or a HorizontalPodAutoscaler of a\n" +
			"running server, in virtual time, with the cause of each step: which Pod's exit counted, which rule, limit or deadline\n" +
			"decided, what a Pod or a rollout waits for, which metric chose the number of replicas, who deleted it.\n\n" +
			"It is taken from the commits that the server keeps, so that objects that are gone can be explained too, as far as history goes.",
		Example: "  kubesim explain job pi\n" +
			"  kubesim explain pod/pi-x7k2p -n work\n" +
			"  kubesim explain cronjob hourly --svg -o hourly.svg\n" +
			"  kubesim explain deployment web\n" +
			"  kubesim explain hpa web --svg -o hpa.svg",
		RunE: func(cmd *cobra.Command, args []string) error {
			target, err := e.target(args)
			if err == nil {
				err = e.check()
			}
			if err != nil {
				return usageError{fmt.Errorf("explain: %w", err)}
			}
			return e.run(cmd.Context(), target)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&e.kubeconfig, "kubeconfig", "", "kubeconfig `file` of the server (default $KUBECONFIG, then ~/.kubesim/kubeconfig)")
	flags.StringVarP(&e.namespace, "namespace", "n", "", "the object's `namespace` (default: the kubeconfig's)")
	flags.StringVarP(&e.output, "output-file", "o", "", "write to `file` instead of stdout")
	flags.BoolVar(&e.svg, "svg", false, "draw a picture: a lane for each Pod, what it did and when")
	flags.BoolVar(&e.dot, "dot", false, "draw the steps and what caused them, for Graphviz")
	flags.BoolVar(&e.json, "json", false, "print the steps as JSON")
	flags.BoolVar(&e.commits, "commits", false, "print the commits themselves, each with the fields that changed; without NAME those of the whole namespace")
	flags.BoolVar(&e.numbered, "number-names", false, "with --commits: write generated names as pi-#1, pi-#2, so that they do not depend on the seed")
	return cmd
}

// check refuses flags that contradict each other.
func (e *explainCommand) check() error {
	switch {
	case e.svg && e.dot || e.svg && e.json || e.dot && e.json:
		return errors.New("--svg, --dot and --json: want one of them")
	case e.commits && (e.svg || e.dot):
		return errors.New("--commits can be printed, not drawn: leave out --svg or --dot")
	case e.numbered && !e.commits:
		return errors.New("--number-names is for --commits")
	}
	return nil
}

// target reads KIND NAME or KIND/NAME or, if it is about commits, KIND.
func (e *explainCommand) target(args []string) (t explain.Target, err error) {
	want := "want a kind and a name, for example: kubesim explain job pi"
	if len(args) == 1 {
		args = strings.SplitN(args[0], "/", 2)
	}
	if e.commits && len(args) == 1 {
		args = append(args, "")
	}
	if len(args) != 2 || args[0] == "" || args[1] == "" && !e.commits || strings.Contains(args[1], "/") {
		return t, errors.New(want)
	}
	kind, ok := parseKind(args[0])
	if !ok {
		return t, fmt.Errorf("%q: can explain jobs, pods, cronjobs, deployments, replicasets, statefulsets, daemonsets and hpas: %s", args[0], want)
	}
	return explain.Target{Kind: kind, Name: args[1], Namespace: e.namespace}, nil
}

// parseKind reads a kind as kubectl does: job, jobs, jobs.batch, cj, po …
func parseKind(text string) (string, bool) {
	kind, ok := map[string]string{
		"deployment": "Deployment", "deployments": "Deployment", "deploy": "Deployment", "deployment.apps": "Deployment", "deployments.apps": "Deployment",
		"replicaset": "ReplicaSet", "replicasets": "ReplicaSet", "rs": "ReplicaSet", "replicaset.apps": "ReplicaSet", "replicasets.apps": "ReplicaSet",
		"pod": "Pod", "pods": "Pod", "po": "Pod",
		"statefulset": "StatefulSet", "statefulsets": "StatefulSet", "sts": "StatefulSet", "statefulset.apps": "StatefulSet", "statefulsets.apps": "StatefulSet",
		"daemonset": "DaemonSet", "daemonsets": "DaemonSet", "ds": "DaemonSet", "daemonset.apps": "DaemonSet", "daemonsets.apps": "DaemonSet",
		"hpa": "HorizontalPodAutoscaler", "horizontalpodautoscaler": "HorizontalPodAutoscaler", "horizontalpodautoscalers": "HorizontalPodAutoscaler",
		"horizontalpodautoscaler.autoscaling": "HorizontalPodAutoscaler", "horizontalpodautoscalers.autoscaling": "HorizontalPodAutoscaler",
		"job": "Job", "jobs": "Job", "job.batch": "Job", "jobs.batch": "Job",
		"cronjob": "CronJob", "cronjobs": "CronJob", "cj": "CronJob", "cronjob.batch": "CronJob", "cronjobs.batch": "CronJob",
	}[strings.ToLower(text)]
	return kind, ok
}

func (e *explainCommand) run(ctx context.Context, target explain.Target) error {
	if target.Namespace == "" {
		var err error
		if target.Namespace, err = defaultNamespace(e.kubeconfig); err != nil {
			return err
		}
	}
	q := url.Values{"kind": {target.Kind}, "namespace": {target.Namespace}, "name": {target.Name}}
	if e.commits {
		q.Set("commits", "true")
		q.Set("numbered", strconv.FormatBool(e.numbered))
	}
	var story explain.Story
	if err := askServer(ctx, e.kubeconfig, http.MethodGet, handlers.ExplainPath+"?"+q.Encode(), nil, &story); err != nil {
		return err
	}
	var out bytes.Buffer
	if err := e.render(&out, &story); err != nil {
		return err
	}
	if e.output == "" {
		to := e.s.out
		if e.json || e.svg || e.dot {
			to = e.s.document
		}
		_, err := to.Write(out.Bytes())
		return err
	}
	file, err := datadir.CreatePrivate(e.output)
	if err == nil {
		_, err = file.Write(out.Bytes())
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return fmt.Errorf("-o %s: %w", e.output, datadir.Cause(err))
	}
	return nil
}

func (e *explainCommand) render(w io.Writer, s *explain.Story) error {
	switch {
	case e.svg:
		return picture.SVG(w, s)
	case e.dot:
		return explain.Dot(w, s)
	case e.json:
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(s)
	case e.commits:
		return explain.PrintChanges(w, s)
	}
	return explain.Print(w, s)
}

// defaultNamespace is that of the kubeconfig's context.
func defaultNamespace(kubeconfig string) (string, error) {
	file, err := findKubeconfig(kubeconfig)
	if err != nil {
		return "", err
	}
	namespace, _, err := clientConfig(file).Namespace()
	if err != nil {
		return "", fmt.Errorf("kubeconfig %s: %w", file, err)
	}
	return namespace, nil
}
