package greet

func Greet(input string) (string, error) { return input, nil }
