package pipeline

import "testing"

func TestNumbersAreComparedByValue(t *testing.T) {
	for _, tt := range []struct {
		got, want string
		same      bool
	}{
		{`{"n":1.50}`, `{"n":1.5}`, true},
		{`{"n":1e2}`, `{"n":100}`, true},
		{`{"n":{"a":[1,2.0]}}`, `{"n":{"a":[1,2]}}`, true},
		{`{"n":9007199254740993}`, `{"n":9007199254740992}`, false},
		{`{"n":"1"}`, `{"n":1}`, false},
		{`{"n":1}`, `{"n":"1"}`, false},
		{`{"n":{"a":1,"b":2}}`, `{"n":{"a":1}}`, false},
		{`{"n":[1]}`, `{"n":[1,2]}`, false},
		{`{"n":null}`, `{"n":0}`, false},
	} {
		got, err := decodeObject([]byte(tt.got))
		if err != nil {
			t.Fatal(err)
		}
		want, err := decodeObject([]byte(tt.want))
		if err != nil {
			t.Fatal(err)
		}
		if same(got["n"], want["n"]) != tt.same {
			t.Errorf("%s as %s is wanted: same is not %t", tt.got, tt.want, tt.same)
		}
	}
}
