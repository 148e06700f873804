package process

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Inherit says how the variables of a Config join those of the process that starts it.
type Inherit string

// The ways to join.
const (
	Under Inherit = "under" // the default: this process's variables, and over them those of the Config
	Over  Inherit = "over"  // those of the Config, and over them this process's
	None  Inherit = "none"  // those of the Config alone
)

// An ID is a user or a group, by name or number; empty: as this process. JSON and TOML may have it as text or as a number.
type ID string

// UnmarshalText takes any text.
func (id *ID) UnmarshalText(text []byte) error {
	*id = ID(text)
	return nil
}

// UnmarshalJSON takes text or a number.
func (id *ID) UnmarshalJSON(text []byte) error {
	var n uint32
	if err := json.Unmarshal(text, &n); err == nil && string(text) != "null" {
		*id = ID(strconv.FormatUint(uint64(n), 10))
		return nil
	}
	return json.Unmarshal(text, (*string)(id))
}

// Unlimited as a limit is none.
const Unlimited uint64 = math.MaxUint64

// A Limit is a resource limit. As text it is "soft:hard", or one number for both; "unlimited" is none.
type Limit struct{ Soft, Hard uint64 }

func (l Limit) String() string {
	if l.Soft == l.Hard {
		return limitText(l.Soft)
	}
	return limitText(l.Soft) + ":" + limitText(l.Hard)
}

func limitText(n uint64) string {
	if n == Unlimited {
		return "unlimited"
	}
	return strconv.FormatUint(n, 10)
}

// MarshalText gives what UnmarshalText takes.
func (l Limit) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText takes "soft:hard", or one number for both.
func (l *Limit) UnmarshalText(text []byte) (err error) {
	soft, hard, two := strings.Cut(string(text), ":")
	if !two {
		hard = soft
	}
	if l.Soft, err = limitNumber(soft); err == nil {
		l.Hard, err = limitNumber(hard)
	}
	if err != nil {
		return fmt.Errorf("limit %.80q: it is a number, or \"unlimited\", or two with a colon between, soft:hard", text)
	}
	return nil
}

func limitNumber(s string) (uint64, error) {
	if s == "unlimited" || s == "infinity" {
		return Unlimited, nil
	}
	return strconv.ParseUint(s, 10, 64)
}

// UnmarshalJSON takes text or a number.
func (l *Limit) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err == nil {
		return l.UnmarshalText([]byte(s))
	}
	return l.UnmarshalText(text)
}

// A Duration is a time.Duration that JSON and TOML have as text, such as "1m30s".
type Duration time.Duration

func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText gives what UnmarshalText takes.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText takes what time.ParseDuration does.
func (d *Duration) UnmarshalText(text []byte) error {
	t, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%w: give a number with a unit, such as 1.5s", err)
	}
	*d = Duration(t)
	return nil
}
