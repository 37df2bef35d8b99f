package applet

import (
	"bytes"
	"io"
	"strconv"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

func wc(c *Call) int {
	o, ok := c.parse("lwcmL", map[string]byte{"lines": 'l', "words": 'w', "bytes": 'c', "chars": 'm'}, "[-cmlwL] [FILE]...")
	if !ok {
		return 1
	}
	var total [4]int
	code := c.inputs(o.rest, func(name string, r io.Reader) error {
		n, err := c.wordCount(r)
		if err == nil {
			c.print(c.wordLine(o, n, name))
			for i := range 3 {
				total[i] += n[i]
			}
			total[3] = max(total[3], n[3])
		}
		return err
	})
	if len(o.rest) > 1 {
		c.print(c.wordLine(o, total, "total"))
	}
	return code
}

// wordLine is what wc prints of one file: the counts that were asked for, in
// the columns of its style.
func (c *Call) wordLine(o *options, n [4]int, name string) string {
	var cols []string
	for i, f := range "lwcL" {
		if o.has(byte(f)) || f == 'c' && o.has('m') || len(o.set) == 0 && f != 'L' {
			cols = append(cols, strconv.Itoa(n[i]))
		}
	}
	if len(cols) > 1 || len(o.rest) > 1 {
		for i, s := range cols {
			width := 9
			if c.style == GNU {
				width = 7
			}
			if i == 0 && c.style == GNU && len(o.rest) > 0 {
				width = 1
			}
			cols[i] = strings.Repeat(" ", max(0, width-len(s))) + s
		}
	}
	line := strings.Join(cols, " ")
	if c.style == Busybox && len(cols) == 1 {
		line = strings.TrimLeft(line, " ")
	}
	if name != "-" || len(o.rest) > 0 {
		line += " " + name
	}
	return line + "\n"
}

// wordCount counts lines, words and bytes, and finds the length of the longest line.
func (c *Call) wordCount(r io.Reader) (n [4]int, err error) {
	buf := make([]byte, 4096)
	inWord, length := false, 0
	for {
		k, err := r.Read(buf)
		n[2] += k
		for _, b := range buf[:k] {
			switch {
			case b == '\n':
				n[0]++
				length, inWord = -1, false
			case b == ' ' || b >= '\t' && b <= '\r':
				inWord = false
			case !inWord:
				inWord = true
				n[1]++
			}
			length++
			n[3] = max(n[3], length)
		}
		if err == io.EOF || k == 0 && err == nil {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

func tee(c *Call) int {
	o, ok := c.parse("ai", map[string]byte{"append": 'a'}, "[-ai] [FILE]...")
	if !ok {
		return 1
	}
	flag, code := vfs.Truncate, 0
	if o.has('a') {
		flag = vfs.Append
	}
	outs := []io.Writer{c.Stdout()}
	for _, name := range o.rest {
		w, err := c.create(name, flag)
		if err != nil {
			code = c.fail("%s: %v", name, err)
			continue
		}
		outs = append(outs, w)
	}
	buf := make([]byte, 4096)
	for {
		n, err := c.Stdin().Read(buf)
		for _, w := range outs {
			if _, werr := w.Write(buf[:n]); werr != nil {
				code = 1
			}
		}
		if err != nil || n == 0 {
			return code
		}
	}
}

func tac(c *Call) int {
	return c.inputs(c.Args, func(_ string, r io.Reader) error {
		data, err := c.readAll(r)
		for end := len(data); end > 0; {
			start := 1 + bytes.LastIndexByte(data[:end-1], '\n')
			c.Work(end - start + 16)
			c.print(string(data[start:end]))
			end = start
		}
		return err
	})
}

func rev(c *Call) int {
	return c.inputs(c.Args, func(_ string, r io.Reader) error {
		return c.eachLine(r, func(line []byte) bool {
			c.Work(8 * len(line))
			runes := []rune(string(line))
			for i, j := 0, len(runes)-1; i < j; i, j = i+1, j-1 {
				runes[i], runes[j] = runes[j], runes[i]
			}
			c.print(string(runes) + "\n")
			return true
		})
	})
}

func nl(c *Call) int {
	o, ok := c.parse("b:w:s:", nil, "[OPTIONS] [FILE]...")
	if !ok {
		return 1
	}
	n := 0
	return c.inputs(o.rest, func(_ string, r io.Reader) error {
		return c.eachLine(r, func(line []byte) bool {
			if len(line) == 0 && o.value('b') != "a" {
				c.print("       \n")
				return true
			}
			n++
			c.printf("%6d\t%s\n", n, line)
			return true
		})
	})
}
