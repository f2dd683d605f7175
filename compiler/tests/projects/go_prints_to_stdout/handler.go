package main

import (
	"fmt"
	"os"
	"syscall"
)

func Handler(input string) (string, error) {
	fmt.Println("printed by mistake")
	os.Stdout.WriteString("{\"written\":1}\n")
	syscall.Write(1, []byte("raw\n"))
	return input, nil
}
