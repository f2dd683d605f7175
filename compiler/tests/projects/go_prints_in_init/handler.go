package main

import (
	"fmt"

	"function/aaa"
)

var greeting = say("a variable prints")

func init() { fmt.Println("init prints") }

func say(text string) string {
	fmt.Println(text)
	return text
}

func Handler(in int) (int, error) { return in + len(greeting) + aaa.Zero, nil }
