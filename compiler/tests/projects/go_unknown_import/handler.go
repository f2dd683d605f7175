package main

import (
	"github.com/google/uuid"
	"nosuch"
)

func Handler(input string) (string, error) { return uuid.NewString() + nosuch.X, nil }
