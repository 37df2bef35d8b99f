package applet

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

func bytesFamily(name string) Func {
	switch name {
	case "md5sum":
		return digest(md5.New)
	case "sha1sum":
		return digest(sha1.New)
	case "sha256sum":
		return digest(sha256.New)
	case "sha512sum":
		return digest(sha512.New)
	case "cksum", "sum":
		return digest(func() hash.Hash { return crc32.NewIEEE() })
	case "base64":
		return base64Applet
	case "od", "hexdump", "xxd", "hd":
		return dump
	case "dd":
		return dd
	case "cmp", "diff":
		return cmp
	}
	return nil
}

func digest(make func() hash.Hash) Func {
	return func(c *Call) int {
		o, ok := c.parse("bctsw", map[string]byte{"check": 'c', "status": 's'}, "[-c[sw]] [FILE]...")
		if !ok {
			return 1
		}
		if o.has('c') {
			return c.verify(o, make)
		}
		return c.inputs(o.rest, func(name string, r io.Reader) error {
			h := make()
			if _, err := io.Copy(h, plain{r}); err != nil {
				return err
			}
			c.print(hex.EncodeToString(h.Sum(nil)) + "  " + name + "\n")
			return nil
		})
	}
}

// plain hides all of a reader but Read, so that io.Copy asks for nothing else.
type plain struct{ r io.Reader }

func (p plain) Read(b []byte) (int, error) { return p.r.Read(b) }

func (c *Call) verify(o *options, make func() hash.Hash) int {
	failed := 0
	code := c.inputs(o.rest, func(_ string, r io.Reader) error {
		return c.eachLine(r, func(line []byte) bool {
			sum, name, ok := strings.Cut(string(line), "  ")
			if !ok {
				return true
			}
			result := "OK"
			f, err := c.open(name)
			if err != nil {
				c.cannotOpen(name, err)
				result = "FAILED"
			} else {
				h := make()
				_, _ = io.Copy(h, plain{f})
				_ = f.Close()
				if hex.EncodeToString(h.Sum(nil)) != sum {
					result = "FAILED"
				}
			}
			if result != "OK" {
				failed++
			}
			if !o.has('s') {
				c.print(name + ": " + result + "\n")
			}
			return true
		})
	})
	if failed > 0 {
		return c.fail("WARNING: %d computed checksums did NOT match", failed)
	}
	return code
}

func base64Applet(c *Call) int {
	o, ok := c.parse("dw:iD", map[string]byte{"decode": 'd', "wrap": 'w'}, "[-d] [-w COL] [FILE]")
	if !ok {
		return 1
	}
	width := 76
	if o.has('w') {
		width, _ = strconv.Atoi(o.value('w'))
	}
	bad := false
	code := c.inputs(o.rest, func(_ string, r io.Reader) error {
		data, err := c.readAll(r)
		if err != nil {
			return err
		}
		if o.has('d') || o.has('D') {
			clean := strings.NewReplacer("\n", "", "\r", "", " ", "").Replace(string(data))
			out, err := base64.StdEncoding.DecodeString(clean)
			c.print(string(out))
			bad = err != nil
			return nil
		}
		text := base64.StdEncoding.EncodeToString(data)
		for width > 0 && len(text) > width {
			c.print(text[:width] + "\n")
			text = text[width:]
		}
		c.print(text)
		if width > 0 && text != "" {
			c.print("\n")
		}
		return nil
	})
	if bad {
		if c.style == GNU {
			return c.fail("invalid input")
		}
		return c.fail("truncated base64 input")
	}
	return code
}

func dump(c *Call) int {
	o, ok := c.parse("A:t:N:j:vCbcdoxn:s:e:w:ipu", nil, "[-bcCdovx] [-n LEN] [-s OFS] [FILE]...")
	if !ok {
		return 1
	}
	var data []byte
	limit := int64(1 << 40)
	if n, _, ok := count(o.value('N') + o.value('n')); ok {
		limit = n
	}
	code := c.inputs(o.rest, func(_ string, r io.Reader) error {
		more, err := c.readAll(io.LimitReader(r, limit-int64(len(data))))
		data = append(data, more...)
		return err
	})
	switch {
	case c.Name == "xxd" && o.has('p'):
		c.print(hex.EncodeToString(data) + "\n")
	case c.Name == "hexdump" && o.has('C') || c.Name == "hd":
		for at := 0; at < len(data); at += 16 {
			c.dumpCanonical(at, data[at:min(at+16, len(data))])
		}
		if len(data) > 0 {
			c.printf("%08x\n", len(data))
		}
	default:
		c.dumpWords(o, data)
	}
	return code
}

func (c *Call) dumpCanonical(at int, row []byte) {
	c.printf("%08x ", at)
	text := ""
	for i := range 16 {
		if i%8 == 0 {
			c.print(" ")
		}
		if i >= len(row) {
			c.print("   ")
			continue
		}
		c.printf("%02x ", row[i])
		if row[i] >= 32 && row[i] < 127 {
			text += string(rune(row[i]))
		} else {
			text += "."
		}
	}
	c.print(" |" + text + "|\n")
}

// dumpWords prints od's and hexdump's other forms: bytes, characters, words.
func (c *Call) dumpWords(o *options, data []byte) {
	kind := o.value('t')
	address, width := "%07o", 2
	cell := func(b []byte) string { return fmt.Sprintf(" %06o", uint16(b[0])|uint16(b[1])<<8) }
	switch {
	case c.Name == "hexdump":
		address = "%07x"
		cell = func(b []byte) string { return fmt.Sprintf(" %04x", uint16(b[0])|uint16(b[1])<<8) }
	case o.has('x') || strings.HasPrefix(kind, "x2"):
		cell = func(b []byte) string { return fmt.Sprintf(" %04x", uint16(b[0])|uint16(b[1])<<8) }
	case strings.HasPrefix(kind, "x4"):
		width = 4
		cell = func(b []byte) string {
			return fmt.Sprintf(" %08x", uint32(b[0])|uint32(b[1])<<8|uint32(b[2])<<16|uint32(b[3])<<24)
		}
	case strings.HasPrefix(kind, "x"):
		width, cell = 1, func(b []byte) string { return fmt.Sprintf(" %02x", b[0]) }
	case strings.HasPrefix(kind, "u4") || strings.HasPrefix(kind, "d4"):
		width = 4
		cell = func(b []byte) string {
			return fmt.Sprintf(" %10d", uint32(b[0])|uint32(b[1])<<8|uint32(b[2])<<16|uint32(b[3])<<24)
		}
	case strings.HasPrefix(kind, "u2") || o.has('d'):
		cell = func(b []byte) string { return fmt.Sprintf(" %5d", uint16(b[0])|uint16(b[1])<<8) }
	case strings.HasPrefix(kind, "u") || strings.HasPrefix(kind, "d"):
		width, cell = 1, func(b []byte) string { return fmt.Sprintf(" %3d", b[0]) }
	case strings.HasPrefix(kind, "c") || o.has('c'):
		width, cell = 1, func(b []byte) string { return fmt.Sprintf(" %3s", charName(b[0])) }
	case o.has('b'):
		width, cell = 1, func(b []byte) string { return fmt.Sprintf(" %03o", b[0]) }
	}
	if o.value('A') == "n" {
		address = ""
	} else if o.value('A') == "x" {
		address = "%06x"
	} else if o.value('A') == "d" {
		address = "%07d"
	}
	for at := 0; at < len(data); at += 16 {
		if address != "" {
			c.printf(address, at)
		}
		row := data[at:min(at+16, len(data))]
		for len(row) > 0 {
			word := append([]byte{}, row[:min(width, len(row))]...)
			row = row[len(word):]
			for len(word) < width {
				word = append(word, 0)
			}
			c.print(cell(word))
		}
		c.print("\n")
	}
	if address != "" {
		c.printf(address+"\n", len(data))
	}
}

func charName(b byte) string {
	if i := strings.IndexByte("\x00\a\b\t\n\v\f\r", b); i >= 0 {
		return [...]string{`\0`, `\a`, `\b`, `\t`, `\n`, `\v`, `\f`, `\r`}[i]
	}
	if b < 32 || b > 126 {
		return fmt.Sprintf("%03o", b)
	}
	return string(rune(b))
}

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
	a, b := string(data[0]), string(data[1])
	if a == b {
		return 0
	}
	if c.Name == "cmp" {
		at, line := 0, 1
		for at < min(len(a), len(b)) && a[at] == b[at] {
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
	c.diffLines(names, strings.Split(strings.TrimSuffix(a, "\n"), "\n"), strings.Split(strings.TrimSuffix(b, "\n"), "\n"))
	return 1
}

func (c *Call) diffLines(names, a, b []string) {
	head := 0
	for head < min(len(a), len(b)) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
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
