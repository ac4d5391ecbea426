// Fiber is gofiber/fiber, which is made of fasthttp in place of net/http, with its own middleware.
package main

import (
	"os"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/compress"
	"github.com/gofiber/fiber/v3/middleware/helmet"
	"github.com/gofiber/fiber/v3/middleware/logger"
	"github.com/gofiber/fiber/v3/middleware/recover"
	"github.com/gofiber/fiber/v3/middleware/requestid"

	"heroku-go-example/e2e/peers/answer"
)

func main() {
	app := fiber.New(fiber.Config{ReadTimeout: 10 * time.Second, IdleTimeout: 120 * time.Second})
	app.Use(requestid.New())
	app.Use(logger.New(logger.Config{Format: "method=${method} path=${path} status=${status} bytes=${bytesSent} duration=${latency} " +
		"request_id=${respHeader:X-Request-ID}\n"}))
	app.Use(recover.New())
	app.Use(helmet.New(helmet.Config{
		ContentSecurityPolicy: answer.Header.Get("Content-Security-Policy"),
		HSTSMaxAge:            31536000, HSTSExcludeSubdomains: true,
	}))
	app.Use(compress.New())
	rest := answer.Rest(append(answer.Security, "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy", "Content-Length")...)
	rest["Strict-Transport-Security"] = answer.Header["Strict-Transport-Security"] // helmet asks for TLS.
	app.Get("/", func(c fiber.Ctx) error {
		for name, values := range rest {
			c.Set(name, values[0])
		}
		return c.Send(answer.Page)
	})
	panic(app.Listen(":"+os.Getenv("PORT"), fiber.ListenConfig{DisableStartupMessage: true}))
}
