package app

import (
	"flag"
	"io"
	"strconv"

	"k8s.io/klog/v2"
)

// quiet sends the log of upstream's libraries to w if verbosity asks for it,
// and else nowhere: what a user must know is in an API answer or in the one
// line with which the process ends.
func quiet(verbosity int, w io.Writer) {
	klog.LogToStderr(false)
	if verbosity <= 0 {
		klog.SetOutput(io.Discard)
		klog.SetLogger(klog.NewKlogr().V(0))
		return
	}
	klog.SetOutput(w)
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	_ = flags.Set("v", strconv.Itoa(verbosity))
}
