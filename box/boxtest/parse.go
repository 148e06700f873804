package boxtest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os/user"
	"reflect"
	"strconv"
	"testing"
	"time"
)

// jsonCases are the failures of encoding/json, all of them real.
func jsonCases() []Case {
	var n int
	var config struct{ Port int }
	var nothing, number any = nil, 1
	return []Case{
		{Name: "json with a bad sign",
			Make: func() error { return json.Unmarshal([]byte(`{"a":!}`), &n) },
			also: as(func(t testing.TB, got, own *json.SyntaxError) { equal(t, "SyntaxError", *got, *own) })},
		{Name: "json of the wrong type",
			Make: func() error { return json.Unmarshal([]byte(`"text"`), new(int)) },
			also: as(func(t testing.TB, got, own *json.UnmarshalTypeError) {
				equal(t, "Type", got.Type, reflect.TypeFor[int]())
				equal(t, "UnmarshalTypeError", *got, *own)
			})},
		{Name: "json of the wrong type in a field",
			Make: func() error { return json.Unmarshal([]byte(`{"Port":"x"}`), &config) },
			also: as(func(t testing.TB, got, own *json.UnmarshalTypeError) { equal(t, "UnmarshalTypeError", *got, *own) })},
		{Name: "json into a type of the program", // the type cannot travel: text and Type remain
			Make: func() error { return json.Unmarshal([]byte(`[]`), new(Refusal)) },
			also: image("*json.UnmarshalTypeError")},
		{Name: "json of a channel",
			Make: func() error { _, err := json.Marshal(make(chan int)); return err },
			also: as(func(t testing.TB, got, own *json.UnsupportedTypeError) { equal(t, "Type", got.Type, own.Type) })},
		{Name: "json of no number",
			Make: func() error { _, err := json.Marshal(math.Inf(1)); return err },
			also: as(func(t testing.TB, got, own *json.UnsupportedValueError) {
				equal(t, "Str", got.Str, own.Str)
				equal(t, "Value", got.Value.Float(), math.Inf(1))
			})},
		{Name: "json into nothing",
			Make: func() error { return json.Unmarshal([]byte(`1`), nothing) },
			also: as[*json.InvalidUnmarshalError](nil)},
		{Name: "json into no pointer",
			Make: func() error { return json.Unmarshal([]byte(`1`), number) },
			also: as(func(t testing.TB, got, own *json.InvalidUnmarshalError) { equal(t, "Type", got.Type, own.Type) })},
		{Name: "json of something that refuses",
			Make: func() error { _, err := json.Marshal(refusing{}); return err },
			also: all(is(ErrBusy), image("*json.MarshalerError"))},
	}
}

type refusing struct{}

func (refusing) MarshalJSON() ([]byte, error) { return nil, ErrBusy }

// parseCases are the failures of reading text.
func parseCases() []Case {
	return []Case{
		{Name: "no number",
			Make: func() error { _, err := strconv.Atoi("seven"); return err },
			also: all(is(strconv.ErrSyntax), as(func(t testing.TB, got, own *strconv.NumError) { equal(t, "NumError", *got, *own) }))},
		{Name: "a number out of range",
			Make: func() error { _, err := strconv.ParseInt("300", 10, 8); return err },
			also: all(is(strconv.ErrRange), as[*strconv.NumError](nil))},
		{Name: "no time",
			Make: func() error { _, err := time.Parse(time.RFC3339, "yesterday"); return err },
			also: as(func(t testing.TB, got, own *time.ParseError) { equal(t, "ParseError", *got, *own) })},
		{Name: "no base64",
			Make: func() error { _, err := base64.StdEncoding.DecodeString("ab!c"); return err },
			also: as(func(t testing.TB, got, own base64.CorruptInputError) { equal(t, "offset", got, own) })},
		{Name: "no hex",
			Make: func() error { _, err := hex.DecodeString("0g"); return err },
			also: as(func(t testing.TB, got, own hex.InvalidByteError) { equal(t, "byte", got, own) })},
		{Name: "a user that does not exist",
			Make: func() error { return user.UnknownUserError("boxtest-nobody") },
			also: as(func(t testing.TB, got, own user.UnknownUserError) { equal(t, "user", got, own) })},
		{Name: "ids that do not exist",
			Make: func() error {
				return errors.Join(user.UnknownUserIdError(4242), user.UnknownGroupIdError("4243"), user.UnknownGroupError("boxtest"))
			},
			also: all(
				as(func(t testing.TB, got, own user.UnknownUserIdError) { equal(t, "uid", got, own) }),
				as(func(t testing.TB, got, own user.UnknownGroupIdError) { equal(t, "gid", got, own) }),
				as(func(t testing.TB, got, own user.UnknownGroupError) { equal(t, "group", got, own) }))},
	}
}
