package main

type deeper[T any] struct{ next *deeper[deeper[T]] }

func Handler(_ deeper[int]) (int, error) { return 0, nil }
