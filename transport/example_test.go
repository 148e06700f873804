package transport_test

import (
	"fmt"

	"github.com/seed354a1416/deliveryboy/transport"
)

func ExampleChain() {
	via := transport.Chain{
		transport.SSH{Host: "web1", User: "deploy", NoShare: true},
		transport.Sudo{User: "www"},
	}
	argv, err := via.Command([]string{"/opt/my app", "__deliver"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(via)
	fmt.Println(argv[len(argv)-1])
	// Output:
	// ssh=deploy@web1//no_share//sudo=www
	// /usr/bin/sudo -n -u www -- '/opt/my app' __deliver
}

func ExampleParse() {
	spec, err := transport.Parse("ssh=deploy@web1:2222//sudo//chdir=/srv//nice=5//env:LANG=C")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%v %s %d %v\n", spec.Via, spec.Dir, spec.Nice, spec.Env)

	_, err = transport.Parse("ssh=web1//sudo=-u#-1")
	fmt.Println(err)
	// Output:
	// ssh=deploy@web1:2222//sudo /srv 5 [LANG=C]
	// transport: spec "ssh=web1//sudo=-u#-1": at byte 15: sudo user "-u#-1": must not begin with '-', it would be read as an option
}

func ExampleExplain() {
	steps, err := transport.Explain(transport.Chain{transport.Sudo{}, transport.Userns{}}, []string{"/opt/app", "__deliver"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, step := range steps {
		fmt.Println(step.Hop, step.Argv)
	}
	// Output:
	// sudo [sudo -n -- /usr/bin/unshare --user --map-root-user -- /opt/app __deliver]
	// userns [/usr/bin/unshare --user --map-root-user -- /opt/app __deliver]
	// self [/opt/app __deliver]
}

func ExampleDiagnose() {
	via := transport.Chain{transport.SSH{Host: "web1"}, transport.Sudo{User: "www"}}
	d := transport.Diagnose(via, transport.Exit{Code: 1, Stderr: "sudo: a password is required\n"})
	fmt.Printf("%s: %s; %s\n", d.Hop, d.Reason, d.Advice)
	// Output:
	// sudo=www: a password is required; allow the program in sudoers with NOPASSWD, for this user and this target
}
