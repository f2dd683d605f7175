module example.com/reader

go 1.21

require example.com/host v1.0.0

replace example.com/host => /etc
