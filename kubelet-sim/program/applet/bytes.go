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
		if o.has('d') || o.has('D') {
			_, err := io.Copy(plainWriter{c}, base64.NewDecoder(base64.StdEncoding, &blankless{r}))
			bad = err != nil
			return nil
		}
		return c.encode(r, width)
	})
	if bad {
		if c.style == GNU {
			return c.fail("invalid input")
		}
		return c.fail("truncated base64 input")
	}
	return code
}

// plainWriter hides all of a Call but Write.
type plainWriter struct{ c *Call }

func (w plainWriter) Write(b []byte) (int, error) { return w.c.Write(b) }

// blankless leaves the blanks of a text out.
type blankless struct{ r io.Reader }

func (b *blankless) Read(p []byte) (int, error) {
	for {
		n, err := b.r.Read(p)
		kept := p[:0]
		for _, x := range p[:n] {
			if x != '\n' && x != '\r' && x != ' ' {
				kept = append(kept, x)
			}
		}
		if len(kept) > 0 || err != nil || n == 0 {
			return len(kept), err
		}
	}
}

// encode prints a file in base64, in lines of width characters, if that is not 0.
func (c *Call) encode(r io.Reader, width int) error {
	buf := make([]byte, 3*1024)
	column := 0
	for {
		n, err := io.ReadFull(plain{r}, buf)
		text := base64.StdEncoding.EncodeToString(buf[:n])
		for width > 0 && column+len(text) > width {
			c.print(text[:width-column] + "\n")
			text, column = text[width-column:], 0
		}
		c.print(text)
		column += len(text)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			if width > 0 && column > 0 {
				c.print("\n")
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
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
		for rest := data; len(rest) > 0; {
			n := min(len(rest), outMax)
			c.print(hex.EncodeToString(rest[:n]))
			rest = rest[n:]
		}
		c.print("\n")
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
	c.Step(2)
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
		c.Step(2)
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
