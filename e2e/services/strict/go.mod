module example.com/services/strict

go 1.26.0
