package applet

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

func dateFamily(name string) Func {
	if name == "date" {
		return date
	}
	return nil
}

// location is the time zone of TZ where it is UTC or a fixed offset such as
// EST5. No table of zones is read: the host's must not matter.
//
// Deviation: a zone such as Europe/Berlin reads as UTC.
func (c *Call) location() *time.Location {
	tz := strings.TrimPrefix(c.Getenv("TZ"), ":")
	i := strings.IndexAny(tz, "+-0123456789")
	if i < 3 || strings.Contains(tz[:i], "/") {
		return time.UTC
	}
	text := tz[i:]
	sign := -1
	if text[0] == '-' {
		sign = 1
	}
	h, m, _ := strings.Cut(strings.TrimLeft(text, "+-"), ":")
	hours, err := strconv.Atoi(h[:digitRun(h)])
	if err != nil || hours > 24 {
		return time.UTC
	}
	minutes, _ := strconv.Atoi(m)
	return time.FixedZone(tz[:i], sign*(hours*3600+minutes*60))
}

func date(c *Call) int {
	for i, a := range c.Args {
		if a == "-I" || a == "--iso-8601" {
			c.Args[i] = "-Idate"
		}
	}
	o, ok := c.parse("uRd:I:r:D:s:", map[string]byte{"utc": 'u', "date": 'd', "rfc-2822": 'R', "iso-8601": 'I', "reference": 'r', "rfc-3339": 'I'}, "[OPTIONS] [+FMT] [[-s] TIME]")
	if !ok {
		return 1
	}
	when, loc := c.Now(), c.location()
	if o.has('u') {
		loc = time.UTC
	}
	if o.has('d') {
		if when, ok = parseDate(o.value('d'), c.Now(), loc); !ok {
			return c.fail("invalid date '%s'", o.value('d'))
		}
	}
	if name := o.value('r'); name != "" {
		in, err := c.Stat(name)
		if err != nil {
			return c.fail("%s: %v", name, err)
		}
		when = in.ModTime()
	}
	when = when.In(loc)
	format := "%a %b %e %H:%M:%S %Z %Y"
	switch {
	case o.has('s'):
		return c.fail("can't set date: Operation not permitted")
	case o.has('R'):
		format = "%a, %d %b %Y %H:%M:%S %z"
	case o.has('I'):
		format = isoFormat(o.value('I'))
	}
	for _, a := range o.rest {
		if !strings.HasPrefix(a, "+") {
			return c.fail("invalid date '%s'", a)
		}
		format = a[1:]
	}
	c.print(strftime(format, when) + "\n")
	return 0
}

func isoFormat(precision string) string {
	switch precision {
	case "seconds", "s":
		return "%Y-%m-%dT%H:%M:%S%:z"
	case "minutes", "m":
		return "%Y-%m-%dT%H:%M%:z"
	case "hours", "h":
		return "%Y-%m-%dT%H%:z"
	case "ns":
		return "%Y-%m-%dT%H:%M:%S,%N%:z"
	}
	return "%Y-%m-%d"
}

// strftime formats t as date(1).
func strftime(format string, t time.Time) string {
	var s strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			s.WriteByte(format[i])
			continue
		}
		i++
		flag := byte(0)
		if strings.IndexByte("-_0^", format[i]) >= 0 && i+1 < len(format) {
			flag = format[i]
			i++
		}
		start := i
		for i+1 < len(format) && format[i] >= '1' && format[i] <= '9' {
			i++
		}
		width := format[start:i]
		if format[i] == ':' && i+1 < len(format) && format[i+1] == 'z' {
			i++
			s.WriteString(t.Format("-07:00"))
			continue
		}
		text := field(format[i], t)
		switch {
		case flag == '-':
			if trimmed := strings.TrimLeft(text, "0 "); trimmed != "" {
				text = trimmed
			} else {
				text = "0"
			}
		case flag == '_' && strings.HasPrefix(text, "0"):
			text = " " + text[1:]
		case flag == '^':
			text = strings.ToUpper(text)
		case format[i] == 'N' && width != "":
			n, _ := strconv.Atoi(width)
			text = text[:min(n, len(text))]
		}
		s.WriteString(text)
	}
	return s.String()
}

func field(f byte, t time.Time) string {
	if layout := fieldLayout(f); layout != "" {
		return t.Format(layout)
	}
	switch f {
	case 's':
		return strconv.FormatInt(t.Unix(), 10)
	case 'N':
		return fmt.Sprintf("%09d", t.Nanosecond())
	case 'j':
		return fmt.Sprintf("%03d", t.YearDay())
	case 'u':
		return strconv.Itoa((int(t.Weekday())+6)%7 + 1)
	case 'w':
		return strconv.Itoa(int(t.Weekday()))
	case 'C':
		return fmt.Sprintf("%02d", t.Year()/100)
	case 'U':
		return fmt.Sprintf("%02d", (t.YearDay()+6-int(t.Weekday()))/7)
	case 'V':
		_, week := t.ISOWeek()
		return fmt.Sprintf("%02d", week)
	case 'G':
		year, _ := t.ISOWeek()
		return strconv.Itoa(year)
	case 'k':
		return fmt.Sprintf("%2d", t.Hour())
	case 'l':
		return fmt.Sprintf("%2d", (t.Hour()+11)%12+1)
	case 'n':
		return "\n"
	case 't':
		return "\t"
	case '%':
		return "%"
	}
	return "%" + string(f)
}

func fieldLayout(f byte) string {
	switch f {
	case 'a':
		return "Mon"
	case 'A':
		return "Monday"
	case 'b', 'h':
		return "Jan"
	case 'B':
		return "January"
	case 'c':
		return "Mon Jan _2 15:04:05 2006"
	case 'd':
		return "02"
	case 'D', 'x':
		return "01/02/06"
	case 'e':
		return "_2"
	case 'F':
		return "2006-01-02"
	case 'H':
		return "15"
	case 'I':
		return "03"
	case 'm':
		return "01"
	case 'M':
		return "04"
	case 'p':
		return "PM"
	case 'r':
		return "03:04:05 PM"
	case 'R':
		return "15:04"
	case 'S':
		return "05"
	case 'T', 'X':
		return "15:04:05"
	case 'y':
		return "06"
	case 'Y':
		return "2006"
	case 'z':
		return "-0700"
	case 'Z':
		return "MST"
	}
	return ""
}

// parseDate reads the dates that -d is given: @seconds, ISO dates and times,
// now, today, yesterday, tomorrow, and GNU's "3 days ago", "+1 hour".
func parseDate(s string, now time.Time, loc *time.Location) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if sec, ok := strings.CutPrefix(s, "@"); ok {
		n, err := strconv.ParseInt(sec, 10, 64)
		return time.Unix(n, 0), err == nil && max(n, -n) <= dateMax
	}
	for _, layout := range [...]string{
		"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05",
		"2006.01.02-15:04:05", "200601021504.05", "200601021504", "2006-01-02 15:04:05 -0700", "Mon Jan _2 15:04:05 MST 2006", "20060102",
	} {
		if t, err := time.ParseInLocation(layout, s, loc); err == nil {
			return t, true
		}
	}
	if t, err := time.ParseInLocation("15:04:05", s, loc); err == nil {
		y, m, d := now.In(loc).Date()
		return time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), 0, loc), true
	}
	return relativeDate(s, now)
}

// dateMax is the last second that GNU date knows, of the year 2147485547; countMax
// bounds the numbers of relative dates, so that no sum of them overflows.
const (
	dateMax  = 67768036191676799
	countMax = 1 << 40
)

// addSeconds is t.Add for more than the 292 years of a time.Duration.
func addSeconds(t time.Time, n int) time.Time {
	return time.Unix(t.Unix()+int64(n), int64(t.Nanosecond())).In(t.Location())
}

func relativeDate(s string, now time.Time) (time.Time, bool) {
	words := strings.Fields(strings.ToLower(s))
	n, known := 1, false
	for i, w := range words {
		if v, err := strconv.Atoi(w); err == nil {
			n, known = v, false
			continue
		}
		count := n
		if i+1 < len(words) && words[i+1] == "ago" {
			count = -n
		}
		known = true
		if max(count, -count) > countMax {
			return now, false
		}
		switch strings.TrimSuffix(w, "s") {
		case "now", "today", "ago":
		case "yesterday":
			now = now.AddDate(0, 0, -1)
		case "tomorrow":
			now = now.AddDate(0, 0, 1)
		case "second", "sec":
			now = addSeconds(now, count)
		case "minute", "min":
			now = addSeconds(now, 60*count)
		case "hour":
			now = addSeconds(now, 3600*count)
		case "day":
			now = now.AddDate(0, 0, count)
		case "week":
			now = now.AddDate(0, 0, 7*count)
		case "month":
			now = now.AddDate(0, count, 0)
		case "year":
			now = now.AddDate(count, 0, 0)
		default:
			return now, false
		}
		n = 1
	}
	return now, known
}
