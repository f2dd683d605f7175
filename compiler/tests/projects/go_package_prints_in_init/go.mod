module zebra

go 1.21
