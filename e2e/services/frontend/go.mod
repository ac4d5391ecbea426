module example.com/services/frontend

go 1.26.0

ignore ./frontend/node_modules
