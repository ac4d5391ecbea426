module example.com/services/disk

go 1.26.0
