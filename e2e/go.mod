module heroku-go-example/e2e

go 1.26.0
