package server

import (
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// The programs of https://kubernetes.io/docs/tasks/configure-pod-container on
// CPU and memory: they use what they are told to, and more memory than the
// container's limit gets them killed.

// stress is polinux/stress. Workers of input, output and disks use nothing here.
func stress(p *kernel.Proc) int {
	wait, bytes := int64(-1), int64(256<<20)
	hogs := map[string]int64{}
	for i := 1; i+1 < len(p.Args); i++ {
		value := p.Args[i+1]
		switch flag := strings.TrimLeft(p.Args[i], "-"); flag {
		case "vm-bytes":
			bytes = size(value)
		case "timeout", "t":
			wait = size(strings.TrimSuffix(value, "s"))
		case "cpu", "io", "vm", "hdd", "c", "i", "m", "d":
			hogs[flag[:1]] = size(value)
		}
	}
	vm := hogs["v"] + hogs["m"]
	cpu := hogs["c"]
	outf(p, "stress: info: [%d] dispatching hogs: %d cpu, %d io, %d vm, %d hdd\n", p.PID, cpu, hogs["i"], vm, hogs["h"]+hogs["d"])
	hog(p, cpu*1000+vm*vmMilliCPU, vm*bytes)
	if wait < 0 {
		p.Sleep(-1)
	}
	p.Sleep(secondsOf(wait))
	outf(p, "stress: info: [%d] successful run completed in %ds\n", p.PID, wait)
	return 0
}

// vmMilliCPU is what a worker uses that fills memory and then holds on to it.
const vmMilliCPU = 40

// vishStress is vish/stress.
func vishStress(p *kernel.Proc) int {
	var cpus int64
	total, chunk, pause := resource.MustParse("0"), "4Ki", "1ms"
	for i := 1; i+1 < len(p.Args); i++ {
		value := p.Args[i+1]
		switch strings.TrimLeft(p.Args[i], "-") {
		case "cpus":
			cpus, _ = strconv.ParseInt(value, 10, 16) // as with none
		case "mem-total":
			if q, err := resource.ParseQuantity(value); err == nil {
				total = q
			}
		case "mem-alloc-size":
			chunk = value
		case "mem-alloc-sleep":
			pause = value
		}
	}
	log := func(line int, format string, args ...any) {
		errf(p, p.Now().UTC().Format("I0102 15:04:05.000000")+"       1 main.go:"+strconv.Itoa(line)+"] "+format+"\n", args...)
	}
	log(26, "Allocating %q memory, in %q chunks, with a %s sleep between allocations", total.String(), chunk, pause)
	for range cpus {
		log(39, "Spawning a thread to consume CPU")
	}
	hog(p, cpus*1000, total.Value())
	log(29, "Allocated %q memory", total.String())
	p.Sleep(-1)
	return 0
}

// hog uses so much, but the memory only after a second.
func hog(p *kernel.Proc, milliCPU, bytes int64) {
	p.Use(milliCPU, 0)
	if bytes > 0 {
		p.Sleep(secondsOf(1))
	}
	p.Use(milliCPU, bytes)
}
