module example.com/services/names

go 1.26.0
