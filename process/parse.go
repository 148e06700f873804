package process

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxConfig is how long the text of a Config may be.
const maxConfig = 1 << 20

// ParseConfig reads a Config from JSON, such as {"name": "web", "cmdline": "httpd -f"}. It refuses fields that it does not
// know, or finds twice, a Config without a name or a program, and what [Config.Check] does. The error is a *ConfigError,
// with the field that is wrong.
func ParseConfig(text []byte) (Config, error) {
	var c Config
	if len(text) > maxConfig {
		return c, c.wrong("json", fmt.Sprintf("%d bytes: at most %d", len(text), maxConfig))
	}
	d := json.NewDecoder(bytes.NewReader(text))
	err := members(d, func(field string, value json.RawMessage) error { return c.parse(field, value) })
	var wrong *ConfigError
	switch {
	case errors.As(err, &wrong):
		return Config{}, wrong
	case err != nil:
		return Config{}, &ConfigError{Field: "json", Why: "it is no config", Err: err}
	}
	if _, err := d.Token(); err != io.EOF { //nolint:errorlint // a Decoder gives io.EOF itself
		return Config{}, c.wrong("json", "more follows the config")
	}
	if c.Name == "" {
		return Config{}, c.wrong("name", "it is missing")
	}
	return c, c.Check()
}

// parse reads one field.
func (c *Config) parse(field string, value json.RawMessage) error {
	if bytes.HasPrefix(value, []byte("{")) {
		within := json.NewDecoder(bytes.NewReader(value))
		err := members(within, func(name string, value json.RawMessage) error {
			if field != "limits" {
				return nil
			}
			if err := new(Limit).UnmarshalJSON(value); err != nil {
				return c.wrong("limits."+cutText(name), err.Error())
			}
			return nil
		})
		var wrong *ConfigError
		if errors.As(err, &wrong) {
			return wrong
		}
		if err != nil {
			return c.wrong(cutText(field), err.Error())
		}
	}
	name, err := json.Marshal(field)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(fmt.Appendf(nil, "{%s:%s}", name, value)))
	d.DisallowUnknownFields()
	var kind *json.UnmarshalTypeError
	switch err := d.Decode(c); {
	case err == nil && field == strings.ToLower(field):
		return nil
	case err == nil, strings.Contains(err.Error(), "unknown field"):
		return c.wrong(cutText(field), "there is no such field")
	case errors.As(err, &kind):
		return c.wrong(field, fmt.Sprintf("it cannot be a %s", cutText(kind.Value)))
	default:
		return c.wrong(field, err.Error())
	}
}

// members calls f with each member of an object, none of which may be there twice.
func members(d *json.Decoder, f func(name string, value json.RawMessage) error) error {
	if begin, err := d.Token(); err != nil {
		return err
	} else if begin != json.Delim('{') {
		return errors.New("an object is wanted, {…}")
	}
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		if seen[name] {
			return fmt.Errorf("%.80q is there twice", name)
		}
		seen[name] = true
		if err := f(name, value); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// cutText is a text for an error.
func cutText(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
