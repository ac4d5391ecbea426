module example.com/services/newer

go 1.99
