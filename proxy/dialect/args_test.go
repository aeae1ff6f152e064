package dialect

import "testing"

func TestArgsObject(t *testing.T) {
	for _, c := range []struct {
		name, raw, want string
		lossy           bool
	}{
		{"an object keeps its bytes", `{"b": 1,"a":12345678901234567890}`, `{"b": 1,"a":12345678901234567890}`, false},
		{"edge 16: nothing is an empty object", "", `{}`, false},
		{"white space", " \n\t", `{}`, false},
		{"null", "null", `{}`, false},
		{"an object in a string", `"{\"a\":1}"`, `{"a":1}`, false},
		{"nothing in a string", `""`, `{}`, false},
		{"text in a string", `"hello"`, `{"_raw":"\"hello\""}`, true},
		{"cut off", `{"a":`, `{"_raw":"{\"a\":"}`, true},
		{"a list", `[1]`, `{"_raw":"[1]"}`, true},
		{"space around", "\n{\"a\":1} ", `{"a":1}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, lossy := argsObject([]byte(c.raw))
			if string(got) != c.want || lossy != c.lossy {
				t.Errorf("got %s, lossy %v; want %s, %v", got, lossy, c.want, c.lossy)
			}
		})
	}
}
