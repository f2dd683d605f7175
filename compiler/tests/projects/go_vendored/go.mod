module example.com/shop

go 1.21

require example.com/prices v1.2.0
