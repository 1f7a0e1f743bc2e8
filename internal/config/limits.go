package config

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// within reports whether a number, duration or size lies within its min and max tags.
func within(v reflect.Value, l limits) bool {
	if l.min != "" && compare(v, limit(v.Type(), "min", l.min)) < 0 {
		return false
	}
	return l.max == "" || compare(v, limit(v.Type(), "max", l.max)) <= 0
}

// limit reads a min or max tag in the notation of the field it bounds. A tag that can't be read is a mistake in the
// program.
func limit(t reflect.Type, tag, text string) reflect.Value {
	v := reflect.New(t).Elem()
	var err error
	switch t {
	case durationType:
		var value time.Duration
		value, err = time.ParseDuration(text)
		v.SetInt(int64(value))
	case sizeType:
		var value Size
		value, err = ParseSize(text)
		v.SetInt(int64(value))
	default:
		err = setNumber(v, text)
	}
	if err != nil {
		panic(fmt.Sprintf("config: tag %s:%q does not fit a field of type %s: %v", tag, text, t, err))
	}
	return v
}

// setNumber reads a number into a field. The error is strconv.ErrRange where the number does not fit.
//
// Integers are decimal, or hexadecimal, octal or binary with 0x, 0o or 0b. A leading zero is refused: YAML 1.1 takes
// 010 for eight, YAML 1.2 for ten.
func setNumber(v reflect.Value, text string) error {
	digits := strings.TrimLeft(text, "+-")
	if strings.Contains(digits, "_") || len(digits) > 1 && digits[0] == '0' && '0' <= digits[1] && digits[1] <= '9' {
		return strconv.ErrSyntax
	}
	bits := v.Type().Bits
	switch v.Kind() {
	case reflect.Float32, reflect.Float64:
		value, err := strconv.ParseFloat(text, bits())
		if err != nil {
			return unwrapNumError(err)
		}
		if math.IsNaN(value) || math.IsInf(value, 0) || strings.ContainsAny(digits, "xX") {
			return strconv.ErrSyntax
		}
		v.SetFloat(value)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if _, err := strconv.ParseInt(text, 0, 64); err == nil && text[0] == '-' {
			return strconv.ErrRange
		}
		value, err := strconv.ParseUint(strings.TrimPrefix(text, "+"), 0, bits())
		if err != nil {
			return unwrapNumError(err)
		}
		v.SetUint(value)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		value, err := strconv.ParseInt(text, 0, bits())
		if err != nil {
			return unwrapNumError(err)
		}
		v.SetInt(value)
	default:
		return strconv.ErrSyntax
	}
	return nil
}

func unwrapNumError(err error) error { return err.(*strconv.NumError).Err }

// numberRange returns the bounds of a number type as texts.
func numberRange(t reflect.Type) (low, high string) {
	switch t.Kind() {
	case reflect.Float32:
		return fmt.Sprint(-math.MaxFloat32), fmt.Sprint(math.MaxFloat32)
	case reflect.Float64:
		return fmt.Sprint(-math.MaxFloat64), fmt.Sprint(math.MaxFloat64)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "0", fmt.Sprint(uint64(math.MaxUint64) >> (64 - t.Bits()))
	}
	high = fmt.Sprint(int64(math.MaxInt64) >> (64 - t.Bits()))
	return fmt.Sprint(int64(math.MinInt64) >> (64 - t.Bits())), high
}

// compare orders two numbers of the same type.
func compare(a, b reflect.Value) int {
	switch {
	case a.CanInt():
		return cmp.Compare(a.Int(), b.Int())
	case a.CanUint():
		return cmp.Compare(a.Uint(), b.Uint())
	}
	return cmp.Compare(a.Float(), b.Float())
}
