package zebra

import "fmt"

func init() { fmt.Println("init prints") }

func Handler(in int) (int, error) { return in + 1, nil }
