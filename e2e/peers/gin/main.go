// Gin is gin-gonic/gin with the middleware of gin-contrib.
package main

import (
	"fmt"
	"maps"
	"net/http"

	"github.com/gin-contrib/gzip"
	"github.com/gin-contrib/requestid"
	"github.com/gin-contrib/secure"
	"github.com/gin-gonic/gin"

	"heroku-go-example/e2e/peers/answer"
)

func main() {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.Use(requestid.New())
	engine.Use(gin.LoggerWithFormatter(func(p gin.LogFormatterParams) string {
		return fmt.Sprintf("method=%s path=%s status=%d bytes=%d duration=%s request_id=%s\n",
			p.Method, p.Path, p.StatusCode, p.BodySize, p.Latency, p.Request.Header.Get("X-Request-Id"))
	}))
	engine.Use(gin.Recovery())
	engine.Use(secure.New(secure.Config{
		ContentSecurityPolicy: answer.Header.Get("Content-Security-Policy"),
		ReferrerPolicy:        "no-referrer",
		ContentTypeNosniff:    true,
		STSSeconds:            31536000, SSLProxyHeaders: map[string]string{"X-Forwarded-Proto": "https"},
	}))
	engine.Use(gzip.Gzip(gzip.DefaultCompression))
	rest := answer.Rest(answer.Security...)
	engine.GET("/", func(c *gin.Context) {
		maps.Copy(c.Writer.Header(), rest)
		c.Data(http.StatusOK, "text/html; charset=utf-8", answer.Page)
	})
	answer.Serve(engine)
}
