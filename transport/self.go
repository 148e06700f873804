package transport

import "slices"

// Self starts the worker right here, as the same user: the argv stays what it is. A nil Transport and an empty [Chain]
// mean the same.
type Self struct{}

// Command returns a copy of argv.
func (Self) Command(argv []string) ([]string, error) {
	if err := checkArgv(argv); err != nil {
		return nil, err
	}
	return slices.Clone(argv), nil
}

// String is "self".
func (Self) String() string { return "self" }

func (Self) facts() facts { return facts{here: true} }

var (
	selfKind  = kind{name: "self", begin: func(v string) (Transport, error) { return Self{}, noValue("self", v) }}
	popenKind = kind{name: "popen", begin: func(v string) (Transport, error) { return Self{}, noValue("popen", v) }}
)
