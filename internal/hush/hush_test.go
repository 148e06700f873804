package hush

import (
	"bytes"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestHush: of what one causes at once a few lines are written, of others their own, and all is counted.
func TestHush(t *testing.T) {
	var text bytes.Buffer
	h := Hush{Log: slog.New(slog.NewTextHandler(&text, nil))}
	for range 1000 {
		h.Warn("uid 7", h.Log, "refused")
	}
	h.Warn("uid 8", h.Log, "busy")
	for i := range 2 * maxPeers {
		h.Warn("address "+strconv.Itoa(i), h.Log, "unknown")
	}
	if n := len(h.peers); n > maxPeers+1 {
		t.Errorf("%d peers are kept", n)
	}
	h.End()
	said := text.String()
	written := strings.Count(said, "msg=refused")
	for _, left := range regexp.MustCompile(`peer="uid 7" "left out"=(\d+)`).FindAllStringSubmatch(said, -1) {
		n, _ := strconv.Atoi(left[1])
		written += n
	}
	if written != 1000 || strings.Count(said, "msg=refused") > 500 || strings.Count(said, "msg=busy") != 1 || !strings.Contains(said, "peer=others") {
		t.Errorf("%d of 1000 are accounted for, %d written", written, strings.Count(said, "msg=refused"))
	}
}

// A spell ends by itself, and then lines pass again.
func TestSpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		h := Hush{Log: slog.New(slog.NewTextHandler(&text, nil)), Lines: 2, Span: time.Minute}
		for range 3 {
			for range 10 {
				h.Warn("a", h.Log, "refused")
			}
			time.Sleep(time.Minute + time.Second)
		}
		h.End()
		if n, m := strings.Count(text.String(), "msg=refused"), strings.Count(text.String(), `"left out"=8`); n != 6 || m != 3 {
			t.Errorf("%d lines, %d sums\n%s", n, m, text.String())
		}
	})
}
