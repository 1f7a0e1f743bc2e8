package registry

import "testing"

func TestIDsAreSafeEverywhere(t *testing.T) {
	for id, valid := range map[string]bool{
		"": true, "copy": true, "copy_2": true, "Copy": false, "a-b": false, "a/b": false, "..": false, "a b": false, "a\n": false,
	} {
		if err := CheckID(id); (err == nil) != valid {
			t.Errorf("%q: %v", id, err)
		}
	}
	const want = `id: "../x" is no id: want a-z, 0-9 and _`
	if err := CheckID("../x"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
