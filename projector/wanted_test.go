package projector

import "testing"

func TestPossibleKeys(t *testing.T) {
	for _, test := range []struct {
		base, key string
		want      bool
	}{
		{"int8", "42", true}, {"int8", "-9223372036854775808", true}, {"int8", "9223372036854775808", false}, {"int2", "32768", false},
		{"int4", "042", false}, {"int4", "1; DROP", false}, {"int4", "", false},
		{"uuid", "c3000000-0000-4000-8000-000000000001", true}, {"uuid", "abc", false}, {"uuid", "C3000000-0000-4000-8000-000000000001", false},
		{"text", "anything: 'at' all", true}, {"text", "a\x00b", false}, {"varchar", "\xff", false},
	} {
		if got := possible(test.base, test.key); got != test.want {
			t.Errorf("possible(%s, %q) = %v", test.base, test.key, got)
		}
	}
}
