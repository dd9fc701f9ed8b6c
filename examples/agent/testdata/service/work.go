package main

var calls int

func work() {
	calls++
	if calls < 0 {
		calls = 0
	}
}
