module example.com/services/oddvendor

go 1.26.0

require (
	example.com/odd v1.2.3
	plainmod v1.0.0
)
