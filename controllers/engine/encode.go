package engine

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

// Code in this file encodes by hand what is encoded at each settled instant. The output
// is CBOR (RFC 8949), as cbor.Marshal writes it, without the cost of its reflection.

// The major types, in the upper three bits of a head.
const (
	cborUnsigned byte = iota << 5
	cborNegative
	cborBytes
	cborText
	cborArray
	cborMap
)

const (
	cborFalse, cborTrue, cborNull = 0xf4, 0xf5, 0xf6
	cborFloat64                   = 0xfb
)

// appendHead appends a major type with its number: a value, or a length.
func appendHead(b []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n <= math.MaxUint8:
		return append(b, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), n)
}

func appendInt(b []byte, n int64) []byte {
	if n < 0 {
		return appendHead(b, cborNegative, uint64(^n))
	}
	return appendHead(b, cborUnsigned, uint64(n))
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, cborTrue)
	}
	return append(b, cborFalse)
}

func appendFloat(b []byte, v float64) []byte {
	return binary.BigEndian.AppendUint64(append(b, cborFloat64), math.Float64bits(v))
}

func appendText(b []byte, s string) []byte {
	return append(appendHead(b, cborText, uint64(len(s))), s...)
}

func appendTexts(b []byte, all []string) []byte {
	if all == nil {
		return append(b, cborNull)
	}
	b = appendHead(b, cborArray, uint64(len(all)))
	for _, s := range all {
		b = appendText(b, s)
	}
	return b
}

func appendBytes(b, data []byte) []byte {
	if data == nil {
		return append(b, cborNull)
	}
	return append(appendHead(b, cborBytes, uint64(len(data))), data...)
}

// appendMap appends a map in the order of its keys, each value by value.
func appendMap[V any](b []byte, m map[string]V, value func([]byte, V) []byte) []byte {
	b = appendHead(b, cborMap, uint64(len(m)))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		b = value(appendText(b, key), m[key])
	}
	return b
}

// append appends c, an array of its fields.
func (c *checkpoint) append(b []byte) []byte {
	b = appendBool(appendHead(b, cborArray, 11), c.Full)
	b = appendText(appendInt(b, c.Now), c.Build)
	b = appendTexts(appendHead(b, cborUnsigned, c.Seed), c.Reconcilers)
	b = appendBytes(b, c.Random)
	for _, n := range [...]int64{c.EventsAt, c.EventsSeq, c.Seq, c.Order} {
		b = appendInt(b, n)
	}
	b = appendHead(b, cborArray, uint64(len(c.Entries)))
	for i := range c.Entries {
		b = c.Entries[i].append(b)
	}
	return b
}

// entryFields is how many fields of a checkpointEntry are encoded. foreignFields is how
// many there were when keys had no Kinds.
const entryFields, foreignFields = 12, 10

// UnmarshalCBOR implements cbor.Unmarshaler.
func (c *checkpointEntry) UnmarshalCBOR(data []byte) error {
	if len(data) > 0 && data[0] == cborArray|foreignFields {
		*c = checkpointEntry{foreign: true}
		return nil
	}
	type plain checkpointEntry
	return cbor.Unmarshal(data, (*plain)(c))
}

func (c *checkpointEntry) append(b []byte) []byte {
	b = appendText(appendHead(b, cborArray, entryFields), c.Controller)
	b = appendText(appendText(appendText(b, c.KeyKind), c.Namespace), c.Name)
	for _, n := range [...]int64{c.At, int64(c.Kind), c.Seq, int64(c.Failures), int64(c.Wakes)} {
		b = appendInt(b, n)
	}
	return appendInt(appendBytes(appendBool(b, c.Idle), c.Note), c.Order)
}

func (o *correlation) append(b []byte) []byte {
	b = appendInt(appendHead(b, cborArray, 4), o.Order)
	b = appendMap(b, o.Spam, func(b []byte, v *bucket) []byte {
		return appendInt(appendFloat(appendHead(b, cborArray, 2), v.Tokens), v.At)
	})
	b = appendMap(b, o.Alike, func(b []byte, v *alike) []byte {
		return appendInt(appendTexts(appendHead(b, cborArray, 2), v.Messages), v.At)
	})
	if o.apart() {
		return append(b, cborNull)
	}
	return appendMap(b, o.Seen, func(b []byte, v *seen) []byte { return v.append(b) })
}

func (s *seen) append(b []byte) []byte {
	b = appendInt(appendInt(appendHead(b, cborArray, 5), int64(s.Count)), s.First)
	return appendInt(appendText(appendText(b, s.Name), s.ResourceVersion), s.Order)
}
