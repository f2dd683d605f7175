// Greets whoever calls.
package main

import (
	"fmt"
	"log"
)

func Handler(input map[string]interface{}) (map[string]interface{}, error) {
	name, ok := input["name"].(string)
	if !ok || name == "" {
		return nil, fmt.Errorf("name is missing")
	}
	log.Printf("greeting %s", name)
	return map[string]interface{}{"message": fmt.Sprintf("Hello, %s!", name)}, nil
}
