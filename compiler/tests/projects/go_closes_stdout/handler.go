package main

import (
	"fmt"
	"io"
	"os"
)

func Handler(in int) (int, error) {
	fmt.Println("{}")
	os.Stdout.Close()
	os.Stderr.Close()
	rest, err := io.ReadAll(os.Stdin)
	return len(rest), err
}
