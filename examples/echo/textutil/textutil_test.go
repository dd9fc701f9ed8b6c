package textutil

import (
	"reflect"
	"testing"
)

func TestReverse(t *testing.T) {
	for in, want := range map[string]string{"": "", "abc": "cba", "añb": "bña"} {
		if got := Reverse(in); got != want {
			t.Errorf("Reverse(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestIsPalindrome(t *testing.T) {
	for in, want := range map[string]bool{
		"":                             false,
		"a":                            false,
		"Otto":                         true,
		"Was it a car or a cat I saw?": true,
		"no palindrome at all.":        false,
	} {
		if got := IsPalindrome(in); got != want {
			t.Errorf("IsPalindrome(%q) = %v, want %v", in, got, want)
		}
	}
}

func TestTitle(t *testing.T) {
	for in, want := range map[string]string{"": "", "ada": "Ada", "élan": "Élan", "\xff": "\ufffd"} {
		if got := Title(in); got != want {
			t.Errorf("Title(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestTallyOfWords(t *testing.T) {
	got := Tally(Words("To be, or not to be: that's it."))
	want := map[string]int{"to": 2, "be": 2, "or": 1, "not": 1, "that's": 1, "it": 1}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSortedKeys(t *testing.T) {
	got := SortedKeys(map[int]bool{3: true, 1: false, 2: true})
	if want := []int{1, 2, 3}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
