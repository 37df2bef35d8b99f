package shape

import "reflect"

// What parts of an object take when they are encoded in protobuf, about. Unit: bytes.
const (
	frameBytes    = 3 // a field's tag and length
	numberBytes   = 6 // of 2 to 11
	timeBytes     = 12
	quantityBytes = 8
)

// structBytes returns what shape has of a struct with such fields: what does not depend
// on its value is summed up once.
func structBytes(fields []*Shape) (least int, more func(reflect.Value) int) {
	least = frameBytes
	var vary []int
	for i, f := range fields {
		least += f.least
		if f.more != nil {
			vary = append(vary, i)
		}
	}
	if len(vary) == 0 {
		return least, nil
	}
	return least, func(v reflect.Value) (n int) {
		for _, i := range vary {
			n += fields[i].more(v.Field(i))
		}
		return n
	}
}

func stringMapBytes(v reflect.Value) (n int) {
	for k, s := range v.Interface().(map[string]string) {
		n += 3*frameBytes + len(k) + len(s)
	}
	return n
}
