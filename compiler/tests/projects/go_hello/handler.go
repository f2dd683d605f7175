package main

import (
	"fmt"
	"os"
)

func Handler(input map[string]interface{}) (map[string]interface{}, error) {
	fmt.Fprintln(os.Stderr, "greeting", input["name"])
	return map[string]interface{}{"message": fmt.Sprintf("Hello, %v!", input["name"])}, nil
}
