package config

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Error is a mistake in the configuration and the place where it was made.
type Error struct {
	File         string // as given to Load or Parse
	Line, Column int    // from 1; Column counts characters
	Path         string // such as pipelines.web.inputs[0].file; empty for the whole file
	Msg          string

	cause error
}

func (e *Error) Error() string {
	place := fmt.Sprintf("%s:%d:%d: ", e.File, e.Line, e.Column)
	if e.Path != "" {
		place += e.Path + ": "
	}
	return place + e.Msg
}

// Unwrap returns the error that was wrapped with %w, if any.
func (e *Error) Unwrap() error { return e.cause }

// At marks an error returned by a Check method as being about one key of its struct, or about one item of its list
// (paths[0]), so that it is reported at the place where that was written. It returns nil for a nil error.
func At(key string, err error) error {
	if err == nil {
		return nil
	}
	return &keyError{key: key, err: err}
}

type keyError struct {
	key string
	err error
}

func (e *keyError) Error() string { return e.key + ": " + e.err.Error() }
func (e *keyError) Unwrap() error { return e.err }

// Join joins errors into one, as errors.Join does: joined errors among them are taken apart, what is said twice is
// said once, and errors with a place come first, sorted by file, line and column. It returns nil if there are none.
func Join(errs ...error) error {
	var all []error
	for _, err := range errs {
		all = append(all, flatten(err)...)
	}
	slices.SortStableFunc(all, byPlace)
	all = slices.CompactFunc(all, func(a, b error) bool { return a.Error() == b.Error() })
	return errors.Join(all...)
}

func byPlace(a, b error) int {
	x, xok := a.(*Error)
	y, yok := b.(*Error)
	switch {
	case xok && yok:
		return cmp.Or(
			strings.Compare(x.File, y.File),
			cmp.Compare(x.Line, y.Line),
			cmp.Compare(x.Column, y.Column),
		)
	case xok:
		return -1
	case yok:
		return 1
	}
	return 0
}

// An error made by fmt.Errorf with several %w also has an Unwrap() []error, but words of its own that must not be lost.
var joined = reflect.TypeOf(errors.Join(errors.ErrUnsupported))

func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if reflect.TypeOf(err) != joined {
		return []error{err}
	}
	var all []error
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}
