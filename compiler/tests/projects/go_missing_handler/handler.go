package main

func handler(input string) (string, error) { return input, nil }
