package registry

import (
	"fmt"

	"github.com/spillway/spillway/internal/config"
)

// CheckID refuses an id that could not stand in a file name, a metric's label and a command line alike. Empty is fine:
// the id then defaults to the type.
func CheckID(id string) error {
	if id == "" || validName.MatchString(id) {
		return nil
	}
	return config.At("id", fmt.Errorf("%q is no id: want a-z, 0-9 and _", id))
}
