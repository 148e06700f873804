package process_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/process"
)

// here is a courier for the examples: nil is this process. A session, a delivery.Once or a pool runs the same elsewhere.
var here box.Courier

func ExampleCommand() {
	cmd := process.Command(context.Background(), here, "tr", "a-z", "A-Z")
	cmd.Stdin = strings.NewReader("some input")
	out, err := cmd.Output()
	fmt.Printf("%s, %v\n", out, err)
	// Output: SOME INPUT, <nil>
}

func ExampleCommand_failure() {
	_, err := process.Command(context.Background(), here, "sh", "-c", "echo no such unit >&2; exit 5").Output()
	var exit *process.ExitError
	if errors.As(err, &exit) {
		fmt.Printf("%v: code %d, %s", err, exit.ExitCode(), exit.Stderr)
	}
	err = process.Command(context.Background(), here, "no-such-program").Run()
	fmt.Println(errors.Is(err, exec.ErrNotFound))
	// Output:
	// exit status 5: code 5, no such unit
	// true
}

func ExampleCommand_deadline() {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	fmt.Println(process.Command(ctx, here, "sleep", "5").Run())
	// Output: signal: killed
}

func ExampleCmd_stdinPipe() {
	cmd := process.Command(context.Background(), here, "cat")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		defer stdin.Close()
		_, _ = io.WriteString(stdin, "values written to stdin are passed to cmd's standard input")
	}()
	out, err := cmd.CombinedOutput()
	fmt.Printf("%s, %v\n", out, err)
	// Output: values written to stdin are passed to cmd's standard input, <nil>
}

func ExampleCmd_stdoutPipe() {
	cmd := process.Command(context.Background(), here, "echo", `{"Name": "Bob", "Age": 32}`)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		log.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	var person struct {
		Name string
		Age  int
	}
	if err := json.NewDecoder(stdout).Decode(&person); err != nil {
		log.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s is %d years old\n", person.Name, person.Age)
	// Output: Bob is 32 years old
}

func ExampleStart() {
	p, err := process.Start(process.Config{Cmdline: "sleep 1000", Grace: process.Duration(time.Second)})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	state, err := p.Stop(context.Background())
	fmt.Println(&state, err)
	// Output: signal: terminated <nil>
}

// Outputs and streams have labels, and what comes there is told as events.
func ExampleProcess_OnOutput() {
	p, err := process.New(process.Config{
		Name: "worker", Shell: true, Cmdline: `read line <&3; echo "working on $line"; echo done >&3`,
		Outputs: []string{"log"}, Streams: []string{"control"},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close() // waits for the events
	if _, err := p.OnOutput(".", func(e process.Event) { fmt.Printf("%s: %s", e.Label, e.Data) }); err != nil {
		log.Fatal(err)
	}
	if err := p.Start(context.Background()); err != nil {
		log.Fatal(err)
	}
	control, err := p.Stream("control")
	if err != nil {
		log.Fatal(err)
	}
	if err := control.WriteLines("box 7"); err != nil {
		log.Fatal(err)
	}
	_, err = p.Wait(context.Background())
	fmt.Println(err)
	// Unordered output:
	// log: working on box 7
	// control: done
	// <nil>
}

func ExampleHost_Keep() {
	ctx, cancel := context.WithCancel(context.Background())
	ends := 0
	err := process.On(here).Keep(ctx, process.Config{Cmdline: "true"}, process.Restart{Attempts: 10}, func(p *process.Process) {
		p.OnExit(func(process.Event) {
			if ends++; ends == 3 {
				cancel()
			}
		})
	})
	fmt.Println(err)
	// Output: context canceled
}

func ExampleParseSignal() {
	for _, text := range []string{"15", "term", "SIGTERM"} {
		sig, err := process.ParseSignal(text)
		fmt.Println(sig == syscall.SIGTERM, err)
	}
	// Output:
	// true <nil>
	// true <nil>
	// true <nil>
}

func ExampleParseConfig() {
	c, err := process.ParseConfig([]byte(`{"name": "web", "cmdline": "httpd -f", "user": "www", "limits": {"nofile": "1024:4096"}, "grace": "30s"}`))
	fmt.Println(c.Name, c.User, c.Limits["nofile"], c.Grace, err)
	_, err = process.ParseConfig([]byte(`{"name": "web", "cmdline": "httpd", "umask": "999"}`))
	fmt.Println(err)
	// Output:
	// web www 1024:4096 30s <nil>
	// process "web": umask: "999": it is octal, from 0 to 777
}
