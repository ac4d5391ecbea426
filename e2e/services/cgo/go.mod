module example.com/services/cgo

go 1.26.0
