package transport

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// A kind is a key that begins a hop, with the keys that refine it. Each kind stands in the file of its transport.
type kind struct {
	name    string
	begin   func(value string) (Transport, error)
	options []option
}

// kinds are all of them, in the order in which errors list them.
var kinds = []kind{
	selfKind, popenKind, sudoKind, sshKind, usernsKind, commandKind,
	suKind, doasKind, runuserKind, setprivKind, pkexecKind, run0Kind, systemdRunKind,
	chrootKind, unshareKind, nsenterKind, jexecKind,
	dockerKind, dockerRunKind, podmanKind, nerdctlKind, kubectlKind, lxcKind, incusKind, lxcAttachKind, machinectlKind,
	vagrantKind, bsubKind, srunKind, socketKind, templateKind,
}

// An option is a key that refines the hop before it. Kinds may have options of one name; then all take a value, or none.
type option struct {
	name   string
	flag   bool // takes no value
	repeat bool // may stand there several times
	// set returns hop, which is of the option's kind, with the option.
	set func(hop Transport, value string) (Transport, error)
}

// textOption is a field that holds the value as it is.
func textOption[T Transport](name string, field func(*T) *string) option {
	return option{name: name, set: func(hop Transport, value string) (Transport, error) {
		changed := hop.(T)
		*field(&changed) = value
		return changed, nil
	}}
}

// flagOption is a field that is true when the key is there.
func flagOption[T Transport](name string, field func(*T) *bool) option {
	return option{name: name, flag: true, set: func(hop Transport, _ string) (Transport, error) {
		changed := hop.(T)
		*field(&changed) = true
		return changed, nil
	}}
}

// listOption is a field of several values with commas between them.
func listOption[T Transport](name string, field func(*T) *[]string) option {
	return option{name: name, set: func(hop Transport, value string) (Transport, error) {
		changed := hop.(T)
		*field(&changed) = strings.Split(value, ",")
		return changed, nil
	}}
}

// eachOption is a field of several values, each of which has the key before it.
func eachOption[T Transport](name string, field func(*T) *[]string) option {
	return option{name: name, repeat: true, set: func(hop Transport, value string) (Transport, error) {
		changed := hop.(T)
		list := field(&changed)
		*list = append(slices.Clone(*list), value)
		return changed, nil
	}}
}

func durationOption[T Transport](name, what string, field func(*T) *time.Duration) option {
	return option{name: name, set: func(hop Transport, value string) (Transport, error) {
		changed := hop.(T)
		d, err := time.ParseDuration(value)
		if err != nil || d == 0 {
			err = invalid(what, value, "is not a time; write whole seconds, such as 30s or 2m")
		}
		*field(&changed) = d
		return changed, err
	}}
}

func numberOption[T Transport](name, what string, field func(*T) *int) option {
	return option{name: name, set: func(hop Transport, value string) (_ Transport, err error) {
		changed := hop.(T)
		*field(&changed), err = parseNumber(what, value)
		return changed, err
	}}
}

// parseNumber reads a decimal number without sign or leading zeros.
func parseNumber(what, value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || strconv.Itoa(n) != value {
		return 0, invalid(what, value, "is not a number; write digits without a leading zero")
	}
	return n, nil
}

func noValue(key, value string) error {
	if value != "" {
		return invalid(key, value, "takes no value")
	}
	return nil
}

// optionNames are the keys of all options, each once.
func optionNames() []string {
	var names []string
	for _, k := range kinds {
		for _, o := range k.options {
			if !slices.Contains(names, o.name) {
				names = append(names, o.name)
			}
		}
	}
	return names
}

// foreign is advice for keys of execnet that have another name or no place here.
var foreign = map[string]string{
	"python":              "write binary=/path/of/the/program, and sudo as a hop of its own",
	"via":                 "write the hops in one spec, the nearest first: ssh=gate//ssh=inner",
	"vagrant_ssh":         "write vagrant=NAME, or ssh=HOST//ssh_config=FILE with the output of vagrant ssh-config",
	"installvia":          "start deliveryboy serve there, and write ssh=HOST//socket=/its/socket",
	"execmodel":           "workers have one execution model; leave it out",
	"dont_write_bytecode": "nothing is compiled; leave it out",
	"host":                "write ssh=HOST",
	"port":                "write ssh=HOST:PORT",
}
