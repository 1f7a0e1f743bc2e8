package timestamp

// Package time parses any layout by interpreting it, byte after byte. Nearly all
// logs have one of two, whose digits stand in fixed places. What is unusual in
// any way is left to package time: these only ever say yes.

// fastCommonLog parses 20/Nov/2026:12:00:00 +0000.
func fastCommonLog(s []byte) (ns int64, ok bool) {
	if len(s) != len(commonLog) || s[2] != '/' || s[6] != '/' || s[11] != ':' || s[14] != ':' || s[17] != ':' || s[20] != ' ' {
		return 0, false
	}
	zone, ok := offset(s[21], s[22:24], s[24:26])
	if !ok {
		return 0, false
	}
	return at(number(s[7:11]), monthNamed(s[3:6]), number(s[0:2]), s[12:20], 0, zone)
}

// fastRFC3339 parses 2026-11-20T12:00:00Z, also with up to nine digits of a
// fraction, and with an offset such as +01:00.
func fastRFC3339(s []byte) (ns int64, ok bool) {
	if len(s) < len("2006-01-02T15:04:05Z") || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	date, clock, s := s[:10], s[11:19], s[19:]
	nanos := 0
	if s[0] == '.' {
		n := 1
		for scale := int(1e8); n < len(s) && s[n]-'0' <= 9; n++ {
			if n > 9 {
				return 0, false
			}
			nanos += int(s[n]-'0') * scale
			scale /= 10
		}
		if n == 1 {
			return 0, false
		}
		s = s[n:]
	}
	zone := 0
	switch {
	case len(s) == 1 && s[0] == 'Z':
	case len(s) == 6 && s[3] == ':':
		if zone, ok = offset(s[0], s[1:3], s[4:6]); !ok {
			return 0, false
		}
	default:
		return 0, false
	}
	return at(number(date[:4]), number(date[5:7]), number(date[8:10]), clock, nanos, zone)
}

// number is the value of digits, or -1.
func number(s []byte) int {
	n := 0
	for _, c := range s {
		if c-'0' > 9 {
			return -1
		}
		n = 10*n + int(c-'0')
	}
	return n
}

// offset is a zone's distance from UTC in seconds.
func offset(sign byte, hours, minutes []byte) (seconds int, ok bool) {
	h, m := number(hours), number(minutes)
	if h < 0 || h > 23 || m < 0 || m > 59 {
		return 0, false
	}
	seconds = h*3600 + m*60
	switch sign {
	case '+':
		return seconds, true
	case '-':
		return -seconds, true
	}
	return 0, false
}

func monthNamed(s []byte) int {
	switch string(s) {
	case "Jan":
		return 1
	case "Feb":
		return 2
	case "Mar":
		return 3
	case "Apr":
		return 4
	case "May":
		return 5
	case "Jun":
		return 6
	case "Jul":
		return 7
	case "Aug":
		return 8
	case "Sep":
		return 9
	case "Oct":
		return 10
	case "Nov":
		return 11
	case "Dec":
		return 12
	}
	return -1
}

// at is the time in nanoseconds. The clock is 15:04:05 with any two bytes
// between.
func at(year, month, day int, clock []byte, nanos, zone int) (ns int64, ok bool) {
	hour, minute, second := number(clock[0:2]), number(clock[3:5]), number(clock[6:8])
	if year < 1700 || year > 2200 || month < 1 || month > 12 || day < 1 || day > 28 && day > daysIn(year, month) ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return 0, false
	}
	seconds := days(year, month, day)*86400 + int64(hour*3600+minute*60+second-zone)
	return seconds*1e9 + int64(nanos), true
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// days counts the days since 1970 in the Gregorian calendar. Its year begins in
// March, so that the leap day is the last.
func days(year, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	return int64(365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 719469)
}
