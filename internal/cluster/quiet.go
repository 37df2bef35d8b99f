package cluster

import (
	"flag"
	"io"
	"strconv"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

// Quiet sends the log of upstream's libraries to w if verbosity asks for it,
// and else nowhere: what a user must know is in an API answer or in the one
// line with which the process ends.
func Quiet(verbosity int, w io.Writer) {
	if verbosity <= 0 {
		klog.SetLogger(logr.Discard())
		return
	}
	klog.LogToStderr(false)
	klog.SetOutput(w)
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	_ = flags.Set("v", strconv.Itoa(verbosity))
}
