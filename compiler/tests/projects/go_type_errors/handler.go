package main

import "os"

func Handler(input string) (string, error) {
	count := missing(input)
	return 7, nil
}
