package plugin_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/plugin"
	"github.com/seed354a1416/deliveryboy/session"
)

// What go-plugin and the plugins log arrives in slog, with their own levels; what they print arrives as of any function.
func TestLogAndOutput(t *testing.T) {
	overAll(t, func(t *testing.T, tg target) {
		var log, out, err buffer
		o := session.Options{Log: slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}), Stdout: &out, Stderr: &err}
		c, p := openRough(t, tg.via, plugin.Options{Session: o})
		ask(t, p, "print", "to stdout")
		ask(t, p, "complain", "to stderr")
		ask(t, p, "log", "a record")
		out.eventually(t, "to stdout\n")
		err.eventually(t, "to stderr\n")
		log.eventually(t, `"level":"WARN","msg":"a record"`)
		for _, want := range []string{
			`"level":"DEBUG","msg":"to stderr"`, `"key":"value"`, `"logger":"plugin.probe"`, `"msg":"using plugin","logger":"plugin","version":4`,
		} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("no %s in\n%s", want, log.String())
			}
		}
		must(t, c.Close())
		log.eventually(t, `"level":"INFO","msg":"plugin process exited"`)
		if strings.Contains(log.String(), `"level":"ERROR"`) {
			t.Error(log.String())
		}
	})
}

// A handler that wants little costs little, and gets no more than it wants.
func TestLogLevel(t *testing.T) {
	leaks(t)
	var log buffer
	_, p := open(t, targets()[0].via, plugin.Options{Session: session.Options{Log: slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})}})
	ask(t, p, "complain", "to stderr")
	ask(t, p, "log", "a record")
	log.eventually(t, "a record")
	if strings.Contains(log.String(), "DEBUG") || strings.Contains(log.String(), "INFO") {
		t.Error(log.String())
	}
}
