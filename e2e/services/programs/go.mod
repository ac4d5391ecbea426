module example.com/services/programs

go 1.26.0
