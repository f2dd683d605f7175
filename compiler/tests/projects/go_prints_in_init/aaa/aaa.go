package aaa

import "fmt"

var Zero = 0

func init() { fmt.Println("a package below prints") }
