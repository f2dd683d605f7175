package shop

import "example.com/shop/internal/greet"

func Handler(name string) (string, error) { return greet.Hello(name), nil }
