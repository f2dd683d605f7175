package main

import "os"

func Handler(status int) (string, error) {
	os.Exit(status)
	return "", nil
}
