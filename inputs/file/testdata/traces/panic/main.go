// Command panic dies in the way that it is told to.
package main

import (
	"errors"
	"os"
	"time"
)

type tree struct{ left *tree }

func (t *tree) depth() int { return 1 + t.left.depth() }

func deep(n int) int { return deep(n+1) + n }

func main() {
	if os.Args[1] == "deadlock" {
		select {}
	}
	for range 3 {
		go func() { time.Sleep(time.Hour) }()
	}
	time.Sleep(10 * time.Millisecond)
	switch os.Args[1] {
	case "nil":
		_ = (&tree{&tree{}}).depth()
	case "again":
		defer func() { panic(errors.New("again:\nin two lines")) }()
		panic("once")
	case "overflow":
		deep(0)
	}
}
