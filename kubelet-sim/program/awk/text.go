package awk

// textMax bounds one string, so that looking at all of it is a piece of work that
// nobody else notices. Unit: bytes. Deviation: only memory bounds the real one's.
const textMax = 8 << 20

// grow accounts for a string that the present statement makes.
func (in *interp) grow(n int) {
	if n > textMax {
		panic(runtimeError("out of memory"))
	}
	in.temp += int64(n)
	in.host.Charge(int64(n))
	in.host.Step(n / 256)
}

// release forgets what was made since mark.
func (in *interp) release(mark int64) {
	if in.temp > mark {
		in.host.Charge(mark - in.temp)
		in.temp = mark
	}
}

func (in *interp) text(i int) string { return in.toStr(in.globals[i].v) }

func (in *interp) toStr(v value) string {
	if v.kind != number {
		return v.s
	}
	return v.str(in.globals[vCONVFMT].v.s)
}
