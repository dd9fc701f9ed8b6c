// Command service does what the lines of its input say, until the input ends.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
)

var input = bufio.NewScanner(os.Stdin)

var _ = initialize()

// initialize takes as long as SLOW_INIT wants: until the first line.
func initialize() bool {
	return os.Getenv("SLOW_INIT") == "" || input.Scan()
}

func main() {
	for input.Scan() {
		switch input.Text() {
		case "work":
			work()
			fmt.Println("done")
		case "stacks":
			stacks := make([]byte, 1<<20)
			fmt.Printf("%q\n", stacks[:runtime.Stack(stacks, true)])
		}
	}
}
