package batch

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
)

// sameMemory says whether part lies inside whole.
func sameMemory(part, whole string) bool {
	p, w := uintptr(unsafe.Pointer(unsafe.StringData(part))), uintptr(unsafe.Pointer(unsafe.StringData(whole)))
	return p >= w && p < w+uintptr(len(whole))
}

func TestDirtyZero(t *testing.T) {
	var d Dirty
	if !d.Empty() || d.Size() != 0 || d.Paths() != nil || d.Whole() != nil || d.Len(3) != 0 || d.IsWhole(0) {
		t.Errorf("the zero value is not empty: %+v", d)
	}
	for v := range d.Values(3) {
		t.Errorf("value %q", v)
	}
	d.Drop(3)
	d.Merge(Dirty{})
	if !d.Empty() {
		t.Error("not empty after merging nothing")
	}
	d.AddWhole(0)
	if d.Empty() || !d.IsWhole(0) {
		t.Error("a whole model does not count")
	}
}

// Dirty does what a plain set of pairs does.
func TestDirtyModel(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var d Dirty
		set := map[string]bool{}
		fill := func(into *Dirty) {
			for range rnd.IntN(40) {
				path, v := rnd.IntN(3), strconv.Itoa(rnd.IntN(30))
				into.Add(path, Value(v))
				set[strconv.Itoa(path)+"/"+v] = true
			}
		}
		for range 10 {
			fill(&d)
			var other Dirty
			fill(&other)
			d.Merge(other)
			if rnd.IntN(4) == 0 {
				d.Drop(1)
				for k := range set {
					if strings.HasPrefix(k, "1/") {
						delete(set, k)
					}
				}
			}
			got := map[string]bool{}
			for _, p := range d.Paths() {
				n := 0
				for v := range d.Values(p) {
					got[strconv.Itoa(p)+"/"+string(v)] = true
					n++
				}
				if n != d.Len(p) {
					t.Fatalf("seed %d: path %d yields %d of %d", seed, p, n, d.Len(p))
				}
			}
			if diff := cmp.Diff(set, got); diff != "" || d.Size() != len(set) {
				t.Fatalf("seed %d: size %d, want %d: %s", seed, d.Size(), len(set), diff)
			}
		}
	}
}

func TestSpillTrim(t *testing.T) {
	s := NewSpill(testPlan(), 4)
	var d Dirty
	for i := range 3 {
		d.Add(pathPost, Value(strconv.Itoa(i)))
	}
	d.Add(pathUser, "u")
	s.Trim(&d)
	if d.Size() != 4 || d.Whole() != nil {
		t.Errorf("spilled within the limit: %+v", contents(&d))
	}
	d.Add(pathPostComments, "p")
	s.Trim(&d)
	want := held{Whole: []int{modelPost}, Values: map[int][]Value{pathUser: {"u"}}}
	if diff := cmp.Diff(want, contents(&d)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	d.Add(pathPostAuthor, "u")
	s.Trim(&d)
	if diff := cmp.Diff(want, contents(&d)); diff != "" {
		t.Errorf("values of a whole model stay: -want +got\n%s", diff)
	}
	if NewSpill(testPlan(), 0).Limit() != DefaultLimit {
		t.Error("no default limit")
	}
}

func TestJoinSplit(t *testing.T) {
	for _, texts := range [][]string{{""}, {"a"}, {"3:abc"}, {"", ""}, {"a", ""}, {"1:a", ":"}, {"ä", "\x00", "7"}, {"12:", "3"}} {
		got, err := Join(texts...).Split(len(texts))
		if err != nil || !cmp.Equal(texts, got) {
			t.Errorf("%q → %q → %q, %v", texts, Join(texts...), got, err)
		}
	}
	if Join("a:b") != "a:b" {
		t.Error("a single column is not the text itself")
	}
	for _, v := range []Value{"", "a", "1:a", "1:a1:b1:c", "2:a", "-1:a1:b", "x:a1:b", "1a1:b", "99999999999999999999:a"} {
		if got, err := v.Split(2); err == nil {
			t.Errorf("%q split into %q", v, got)
		}
	}
}

func FuzzJoinSplit(f *testing.F) {
	f.Add("1:a", "")
	f.Fuzz(func(t *testing.T, a, b string) {
		got, err := Join(a, b).Split(2)
		if err != nil || got[0] != a || got[1] != b {
			t.Errorf("%q, %q → %q, %v", a, b, got, err)
		}
		if texts, err := Value(a).Split(2); err == nil && len(texts) != 2 {
			t.Errorf("%q → %q", a, texts)
		}
	})
}

func TestParseSnapshotErrors(t *testing.T) {
	for _, text := range []string{"", "1:2", "1:2:3:4", "a:2:", "1:b:", "1:5:x", "5:1:", "3:5:7", "3:5:2", "3:5:5", "1:5:2,", "-1:5:", "99999999999999999999:1:"} {
		if s, err := ParseSnapshot(text); !errors.Is(err, ErrSnapshot) {
			t.Errorf("%q: %+v, %v", text, s, err)
		}
	}
}

func TestSnapshotVisible(t *testing.T) {
	const epoch = 1 << 32
	for _, c := range []struct {
		text string
		xid  XID
		want bool
	}{
		{"10:20:", 9, true}, {"10:20:", 15, true}, {"10:20:", 20, false}, {"10:20:", 21, false},
		{"10:20:10,15,18", 10, false}, {"10:20:18,15,10", 15, false}, {"10:20:10,15,18", 16, true}, {"10:10:", 10, false}, {"10:10:", 9, true},
		{"10:20:", 1<<32 - 5, false},                          // ahead of the first epoch: nothing is behind it
		{full(epoch+5, epoch+10), 1<<32 - 5, true},            // of the epoch before
		{full(epoch-10, epoch+10, epoch-3), 1<<32 - 3, false}, // running across the boundary
		{full(epoch-10, epoch+10, epoch-3), 1<<32 - 4, true},  //
		{full(epoch-10, epoch+10, epoch+3), 3, false},         //
		{full(epoch-10, epoch+10, epoch+3), 4, true},          //
		{full(epoch-10, epoch-5), 3, false},                   // of the epoch after
		{full(3*epoch+10, 3*epoch+10), 5, true},               //
		{full(3*epoch+10, 3*epoch+10), 1<<31 + 5, false},      // nearer above than below
		{full(3*epoch+10, 3*epoch+10), 1<<31 + 15, true},      // nearer below than above
		{full(1<<64-10, 1<<64-5), 1<<32 - 7, true},            // the end of all time
		{full(1<<64-10, 1<<64-5), 3, true},                    // wraps nowhere
	} {
		s, err := ParseSnapshot(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Visible(c.xid); got != c.want {
			t.Errorf("%s sees %d: %v (as %d)", c.text, c.xid, got, s.Widen(c.xid))
		}
	}
}

// full writes a snapshot as text.
func full(xmin, xmax uint64, xip ...uint64) string {
	texts := make([]string, len(xip))
	for i, x := range xip {
		texts[i] = strconv.FormatUint(x, 10)
	}
	return strconv.FormatUint(xmin, 10) + ":" + strconv.FormatUint(xmax, 10) + ":" + strings.Join(texts, ",")
}

// The model works on 64-bit ids throughout and only cuts them for the call:
// whatever lies within 2^31 of xmax must come out the same.
func TestSnapshotModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		xmax := rnd.Uint64N(5<<32) + 3
		if rnd.IntN(2) == 0 { // near an epoch's boundary
			xmax = (rnd.Uint64N(4)+1)<<32 + rnd.Uint64N(40) - 20
		}
		xmin := xmax - rnd.Uint64N(min(xmax, 40))
		running := map[uint64]bool{}
		for x := xmin; x < xmax; x++ {
			if rnd.IntN(3) == 0 {
				running[x] = true
			}
		}
		var xip []uint64
		for x := range running {
			xip = append(xip, x)
		}
		s, err := ParseSnapshot(full(xmin, xmax, xip...))
		if err != nil {
			t.Fatal(err)
		}
		back := min(xmax, 1<<31-1)
		xid := xmax - back + rnd.Uint64N(back+1<<31)
		if rnd.IntN(2) == 0 {
			xid = xmax - rnd.Uint64N(min(xmax, 50)) + rnd.Uint64N(10)
		}
		want := xid < xmin || xid < xmax && !running[xid]
		if got := s.Visible(XID(xid)); got != want || s.Widen(XID(xid)) != FullXID(xid) {
			t.Fatalf("%+v sees %d: %v, want %v (as %d)", s, xid, got, want, s.Widen(XID(xid)))
		}
	}
}
