module shop

go 1.21
requires x
