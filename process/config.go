package process

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

const (
	// DefaultGrace is how long Stop lets a process end by itself, unless Config.Grace says otherwise.
	DefaultGrace = 10 * time.Second

	// MaxStreams is how many extra streams a process can have.
	MaxStreams = 16
)

// A Config says which program to run, and as what. It is data: it can be printed, compared, kept as JSON or TOML, and sent
// in a box. Its zero value, but for the program, is a program with this process's environment, user and directory, in a
// session of its own, that reads and writes /dev/null. Streams of this process are given beside it, as a [Stdio].
type Config struct {
	// Name is what the process is called in events and errors; empty: the program's base name.
	Name string `json:"name,omitempty" toml:"name,omitempty"`

	// Cmdline is split into words as a shell does it, with quotes and backslashes, but without expansions, pipes and the
	// like: no shell runs. The words of Argv follow as they are. Either may be empty; the first word of both is the
	// program, which is looked for in this process's PATH if it has no slash.
	Cmdline string   `json:"cmdline,omitempty" toml:"cmdline,omitempty"`
	Argv    []string `json:"argv,omitempty" toml:"argv,omitempty"`

	// Program is the file to run where that is not the first word, which is the program's name for itself then.
	Program string `json:"program,omitempty" toml:"program,omitempty"`

	// Shell has /bin/sh run Cmdline as it is, followed by the words of Argv, quoted so that the shell sees just these.
	Shell bool `json:"shell,omitempty" toml:"shell,omitempty"`

	// Expand replaces $NAME and ${NAME} in the words, after they were split, by the variables that the program gets; $$
	// is a dollar. An unknown name is an error. What Shell runs is the shell's to expand: there, it is done to Argv alone.
	Expand bool `json:"expand,omitempty" toml:"expand,omitempty"`

	// Env are variables of the program, and Inherit says how they join those of this process: by default, over them.
	Env     map[string]string `json:"env,omitempty" toml:"env,omitempty"`
	Inherit Inherit           `json:"inherit,omitempty" toml:"inherit,omitempty"`

	// User, by name or number, needs root's rights. Without Group the group is the user's own, and without Groups the
	// other groups are the user's as well, as the system's databases have them. A Group without a User leaves the others
	// as they are.
	User   ID   `json:"user,omitempty" toml:"user,omitempty"`
	Group  ID   `json:"group,omitempty" toml:"group,omitempty"`
	Groups []ID `json:"groups,omitempty" toml:"groups,omitempty"`

	Dir    string           `json:"dir,omitempty" toml:"dir,omitempty"`       // empty: this process's
	Umask  string           `json:"umask,omitempty" toml:"umask,omitempty"`   // octal, such as "027"; empty: this process's
	Limits map[string]Limit `json:"limits,omitempty" toml:"limits,omitempty"` // by name, such as "nofile": see LimitNames
	Nice   int              `json:"nice,omitempty" toml:"nice,omitempty"`     // added to the priority, -20 to 19; below 0 needs root's rights

	// Outputs are labels for stdout and stderr, in this order: what comes there is told to those who ask with
	// [Process.OnOutput]. The same label twice makes one stream of both; what has no label, and no writer in Stdio, goes to
	// /dev/null.
	Outputs []string `json:"outputs,omitempty" toml:"outputs,omitempty"`

	// Input makes stdin a pipe, which [Process.Stdin] writes to.
	Input bool `json:"input,omitempty" toml:"input,omitempty"`

	// Streams are labels for two-way streams, unix sockets, which the program has as descriptors 3, 4, …, in this order:
	// see [Process.Stream]. At most MaxStreams.
	Streams []string `json:"streams,omitempty" toml:"streams,omitempty"`

	// Detach lets the process run on when this one ends or closes it. It cannot have labels, Input or Streams, which end
	// with this process. Over a courier it is refused: what is to outlive a call is a job.
	Detach bool `json:"detach,omitempty" toml:"detach,omitempty"`

	// Grace is how long [Process.Stop] waits after SIGTERM before it kills; 0: DefaultGrace; negative: not at all.
	Grace Duration `json:"grace,omitempty" toml:"grace,omitempty"`

	// WaitDelay bounds how long outputs may stay open after the process has ended, because others that it started have
	// them: then they are closed, and the end has the error exec.ErrWaitDelay. 0: until they end by themselves.
	WaitDelay Duration `json:"wait_delay,omitempty" toml:"wait_delay,omitempty"`
}

// Stdio are streams of this process, for a program. The zero value has none.
//
// An *os.File is passed on as it is, and stays open here. From another reader, or to another writer, a goroutine copies,
// and the end of the process waits for it. A Stdout and Stderr that are equal are written to by one goroutine at a time.
type Stdio struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Files          []*os.File // descriptors after the Streams of the Config; on this machine only; nil: closed
}

// A ConfigError says what is wrong with a [Config].
type ConfigError struct {
	Name  string // the process's; may be empty
	Field string // as in JSON, such as "limits.nofile"
	Why   string
	Err   error // the cause, if there is one
}

func (e *ConfigError) Error() string {
	who := "process"
	if e.Name != "" {
		who = fmt.Sprintf("process %.80q", e.Name)
	}
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %s: %v", who, e.Field, e.Why, e.Err)
	}
	return fmt.Sprintf("%s: %s: %s", who, e.Field, e.Why)
}

func (e *ConfigError) Unwrap() error { return e.Err }

// Check says what is wrong with a Config, as far as that can be known without the machine that it is for: users, files
// and the names of limits are looked at when it is started. The error is a *ConfigError.
func (c Config) Check() error {
	_, err := c.words(nil)
	for _, check := range []func(Config) error{
		Config.checkEnv, Config.checkLabels, Config.checkNumbers, Config.checkUser, Config.checkDetach,
	} {
		if err == nil {
			err = check(c)
		}
	}
	return err
}

func (c Config) wrong(field, why string, cause ...error) error {
	e := &ConfigError{Name: c.Name, Field: field, Why: why}
	if len(cause) > 0 {
		e.Err = cause[0]
	}
	return e
}

// named returns c with a name.
func (c Config) named() Config {
	if c.Name != "" {
		return c
	}
	if words, err := c.words(nil); err == nil {
		c.Name = filepath.Base(words[0])
		if c.Shell {
			c.Name = "sh"
		}
	}
	return c
}

// grace is how long Stop waits.
func (c Config) grace() time.Duration {
	switch d := time.Duration(c.Grace); {
	case d == 0:
		return DefaultGrace
	case d < 0:
		return 0
	default:
		return d
	}
}
