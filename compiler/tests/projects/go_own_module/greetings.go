package greetings

import (
	_ "embed"

	"example.com/greetings/words"
)

//go:embed greeting.txt
var greeting string

func Handler(name string) (string, error) {
	return words.Join(greeting, name), nil
}
