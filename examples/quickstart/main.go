// Quickstart runs one function as root, as if it were a local call: go run ./examples/quickstart
package main

import (
	"fmt"
	"os"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/transport"
)

func greet(name string) (string, error) {
	host, err := os.Hostname()
	return fmt.Sprintf("hello %s, from uid %d, pid %d on %s", name, os.Getuid(), os.Getpid(), host), err
}

// The same function, as root: one line, and the type stays func(string) (string, error).
var greetAsRoot = delivery.Wrap(greet, delivery.Once{Via: transport.Sudo{}})

func main() {
	delivery.Main() // in the copy that sudo starts, this serves the call and exits

	for _, f := range []func(string) (string, error){greet, greetAsRoot} {
		text, err := f("gopher")
		if err != nil {
			fmt.Fprintln(os.Stderr, "quickstart:", err)
			fmt.Fprintln(os.Stderr, "This needs sudo without a password: try `sudo -v` first, or ask for a NOPASSWD rule in sudoers.")
			os.Exit(1)
		}
		fmt.Println(text)
	}
}
