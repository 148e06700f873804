package channel

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
)

// A reply that is longer than the caller takes, or cannot be packed, is a refusal that says so, and that the function ran.
func TestReplies(t *testing.T) {
	long := box.Values{Gob: make([]byte, 1000)}
	many := box.Values{Bulk: make([][]byte, box.MaxSegments)}
	for name, c := range map[string]struct {
		replies *Replies
		values  box.Values
		why     string
	}{
		"fits":                {&Replies{Max: 2000}, long, ""},
		"fits, in a session":  {&Replies{Max: 2000, Session: true}, long, ""},
		"too long":            {&Replies{Max: 999}, long, "more than the 999 that the caller takes"},
		"too long, a session": {&Replies{Max: 999, Session: true}, long, "more than the 999 that the caller takes"},
		"too many segments":   {&Replies{}, many, "more than the limit of 4096"},
	} {
		t.Run(name, func(t *testing.T) {
			segments, sent, err := c.replies.Pack(&box.Reply{Results: c.values, Dropped: 7})
			if err != nil || sent == nil {
				t.Fatal(err)
			}
			sent()
			r, err := box.ReplyFromSegments(segments)
			if err != nil || r.Dropped != 7 {
				t.Fatalf("%+v, %v", r, err)
			}
			var encoding *box.EncodingError
			switch {
			case c.why == "" && (r.Refusal != nil || len(r.Results.Gob) != len(long.Gob)):
				t.Errorf("%+v", r)
			case c.why != "" && (r.Refusal == nil || !r.Refusal.Ran || !errors.As(r.Err(), &encoding) || !strings.Contains(r.Err().Error(), c.why)):
				t.Errorf("%+v", r.Refusal)
			}
		})
	}
}
