package e2e

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

func TestTheButtonMakesAnAppThatRuns(t *testing.T) {
	var app struct {
		Stack     string
		Formation map[string]struct{ Quantity int }
		Env       map[string]struct{ Value string }
	}
	if err := json.Unmarshal([]byte(read(t, "../app.json")), &app); err != nil {
		t.Fatal(err)
	}
	if app.Stack != "container" || app.Formation["web"].Quantity < 1 {
		t.Errorf("got the stack %q and the formation %v, want container and a web dyno", app.Stack, app.Formation)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(app.Env["LOG_LEVEL"].Value)); err != nil {
		t.Errorf("LOG_LEVEL: %v", err)
	}
}

func TestAppJSONFollowsHerokusSchema(t *testing.T) {
	const script = `
		const Ajv = require("ajv"), fs = require("fs")
		const schema = JSON.parse(fs.readFileSync("app-json.schema.json"))
		schema.definitions.stack.enum.push("container") // The schema does not know it; the documentation does.
		const ajv = new Ajv()
		require("ajv-formats").default(ajv)
		const validate = ajv.compile(schema)
		if (!validate(JSON.parse(fs.readFileSync(process.argv[1])))) throw validate.errors`
	const node = "node -e '" + script + "' "
	run(t, ".tools", os.Environ(), node+"../../app.json")
	wrong := filepath.Join(t.TempDir(), "app.json")
	if err := os.WriteFile(wrong, []byte(`{"formation": {"web": {"quantity": 1, "size": "tiny"}}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := try(t, ".tools", os.Environ(), node+wrong); err == nil {
		t.Errorf("a size that there is not is taken: %s", out)
	}
}
