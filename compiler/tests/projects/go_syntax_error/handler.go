package main

func Handler(input string) (string, error) {
	return input nil
}
