// Echo is labstack/echo with its own middleware.
package main

import (
	"log/slog"
	"maps"
	"net/http"
	"os"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"heroku-go-example/e2e/peers/answer"
)

func main() {
	log := slog.New(slog.NewTextHandler(os.Stdout, nil))
	e := echo.New()
	e.Use(middleware.RequestID())
	e.Use(middleware.RequestLoggerWithConfig(middleware.RequestLoggerConfig{
		LogMethod: true, LogURIPath: true, LogStatus: true, LogResponseSize: true, LogLatency: true, LogRequestID: true,
		LogValuesFunc: func(c echo.Context, v middleware.RequestLoggerValues) error {
			log.LogAttrs(c.Request().Context(), slog.LevelInfo, "request", slog.String("method", v.Method), slog.String("path", v.URIPath),
				slog.Int("status", v.Status), slog.Int64("bytes", v.ResponseSize), slog.Duration("duration", v.Latency),
				slog.String("request_id", v.RequestID))
			return nil
		},
	}))
	e.Use(middleware.Recover())
	e.Use(middleware.SecureWithConfig(middleware.SecureConfig{
		ContentSecurityPolicy: answer.Header.Get("Content-Security-Policy"),
		ReferrerPolicy:        "no-referrer",
		ContentTypeNosniff:    "nosniff",
		HSTSMaxAge:            31536000, HSTSExcludeSubdomains: true,
	}))
	e.Use(middleware.Gzip())
	rest := answer.Rest(answer.Security...)
	e.GET("/", func(c echo.Context) error {
		maps.Copy(c.Response().Header(), rest)
		return c.Blob(http.StatusOK, "text/html; charset=utf-8", answer.Page)
	})
	answer.Serve(e)
}
