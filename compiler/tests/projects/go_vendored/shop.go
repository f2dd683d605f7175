package main

import "example.com/prices"

func Handler(name string) (int, error) {
	return prices.Of(name), nil
}
