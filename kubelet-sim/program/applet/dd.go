package applet

import (
	"fmt"
	"io"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

func dd(c *Call) int {
	input, output := "", ""
	blocks, size, skip, seek := int64(-1), int64(512), int64(0), int64(0)
	notrunc, quiet := false, false
	for _, a := range c.Args {
		name, value, _ := strings.Cut(a, "=")
		n, _, ok := count(strings.TrimSuffix(value, "G"))
		if strings.HasSuffix(value, "G") {
			n <<= 30
		}
		switch name {
		case "if":
			input, ok = value, true
		case "of":
			output, ok = value, true
		case "conv", "oflag", "iflag":
			notrunc, ok = notrunc || strings.Contains(value, "notrunc"), true
		case "status":
			quiet, ok = value == "none", true
		case "bs", "ibs", "obs":
			size = n
		case "count":
			blocks = n
		case "skip":
			skip = n
		case "seek":
			seek = n
		default:
			ok = false
		}
		if !ok || size == 0 {
			return c.fail("invalid argument '%s'", a)
		}
	}
	var r io.Reader = c.Stdin()
	if input != "" {
		f, err := c.open(input)
		if err != nil {
			if c.style == GNU {
				return c.fail("failed to open '%s': %v", input, err)
			}
			return c.cannotOpen(input, err)
		}
		r = f
	}
	var w io.Writer = c.Stdout()
	if output != "" {
		flag := vfs.Truncate
		if notrunc || seek > 0 {
			flag = 0
		}
		o, err := c.OpenFile(output, flag|vfs.Write|vfs.Create, 0o666)
		if err != nil {
			if c.style == GNU {
				return c.fail("failed to open '%s': %v", output, err)
			}
			return c.cannotOpen(output, err)
		}
		w = c.ReaderOf(o)
		if f := o.File(); f != nil && seek > 0 {
			c.Work(int(min(seek*size, vfs.SizeMax))) // a write fills what is before it
			_, _ = f.Seek(seek*size, io.SeekStart)
		}
	}
	return c.copyBlocks(r, w, min(size, 1<<20), blocks*size/min(size, 1<<20), skip*size, quiet, size)
}

func (c *Call) copyBlocks(r io.Reader, w io.Writer, size, blocks, skip int64, quiet bool, block int64) int {
	if skip > 0 {
		if _, err := io.CopyN(io.Discard, plain{r}, skip); err != nil && err != io.EOF {
			return c.fail("%v", err)
		}
	}
	start := c.Now()
	buf := make([]byte, size)
	total, code := int64(0), 0
	for done := int64(0); blocks < 0 || done < blocks; done++ {
		n, err := io.ReadFull(r, buf)
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil {
				code = c.fail("error writing: %v", werr)
				break
			}
			total += int64(n)
		}
		if err != nil {
			break
		}
	}
	if quiet {
		return code
	}
	part := 0
	if total%block > 0 {
		part = 1
	}
	took := max(c.Now().Sub(start).Seconds(), 0.000001)
	_, _ = fmt.Fprintf(c.Stderr(), "%d+%d records in\n%d+%d records out\n%d bytes (%sB) copied, %f seconds, %sB/s\n",
		total/block, part, total/block, part, total, human(total), took, human(int64(float64(total)/took)))
	return code
}

// cmp compares two files; diff does too, line by line from the first that
// differs.
//
// Deviation: diff prints whole remainders, not a shortest edit.
func cmp(c *Call) int {
	var names []string
	quiet := false
	for _, a := range c.Args {
		if a == "-q" || a == "-s" {
			quiet = true
		} else if a == "-" || !strings.HasPrefix(a, "-") {
			names = append(names, a)
		}
	}
	if len(names) != 2 {
		return c.usage("FILE1 FILE2")
	}
	var data [2][]byte
	for i, name := range names {
		r, err := c.open(name)
		if err == nil {
			data[i], err = c.readAll(r)
			_ = r.Close()
		}
		if err != nil {
			c.cannotOpen(name, err)
			return 2
		}
	}
	c.Work(2 * (len(data[0]) + len(data[1])))
	a, b := string(data[0]), string(data[1])
	if a == b {
		return 0
	}
	if c.Name == "cmp" {
		at, line := 0, 1
		for at < min(len(a), len(b)) && a[at] == b[at] {
			if at&(kernel.PieceMax-1) == 0 {
				c.Work(4 * kernel.PieceMax)
			}
			if a[at] == '\n' {
				line++
			}
			at++
		}
		if !quiet {
			c.printf("%s %s differ: char %d, line %d\n", names[0], names[1], at+1, line)
		}
		return 1
	}
	if quiet {
		c.printf("Files %s and %s differ\n", names[0], names[1])
		return 1
	}
	c.diffLines(names, c.split(strings.TrimSuffix(a, "\n"), "\n"), c.split(strings.TrimSuffix(b, "\n"), "\n"))
	return 1
}

func (c *Call) diffLines(names, a, b []string) {
	head := 0
	for head < min(len(a), len(b)) && a[head] == b[head] {
		c.Work(16 + len(a[head]))
		head++
	}
	tail := 0
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		c.Work(16 + len(a[len(a)-1-tail]))
		tail++
	}
	c.printf("--- %s\n+++ %s\n@@ -%d,%d +%d,%d @@\n", names[0], names[1], 1, len(a), 1, len(b))
	for _, l := range a[:head] {
		c.print(" " + l + "\n")
	}
	for _, l := range a[head : len(a)-tail] {
		c.print("-" + l + "\n")
	}
	for _, l := range b[head : len(b)-tail] {
		c.print("+" + l + "\n")
	}
	for _, l := range a[len(a)-tail:] {
		c.print(" " + l + "\n")
	}
}
