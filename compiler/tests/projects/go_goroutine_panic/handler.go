package main

import "time"

func Handler(input string) (string, error) {
	go func() { panic("in the background") }()
	time.Sleep(10 * time.Second)
	return "", nil
}
