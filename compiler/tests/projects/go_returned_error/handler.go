package main

import "fmt"

func Handler(input string) (string, error) {
	return "", fmt.Errorf("no tea for <%s>", input)
}
