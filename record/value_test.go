package record

import (
	"math"
	"testing"
	"time"
)

func TestValuesReadBack(t *testing.T) {
	b := NewBatch()
	defer b.Release()
	for _, i := range []int64{0, -1, math.MaxInt64, math.MinInt64, 1<<53 + 1} {
		if got, ok := b.Int(i).Int64(); !ok || got != i {
			t.Errorf("%d reads back as %d", i, got)
		}
	}
	for _, f := range []float64{0, -1.5, 1e300, math.SmallestNonzeroFloat64, math.MaxFloat64, 0.1} {
		if got, ok := b.Float(f).Float64(); !ok || got != f {
			t.Errorf("%g reads back as %g", f, got)
		}
	}
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if k := b.Float(f).Kind(); k != Null {
			t.Errorf("%g is a %v", f, k)
		}
	}
	for _, want := range []bool{true, false} {
		if got, ok := b.Bool(want).Bool(); !ok || got != want {
			t.Errorf("%v reads back as %v", want, got)
		}
	}
	for _, ns := range []int64{0, -1, math.MaxInt64, math.MinInt64, 1795176000_000000001} {
		v := b.Time(ns)
		if got, ok := v.Time(); !ok || got != ns {
			t.Errorf("%d reads back as %d from %q", ns, got, v.Bytes())
		}
		if want := time.Unix(0, ns).UTC().Format(time.RFC3339Nano); string(v.Bytes()) != want {
			t.Errorf("%d is %q", ns, v.Bytes())
		}
	}
}

func TestValuesAreNoOtherKind(t *testing.T) {
	b := NewBatch()
	defer b.Release()
	s := b.String("1")
	if _, ok := s.Int64(); ok {
		t.Error("a string is an integer")
	}
	if _, ok := s.Float64(); ok {
		t.Error("a string is a float")
	}
	if _, ok := s.Bool(); ok {
		t.Error("a string is a boolean")
	}
	if _, ok := s.Time(); ok {
		t.Error("a string is a time")
	}
	big := b.Value(b.Text("12345678901234567890"), Int, Clean)
	if _, ok := big.Int64(); ok {
		t.Error("an integer of 20 digits fits into an int64")
	}
	if f, ok := big.Float64(); !ok || f != 12345678901234567890 {
		t.Errorf("it is %g as a float", f)
	}
	if got := b.Value(b.Text("x"), Time, Plain); func() bool { _, ok := got.Time(); return ok }() {
		t.Error("x is a time")
	}
}

func TestStringKnowsWhetherItIsClean(t *testing.T) {
	b := NewBatch()
	defer b.Release()
	for s, want := range map[string]Form{"plain": Clean, "": Clean, "é": Clean, `a"b`: Plain, "a\nb": Plain, "\xff": Plain} {
		if got := b.String(s).Form(); got != want {
			t.Errorf("%q has form %d", s, got)
		}
	}
}

func TestSliceKeepsItsForm(t *testing.T) {
	b := NewBatch()
	defer b.Release()
	v := b.String("GET /path")
	if got := v.Slice(4, 9); string(got.Bytes()) != "/path" || got.Form() != Clean || got.Kind() != String {
		t.Errorf("slice is %v %d %q", got.Kind(), got.Form(), got.Bytes())
	}
	if got := v.Slice(0, 0).As(Int); got.Kind() != Int || len(got.Bytes()) != 0 {
		t.Errorf("empty slice is %v %q", got.Kind(), got.Bytes())
	}
}
